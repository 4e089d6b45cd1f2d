"""Compare a slice with the rest of its class where examples belong together and are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clustered:
    """Of k slices: the design effect, at least 1, and the one-sided p of a t test on groups; (k,) each."""

    design: Floats
    p: Floats


def clustered(inside: Bools, outcome: NDArray[Any], groups: NDArray[np.integer]) -> Clustered:
    """Compare the mean outcome of each slice with that of the rest, with any dependence within groups allowed for.

    The standard error is that of Liang and Zeger (1986), "Longitudinal data analysis using generalized linear models": residuals
    are summed within groups before they are squared. The design effect is its square divided by that of independent examples;
    counts divided by it can be tested as if examples were independent (Rao and Scott 1992, "A simple method for the analysis of
    clustered binary data"). That test is too favourable for few groups. The t test is not: it has the degrees of freedom of the
    side with fewer groups. A slice is significant if both tests say so. Memory O(n + G k) for G groups.

    Parameters
    ----------
    inside : (n, k) bool
        Members of k slices among the n examples of one class; each slice leaves a rest.
    outcome : (n,)
        Errors, or losses.
    groups : (n,) int
        Examples with one number belong together.

    """
    found = [_one(inside[:, j], outcome.astype(np.float64), groups) for j in range(inside.shape[1])]
    design, p = zip(*found, strict=True) if found else ((), ())
    return Clustered(np.array(design, dtype=np.float64), np.array(p, dtype=np.float64))


def _one(members: Bools, outcome: Floats, groups: NDArray[np.integer]) -> tuple[float, float]:
    from scipy.stats import t as student

    own, sizes = np.unique(groups, return_inverse=True)[1], np.array([members.sum(), (~members).sum()])
    means = np.array([outcome[members].mean(), outcome[~members].mean()])
    scores = (outcome - np.where(members, *means)) / np.where(members, *sizes)
    here, there = (np.bincount(own, weights=scores * side) for side in (members, ~members))
    counts = [len(np.unique(own[side])) for side in (members, ~members)]
    least = min(counts)
    if least < 2:
        return float(sizes.max()), 1.0
    square = ((here - there) ** 2).sum() * least / (least - 1)
    independent = sum(outcome[side].var() / n for side, n in zip((members, ~members), sizes, strict=True))
    if independent == 0:
        return float(sizes[0] / counts[0]), 0.0 if means[0] > means[1] else 1.0
    p = float(student.sf((means[0] - means[1]) / np.sqrt(square), least - 1)) if square > 0 else 1.0
    return max(1.0, float(square / independent)), p
