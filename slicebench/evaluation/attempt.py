"""Run a method on the data that it may see, and describe the attempt: what it returned, or why it returned nothing."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of
from slicebench.errors import MethodError, SlicebenchError, safe_text
from slicebench.evaluation.cost import Stopwatch, peak_memory_mb, reset_peak_memory
from slicebench.evaluation.record import Cost, plain_params
from slicebench.plugins.method import UNKNOWN_VERSION, SliceMethod, SliceScores, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth


MOST_NOTES = 100
"""Notes of a method that are kept."""


@dataclass(frozen=True, eq=False)
class MethodRun:
    """Scores of a method on the test split, and their cost."""

    scores: SliceScores
    strength: NDArray[np.float64] | None
    caption_hardness: NDArray[np.float64] | None
    notes: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, eq=False)
class Attempt:
    """What a method said of itself, and its run, or status and reason if there is none."""

    version: str
    params: dict[str, Any]
    run: MethodRun | None
    failure: dict[str, str] | None


def attempt(
    make: Callable[[], SliceMethod],
    given: Mapping[str, Any],
    data: AuditData,
    test: Split,
    truth: PlantedTruth | None = None,
) -> Attempt:
    """Make a method and run it; its errors are described, not raised.

    `given` are its parameters, should it not be able to tell its own. `truth` is for the oracle.
    """
    version, params = UNKNOWN_VERSION, dict(given)
    run: MethodRun | None = None
    try:
        method = make()
        failure = _declined(method, data)
        if failure is None:
            if truth is not None:
                method.reveal(truth)  # type: ignore[attr-defined]
            run = run_method(method, data, test)
        version, params = version_of(method), plain_params(method.get_params())
    except Exception as error:  # noqa: BLE001 - whatever a plugin's method does costs its own cell only
        run, failure = None, {"status": "failed", "reason": _reason(error)}
    return Attempt(version, params, run, failure)


def failed(reason: str) -> Attempt:
    """Return the attempt of a method that could say nothing of itself."""
    return Attempt(UNKNOWN_VERSION, {}, None, {"status": "failed", "reason": safe_text(reason)})


def _declined(method: SliceMethod, data: AuditData) -> dict[str, str] | None:
    reason: object = method.supports(data)
    if not (reason is None or isinstance(reason, str)):
        raise MethodError(f"supports returned {type(reason).__name__}; expected a text or None")
    return None if reason is None else {"status": "skipped", "reason": safe_text(reason)}


def run_method(method: SliceMethod, data: AuditData, test: Split) -> MethodRun:
    """Fit on `data`, score `test`, and measure the cost of both.

    A model from the cache counts with the seconds that its training took.

    Raises
    ------
    MethodError
        if what the method returns breaks the contract.

    """
    reset_peak_memory()
    trained_before = _training_seconds(data)
    with Stopwatch() as fit:
        method.fit(data)
    with Stopwatch() as score:
        scores = method.score(test)
    scores = checked_scores(method, scores, test)
    strength = method.strength()
    with Stopwatch() as caption:
        caption_hardness = (
            None if data.captions is None else checked_captions(method.caption_hardness(data), data.captions)
        )
    training, replayed = (now - before for now, before in zip(_training_seconds(data), trained_before, strict=True))
    cost = Cost(
        fit_s=fit.wall_s + replayed,
        score_s=score.wall_s,
        caption_s=caption.wall_s,
        cpu_s=fit.cpu_s + score.cpu_s + caption.cpu_s + replayed,
        peak_rss_mb=peak_memory_mb(),
        training_s=training,
    )
    checked = None if strength is None else checked_strength(strength, max(1, len(data.class_names)))
    return MethodRun(scores, checked, caption_hardness, checked_notes(method.notes()), cost)


def checked_scores(method: SliceMethod, scores: object, split: Split) -> SliceScores:
    """Return `scores`, which `method.score` returned for `split`.

    Raises `MethodError` if they are not scores, or not one for each example.
    """
    if not isinstance(scores, SliceScores):
        raise MethodError(f"{type(method).__name__}.score returned {type(scores).__name__}; expected SliceScores")
    if len(scores.hardness) != split.n:
        raise MethodError(f"{type(method).__name__}.score returned {len(scores.hardness)} rows for {split.n} examples")
    if type(scores) is not SliceScores:  # a subclass may hold what cannot leave the worker
        return SliceScores(
            hardness=scores.hardness, flagged=scores.flagged, membership=scores.membership, names=scores.names
        )
    return scores


def checked_notes(notes: object) -> tuple[str, ...]:
    """Return the first notes of a method, made safe; raise `MethodError` for anything else than a sequence."""
    if not isinstance(notes, tuple | list):
        raise MethodError(f"notes returned {type(notes).__name__}; expected a tuple of texts")
    left_out = len(notes) - MOST_NOTES
    return (*map(safe_text, notes[:MOST_NOTES]), *([f"{left_out} more notes were left out"] if left_out > 0 else []))


def checked_strength(strength: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
    """Return the evidence per class, shape (C,); raise `MethodError` for another shape."""
    out = np.asarray(strength, dtype=np.float64)
    if out.shape != (n_classes,):
        raise MethodError(f"strength has shape {out.shape}; expected one value per class, ({n_classes},)")
    return out


def checked_captions(hardness: NDArray[Any], captions: Captions) -> NDArray[np.float64]:
    """Return the hardness of the captions, shape (C, m) and finite; raise `MethodError` for another shape."""
    expected = captions.candidates.shape
    if np.shape(hardness) != expected:
        raise MethodError(f"caption_hardness has shape {np.shape(hardness)}; expected (classes, captions) = {expected}")
    return array_of("caption_hardness", hardness, np.float64, 2)


def _training_seconds(data: AuditData) -> tuple[float, float]:
    """Return the seconds of training charged so far, and those that a cache saved."""
    if data.trainer is None:
        return 0.0, 0.0
    return data.trainer.seconds, data.trainer.seconds_saved


def _reason(error: Exception) -> str:
    """Return an error as one line for the table.

    For our own errors it is type and message; for others also the line that raised the error.
    """
    said = f"{type(error).__name__}: {safe_text(error)}"
    if isinstance(error, SlicebenchError):
        return said
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{said} ({frame.filename}:{frame.lineno})"
