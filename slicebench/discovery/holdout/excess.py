"""How badly the model does on each example, next to other examples of its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Excess:
    """Outcomes of n examples on one scale, and the class of each.

    `badness` (n,) is 1 for an error and 0 for a right answer. Of losses it is the rank within the class, from 0 to 1, so that
    neither their unit nor a few huge ones matter. `classes` (n,) are numbers, and `exact` is true for errors. `groups` (n,)
    numbers examples that belong together, or is None.
    """

    badness: Floats
    classes: NDArray[np.int64]
    groups: NDArray[np.intp] | None
    exact: bool

    @classmethod
    def of(cls, examples: Examples) -> Excess:
        """Return the outcomes of a user's examples."""
        if examples.wrong is not None:
            badness = examples.wrong.astype(np.float64)
        else:
            badness = ranks_within(examples.losses, examples.labels)
        return cls(badness=badness, classes=examples.labels, groups=examples.groups, exact=examples.wrong is not None)

    def over_mean(self, rows: Bools) -> Floats:
        """Return badness minus its mean over `rows`, (n,) bool, of the same class; shape (n,).

        It is 0 in classes without such rows.
        """
        count = np.bincount(self.classes[rows], minlength=self.n_classes)
        total = np.bincount(self.classes[rows], weights=self.badness[rows], minlength=self.n_classes)
        known = count[self.classes] > 0
        over: Floats = np.where(known, self.badness - (total / np.maximum(count, 1))[self.classes], 0.0)
        return over

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.classes.max()) + 1


def ranks_within(values: NDArray[np.floating], classes: NDArray[np.int64]) -> Floats:
    """Return the rank of each value among those of its class, from 0 for the lowest to 1; ties share their mean rank.

    >>> ranks_within(np.array([5.0, 1.0, 9.0, 3.0]), np.array([0, 0, 0, 1])).tolist()
    [0.5, 0.0, 1.0, 0.5]
    """
    from scipy.stats import rankdata

    out = np.full(len(values), 0.5)
    for c in np.unique(classes):
        rows = np.flatnonzero(classes == c)
        if len(rows) > 1:
            out[rows] = (rankdata(values[rows]) - 1) / (len(rows) - 1)
    return out


def likelihood_gain(bad: Floats, size: Floats, expected: Floats) -> Floats:
    """Compute how much more likely the outcomes of sets are at their own rate than at the expected one; arrays of one shape.

    It is the log-likelihood ratio of the binomial scan statistic (Kulldorff 1997, "A spatial scan statistic"), with the expected
    number of errors from the class of each member. It is 0 for sets that are not worse than expected. `bad` may be a sum of
    ranks.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(bad > 0, bad * np.log(bad / expected), 0.0)
        good = size - bad
        outside = np.where(good > 0, good * np.log(good / (size - expected)), 0.0)
    gain: Floats = np.where((bad > expected) & (size > 0), inside + outside, 0.0)
    return gain
