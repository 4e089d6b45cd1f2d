"""Run methods on a user's examples.

They are fitted on train and val, and score all examples twice: with their outcomes and without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.permuted import permuted_outcomes
from slicebench.errors import ConfigError, MethodError, SlicebenchError
from slicebench.evaluation.cell import checked_scores
from slicebench.evaluation.slices import Slices, returned_slices
from slicebench.plugins.method import SliceMethod, refuse_truth
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.discovery.examples import Examples

    Bools = NDArray[np.bool_]
    Chosen = str | SliceMethod | Sequence[str | SliceMethod] | Mapping[str, SliceMethod] | None


DEFAULTS = ("kmeans_errors", "tree_rules")
"""Default methods: the best of the leaderboard in embedding space, and rules if there are metadata."""
DEFAULT_FOR_LOSSES = "spotlight"
MOST_NAMES = 6
"""Classes that one note names."""


@dataclass(frozen=True, eq=False)
class Said:
    """Output of one method for all n examples.

    Slices were assigned without access to outcomes; hardness was not.
    """

    name: str
    slices: Slices
    hardness: NDArray[np.float64]
    seconds: float
    notes: tuple[str, ...]


def chosen_methods(given: Chosen, data: AuditData) -> dict[str, SliceMethod]:
    """Return the methods by name; if a name occurs twice, the second gets a number.

    Raises `ConfigError` for an empty choice, and for a method that needs the planted truth.
    """
    if given is None:
        given = [name for name in DEFAULTS if METHODS.load(name)().supports(data) is None] or DEFAULT_FOR_LOSSES
    if not isinstance(given, Mapping):
        given = _named([given] if isinstance(given, str | SliceMethod) else given)
    if not given:
        raise ConfigError("no method is named; `slicebench list methods` shows them")
    for name, method in given.items():
        refuse_truth(name, method)
    return dict(given)


def _named(chosen: Sequence[str | SliceMethod]) -> dict[str, SliceMethod]:
    out: dict[str, SliceMethod] = {}
    for one in chosen:
        name, method = (one, METHODS.load(one)()) if isinstance(one, str) else (type(one).__name__, one)
        out[name if name not in out else f"{name} {len(out) + 1}"] = method
    return out


def run_all(
    methods: Mapping[str, SliceMethod], examples: Examples, data: AuditData, seed: int, say: Callable[[str], None]
) -> tuple[list[Said], list[str]]:
    """Run the methods; return their outputs, and notes on those that cannot run on the data.

    Raises
    ------
    ConfigError
        if none of them can run on the data.
    MethodError
        if a method fails.

    """
    said, declined = list[Said](), list[str]()
    for name, method in methods.items():
        reason = method.supports(data)
        if reason is not None:
            declined.append(f"{name} cannot run on this data: {reason}")
            continue
        say(f"fitting {name} on {data.val.n:,} examples")
        try:
            said.append(_run(name, method, examples, data, seed))
        except SlicebenchError:
            raise
        except Exception as error:
            raise MethodError(f"{name} failed: {type(error).__name__}: {error}") from error
    if not said:
        raise ConfigError("; ".join(declined))
    return said, declined


def _run(name: str, method: SliceMethod, examples: Examples, data: AuditData, seed: int) -> Said:
    """Fit a method and score every split twice: with its outcomes for the hardness, without for the slices."""
    start, n = perf_counter(), examples.n
    method.fit(data)
    hardness = np.zeros(n)
    by_name: dict[str, tuple[NDArray[np.float32], Bools]] = {}
    for split_name, split in examples.problem.splits().items():
        rows = examples.at[split_name]
        hardness[rows] = checked_scores(method, method.score(split), split).hardness
        blind = method.score(permuted_outcomes(split, np.random.default_rng([seed, 2])))
        found = returned_slices(checked_scores(method, blind, split), split, data.class_names)
        for j, slice_name in enumerate(_distinct(found.names)):
            soft, hard = by_name.setdefault(slice_name, (np.zeros(n, np.float32), np.zeros(n, bool)))
            soft[rows], hard[rows] = found.soft[:, j], found.hard[:, j]
    pairs = [(np.zeros((n, 0), np.float32), np.zeros((n, 0), bool)), *by_name.values()]
    soft_all, hard_all = (np.column_stack(columns) for columns in zip(*pairs, strict=True))
    slices = Slices(soft_all, hard_all, tuple(by_name))
    notes = in_names([*map(str, method.notes())], data.class_names)
    return Said(name, slices, hardness, perf_counter() - start, notes)


def in_names(notes: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the notes of a method with the names of classes for their numbers, one note for all classes that share a text.

    >>> in_names(["class 0 has 1 error", "class 1 has 1 error", "all is well"], ["cat", "dog"])
    ('each of 2 classes (cat, dog) has 1 error', 'all is well')
    """
    of_text: dict[str, list[str]] = {}
    for note in notes:
        found = re.search(r"\bclass (\d+)\b", note)
        if found is None or int(found[1]) >= len(class_names):
            of_text.setdefault(note, [])
        else:
            of_text.setdefault(f"{note[: found.start()]}\0{note[found.end() :]}", []).append(class_names[int(found[1])])
    return tuple(text.replace("\0", _classes(names)) if names else text for text, names in of_text.items())


def _classes(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"class {names[0]}"
    return f"each of {len(names)} classes ({', '.join(names[:MOST_NAMES])}{', ...' if len(names) > MOST_NAMES else ''})"


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number added where one is repeated.

    The slices of different splits are matched by these names.
    """
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
