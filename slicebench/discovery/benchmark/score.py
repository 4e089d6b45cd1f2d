"""Compare the slices that a finder shows with the planted causes: pure functions of boolean masks.

Decisions
- A cause is found if one shown slice has precision at least 0.8 and recall at least 0.5, on all rows.
- A slice is false if less than 80% of its members lie in the union of the causes. A slice that covers two causes
  is not false, because each of its members has a cause; it finds neither unless it is precise for one.
- Precision at 10 takes the first ten members of the first slice that overlaps most with the cause.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.masks import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import Cause, PlantedTable

    Mask = NDArray[np.bool_]

PRECISION = 0.8
RECALL = 0.5
TOP = 10


@dataclass(frozen=True, eq=False)
class Shown:
    """A slice that a finder shows: its members as a mask, shape (n,), and its printed description.

    `first` are members with the most typical first, as row positions; row order if it is empty. A
    `fact` is not a slice but a statement on a whole class; it counts for `class_first` only.
    """

    rows: Mask
    description: str = ""
    first: tuple[int, ...] = ()
    fact: bool = False

    def top(self, k: int = TOP) -> NDArray[np.intp]:
        """Return the first `k` members."""
        return np.array(self.first[:k] if self.first else np.flatnonzero(self.rows)[:k], dtype=np.intp)


@dataclass(frozen=True, kw_only=True)
class TableScore:
    """Scores of one finder on one table.

    `right` counts the found causes whose description names the planted attributes and nothing else;
    it is None if the attributes are hidden. `precision_at_10` has a value per cause. `class_first` is
    true if the first finding is the faulty class, and None for tables without a faulty class.
    """

    causes: int
    found: int
    alone: int
    alone_found: int
    shown: int
    false: int
    right: int | None
    precision_at_10: tuple[float, ...]
    class_first: bool | None


def precision(shown: Mask, cause: Mask) -> float:
    """Return the share of the slice's members that are in the cause; 0 for an empty slice."""
    return float((shown & cause).sum() / max(1, shown.sum()))


def recall(shown: Mask, cause: Mask) -> float:
    """Return the share of the cause's members that are in the slice; 0 for an empty cause."""
    return float((shown & cause).sum() / max(1, cause.sum()))


def finds(shown: Mask, cause: Mask) -> bool:
    """Return whether a slice finds a cause."""
    return precision(shown, cause) >= PRECISION and recall(shown, cause) >= RECALL


def is_false(shown: Mask, causes: Sequence[Mask]) -> bool:
    """Return whether less than 80% of the slice's members lie in any planted cause."""
    union = np.any(causes, axis=0) if len(causes) else np.zeros(len(shown), bool)
    return precision(shown, union) < PRECISION


def precision_at(cause: Mask, shown: Sequence[Shown], k: int = TOP) -> float:
    """Return the share of the first `k` members of the slice that overlaps most with the cause; 0 without slices."""
    if not shown:
        return 0.0
    best = max(shown, key=lambda one: overlap(one.rows, cause))
    top = best.top(k)
    return float(cause[top].mean()) if len(top) else 0.0


def mentioned(description: str, names: Iterable[str]) -> set[str]:
    """Return the names that occur in a description as words of their own."""
    return {name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", description)}


def names_right(description: str, cause: Cause, visible: Sequence[str]) -> bool:
    """Return whether a description names all attributes of the cause and no other visible column."""
    return mentioned(description, visible) == set(cause.attributes)


def score(table: PlantedTable, findings: Sequence[Shown]) -> TableScore:
    """Score what a finder shows on a table: slices, and facts about whole classes."""
    shown = [one for one in findings if not one.fact]
    masks = [cause.rows for cause in table.causes]
    finders = [[one for one in shown if finds(one.rows, mask)] for mask in masks]
    alone = [i for i, cause in enumerate(table.causes) if cause.alone_in_class]
    right = [
        any(names_right(one.description, cause, table.visible) for one in found)
        for cause, found in zip(table.causes, finders, strict=True)
    ]
    return TableScore(
        causes=len(masks),
        found=sum(map(bool, finders)),
        alone=len(alone),
        alone_found=sum(bool(finders[i]) for i in alone),
        shown=len(shown),
        false=sum(is_false(one.rows, masks) for one in shown),
        right=sum(right) if table.visible else None,
        precision_at_10=tuple(precision_at(mask, shown) for mask in masks),
        class_first=_class_first(masks[0], findings) if table.kind == "class" else None,
    )


def _class_first(faulty: Mask, findings: Sequence[Shown]) -> bool:
    """Return whether the first finding, be it a slice or a fact, is the faulty class."""
    return bool(findings) and finds(findings[0].rows, faulty)
