"""Say how much less the rows of a large table tell because rows of one group belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.slices.clustered import clustered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedRows:
    """The n rows that test, as little of each as tests with groups need: their group, class, outcome and slices.

    `badness` (n,) is the outcome, of losses the bin. `members` is (n, k).
    """

    groups: NDArray[np.int64]
    labels: NDArray[np.int32]
    outcome: NDArray[np.float32]
    badness: NDArray[np.int16]
    members: Bools

    @classmethod
    def joined(cls, parts: Sequence[GroupedRows]) -> GroupedRows:
        """Return the rows of all parts."""
        names = ("groups", "labels", "outcome", "badness", "members")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True, eq=False, kw_only=True)
class Designs:
    """Of k slices: the p of a t test on groups, the design effect of that test, and that of the difference; (k,) each."""

    p: Floats
    of_test: Floats
    of_difference: Floats


def designs_of(rows: GroupedRows, n_classes: int) -> Designs:
    """Compute design effects and t tests as `holdout.fold_tests` and `verdicts` do in memory, each slice without those before."""
    groups = np.unique(rows.groups, return_inverse=True)[1]
    left = np.ones(len(groups), dtype=bool)
    found = []
    for k in range(rows.members.shape[1]):
        inside = rows.members[:, k]
        p, of_test = _clustered(inside, left, rows.badness, rows.labels, groups, n_classes)
        every = np.ones(len(left), dtype=bool)
        found.append((p, of_test, _clustered(inside, every, rows.outcome, rows.labels, groups, n_classes)[1]))
        left = left & ~inside
    table = np.array(found, dtype=np.float64).reshape(-1, 3)
    return Designs(p=table[:, 0], of_test=table[:, 1], of_difference=table[:, 2])


def _clustered(
    members: Bools,
    among: Bools,
    values: NDArray[np.number],
    labels: NDArray[np.int32],
    groups: NDArray[np.intp],
    n_classes: int,
) -> tuple[float, float]:
    """Return p and design effect of members against the others of their classes, among some rows; 1 where there are none."""
    own = [np.bincount(labels[among & side], minlength=n_classes) > 0 for side in (members, ~members)]
    rows = np.flatnonzero(among & (own[0] & own[1])[labels])
    inside, classes, some = members[rows], labels[rows], values[rows].astype(np.float64)
    if not inside.any() or inside.all():
        return 1.0, 1.0
    means = np.bincount(classes, some) / np.maximum(np.bincount(classes), 1)
    both = clustered(inside[:, None], some - means[classes], groups[rows])
    return float(both.p[0]), float(both.design[0])
