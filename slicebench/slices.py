"""The slices that a method returned, in one form: what a method with memberships, and one with flags only, both have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.method import SliceScores
    from slicebench.split import Split


@dataclass(frozen=True, eq=False)
class Slices:
    """k slices of n examples, the most suspicious first.

    `soft` (n, k) float32 orders the examples within a slice, `hard` (n, k) bool says which belong to it, and `names` are k
    strings. k may be 0; a slice may be empty.
    """

    soft: NDArray[np.float32]
    hard: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def k(self) -> int:
        """Number of slices."""
        return self.hard.shape[1]


def returned_slices(scores: SliceScores, split: Split, class_names: tuple[str, ...] = ()) -> Slices:
    """Slices in `scores` of the examples of `split`.

    Soft memberships are slices as they are; the members of a slice are those with ½ or more. A method without memberships that
    raises flags returns one slice per class: the flagged of the class, ordered by the rank of their hardness. A method
    that has only hardness returns none.
    """
    if scores.membership is not None:
        k = scores.membership.shape[1]
        names = scores.names or tuple(f"slice {j + 1}" for j in range(k))
        return Slices(scores.membership, scores.membership >= 0.5, names)
    if scores.flagged is None:
        return Slices(np.zeros((split.n, 0), np.float32), np.zeros((split.n, 0), bool), ())
    classes = list(split.by_class())
    soft, hard = np.zeros((split.n, len(classes)), np.float32), np.zeros((split.n, len(classes)), bool)
    names = []
    for j, (c, rows) in enumerate(classes):
        soft[rows, j] = _rank_share(scores.hardness[rows])
        hard[rows, j] = scores.flagged[rows]
        names.append(f"flagged {class_names[c]}" if c < len(class_names) else "flagged")
    return Slices(soft, hard, tuple(names))


def _rank_share(hardness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rank of each value among n, over n: in (0, 1], equal for equal values."""
    from scipy.stats import rankdata

    share: NDArray[np.float64] = rankdata(hardness) / len(hardness)
    return share
