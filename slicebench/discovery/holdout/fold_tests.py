"""Test a slice on the fold that did not help to find it, and join the folds' answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.masks import marked
from slicebench.metrics.slices.clustered import clustered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.holdout.excess import Excess

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Counts = NDArray[np.integer] | Floats


LEAST_IN_FOLD = 4
"""Members in a fold below which its answer is 1."""
EXACT_UP_TO = 4000
"""Errors up to which the exact distribution over several classes is computed; beyond, its normal approximation."""


def fold_p(members: Bools, rest: Bools, excess: Excess) -> float:
    """Compute the one-sided p that `members` do no worse than `rest`, both (n,) bool, class by class.

    For errors it is Fisher's exact test; over several classes, the exact test of their common odds ratio (Gart 1970, "Point and
    interval estimation of the common odds ratio"). For losses it is the rank-sum test, over several classes that of van Elteren
    (1960, "On the combination of independent two-sample tests of Wilcoxon"). With groups, counts are divided by the design
    effect, and a t test on groups must agree.
    """
    rows = np.flatnonzero((members | rest) & _compared(members, rest, excess.classes))
    inside = members[rows]
    if inside.sum() < LEAST_IN_FOLD or inside.all():
        return 1.0
    classes, bad = excess.classes[rows], excess.badness[rows]
    if excess.groups is None:
        return _p(inside, bad, classes, 1.0, exact=excess.exact)
    over = excess.over_mean(marked(rows, len(excess.classes)))[rows]
    both = clustered(inside[:, None], over, excess.groups[rows])
    return max(float(both.p[0]), _p(inside, bad, classes, float(both.design[0]), exact=excess.exact))


def _compared(members: Bools, rest: Bools, classes: NDArray[np.int64]) -> Bools:
    """Mark the rows of classes that have both members and others."""
    n = int(classes.max()) + 1
    both = (np.bincount(classes[members], minlength=n) > 0) & (np.bincount(classes[rest], minlength=n) > 0)
    compared: Bools = both[classes]
    return compared


def _p(inside: Bools, bad: Floats, classes: NDArray[np.int64], design: float, *, exact: bool) -> float:
    n_classes = int(classes.max()) + 1
    n = np.bincount(classes, minlength=n_classes)
    m = np.bincount(classes[inside], minlength=n_classes)
    some = n > 0
    if not exact:
        return _rank_p(inside, bad, classes, n, m, design)
    total = np.bincount(classes, weights=bad, minlength=n_classes)
    hits = np.bincount(classes[inside], weights=bad[inside], minlength=n_classes)
    return exact_p_of_design(hits[some], m[some], (total - hits)[some], (n - m)[some], design)


def exact_p_of_design(hits: Counts, members: Counts, misses: Counts, others: Counts, design: float) -> float:
    """Compute `exact_p` of counts (C,) divided by a design effect: errors of members, members, errors of others, and others."""
    counts = [np.floor(one / design).astype(np.int64) for one in (hits, members, misses, others)]
    return exact_p(counts[0], counts[1], counts[0] + counts[2], counts[1] + counts[3])


def exact_p(
    hits: NDArray[np.int64], members: NDArray[np.int64], errors: NDArray[np.int64], n: NDArray[np.int64]
) -> float:
    """Compute the probability of at least as many errors among members, over classes; counts are (C,) each.

    In each class, the errors are a random draw from its n examples.
    """
    from scipy.stats import hypergeom, norm

    kept = (members > 0) & (errors > 0) & (members < n)
    hits, members, errors, n = hits[kept], members[kept], errors[kept], n[kept]
    if not len(n):
        return 1.0
    if len(n) == 1:
        return float(hypergeom.sf(hits[0] - 1, n[0], errors[0], members[0]))
    if errors.sum() > EXACT_UP_TO:
        mean, var = (part.sum() for part in hypergeom.stats(n, errors, members, moments="mv"))
        return float(norm.sf((hits.sum() - 0.5 - mean) / np.sqrt(var)))
    pmf = np.ones(1)
    for size, wrong, inside in zip(n.tolist(), errors.tolist(), members.tolist(), strict=True):
        pmf = np.convolve(pmf, hypergeom.pmf(np.arange(min(wrong, inside) + 1), size, wrong, inside))
    return float(min(1.0, pmf[int(hits.sum()) :].sum()))


def _rank_p(
    inside: Bools, bad: Floats, classes: NDArray[np.int64], n: NDArray[np.intp], m: NDArray[np.intp], design: float
) -> float:
    from scipy.stats import norm

    from slicebench.discovery.holdout.excess import ranks_within

    ranks = ranks_within(bad, classes)
    mean = np.bincount(classes, weights=ranks) / np.maximum(n, 1)
    spread = np.bincount(classes, weights=(ranks - mean[classes]) ** 2) / np.maximum(n - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(n > 1, m * (n - m) / n * spread, 0.0).sum() * design
    above = (ranks - mean[classes])[inside].sum()
    return float(norm.sf(above / np.sqrt(variance))) if variance > 0 else 1.0


def joined_p(p: Sequence[float], n_folds: int) -> float:
    """Join the p of one slice in several folds; folds in which it was not found count as 1.

    It is e times their geometric mean, which is valid however the folds depend on each other (Vovk and Wang 2020, "Combining
    p-values via averaging"). A single fold's p stays as it is. A slice that most folds did not find gets 1.

    >>> round(joined_p([0.001, 0.002, 0.01, 0.02], 5), 3)
    0.036
    """
    if n_folds == 1:
        return p[0]
    if 2 * len(p) <= n_folds:
        return 1.0
    logs = np.log(np.maximum(p, 1e-300)).sum() / n_folds
    return float(min(1.0, np.exp(1 + logs)))
