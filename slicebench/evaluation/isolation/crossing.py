"""What crosses from the process of a method to the one that measures: JSON and plain arrays, checked on arrival.

Nothing is unpickled. A value that is missing, too large, of the wrong type or shape, or not finite is an error of the
method.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, MethodError
from slicebench.evaluation.attempt import Attempt, MethodRun, checked_captions, checked_notes, checked_strength
from slicebench.evaluation.record import Cost
from slicebench.plugins.method import SliceScores

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.split import Split

LARGEST_TEXT = 2**26
"""Bytes of JSON that are read."""

LARGEST_ARRAYS = 2**30
"""Bytes of arrays that are read."""

MOST_SLICES = 10_000


def send(talk: Connection, attempt: Attempt) -> None:
    """Send an attempt in two messages: texts and numbers, then arrays."""
    from safetensors.numpy import save

    about: dict[str, Any] = {"version": attempt.version, "params": attempt.params, "failure": attempt.failure}
    arrays: dict[str, NDArray[Any] | None] = {"-": np.zeros(1)}  # an empty file is no safetensors file
    if (run := attempt.run) is not None:
        about |= {"notes": run.notes, "names": run.scores.names, "cost": run.cost.model_dump()}
        arrays |= {
            "hardness": run.scores.hardness,
            "flagged": run.scores.flagged,
            "membership": run.scores.membership,
            "strength": run.strength,
            "captions": run.caption_hardness,
        }
    talk.send_bytes(json.dumps(about).encode())
    talk.send_bytes(save({k: np.ascontiguousarray(v) for k, v in arrays.items() if v is not None}))


def receive(talk: Connection, test: Split, n_classes: int, captions: Captions | None) -> Attempt:
    """Read and check an attempt on a test split of `n_classes` classes.

    Raises
    ------
    EOFError
        if the process ended before it had sent everything.
    MethodError, DataError
        for anything that an honest process does not send.

    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        about = json.loads(talk.recv_bytes(LARGEST_TEXT))
        arrays = load(talk.recv_bytes(LARGEST_ARRAYS))
        return _checked(about, arrays, test, n_classes, captions)
    except OSError as error:
        raise EOFError if not str(error) else MethodError(f"its results are too large or broken: {error}") from error
    except (DataError, MethodError, EOFError):
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, SafetensorError) as error:
        raise MethodError(f"its results are not in order: {type(error).__name__}: {error}") from error


def _checked(
    about: dict[str, Any], arrays: dict[str, NDArray[Any]], test: Split, n_classes: int, captions: Captions | None
) -> Attempt:
    version, params, failure = str(about["version"]), dict(about["params"]), about["failure"]
    if failure is not None:
        status = "skipped" if failure["status"] == "skipped" else "failed"
        return Attempt(version, params, None, {"status": status, "reason": str(failure["reason"])})
    membership = arrays.get("membership")
    if membership is not None and membership.shape[-1] > MOST_SLICES:
        raise MethodError(f"it returned {membership.shape[-1]:,} slices; expected at most {MOST_SLICES:,}")
    names = about["names"]
    scores = SliceScores(
        hardness=arrays["hardness"],
        flagged=arrays.get("flagged"),
        membership=membership,
        names=None if names is None else tuple(names),
    )
    if len(scores.hardness) != test.n:
        raise MethodError(f"it returned {len(scores.hardness)} scores for {test.n} examples")
    strength, hardness = arrays.get("strength"), arrays.get("captions")
    if captions is not None and hardness is None:
        raise MethodError("it returned no hardness of captions")
    run = MethodRun(
        scores=scores,
        strength=None if strength is None else checked_strength(strength, n_classes),
        caption_hardness=None if captions is None or hardness is None else checked_captions(hardness, captions),
        notes=checked_notes(about["notes"]),
        cost=Cost.model_validate(about["cost"]),
    )
    return Attempt(version, params, run, None)
