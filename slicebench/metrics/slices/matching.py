"""Match slices with planted groups: P@K, the best slice, its chance level, split-half matching.

Tied examples count by expectation; a membership of 0 and 1 is one large tie. `sklearn_ap` is kept beside, for comparison with
dcbench.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.ranking import Ranking, average_precision, sklearn_ap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


TOP = 10
"""K of the main metric, P@10."""

DECIMALS = 12
"""Values of AP that are equal to so many decimals are equal; the first slice is then the best."""

SPLITS = 5
"""Number of random half splits that the main metric averages over, each in both directions."""


def precision_at(soft: NDArray[np.floating], groups: Bools, top: int) -> Floats:
    """Compute P@`top` of every slice for every group, shape (..., k, g).

    The arrays have shapes (..., n, k) and (..., n, g); NaN where n < `top`.
    """
    n, k = soft.shape[-2:]
    if n < top:
        return np.full((*soft.shape[:-2], k, groups.shape[-1]), np.nan)
    cut = np.partition(soft, n - top, axis=-2)[..., n - top : n - top + 1, :]
    above, tied = soft > cut, soft == cut
    share = (top - above.sum(axis=-2)) / tied.sum(axis=-2)
    members = np.swapaxes(groups, -1, -2).astype(np.float64)
    found: Floats = (members @ above + (members @ tied) * share[..., None, :]) / top
    return np.swapaxes(found, -1, -2)


def ap_tables(soft: NDArray[np.floating], groups: Bools) -> dict[str, Floats]:
    """Compute the average precision of every slice for every group, (k, g) each: ties by expectation, and as scikit-learn.

    Every group must have a member.
    """
    rankings = [Ranking.of(column, group) for column in soft.T for group in groups.T]
    found = {"ap": map(average_precision, rankings), "ap_sklearn": map(sklearn_ap, rankings)}
    shape = soft.shape[1], groups.shape[1]
    return {name: np.array(list(values), dtype=np.float64).reshape(shape) for name, values in found.items()}


def f1_table(hard: Bools, groups: Bools) -> Floats:
    """Compute F1 of every slice's members for every group, shape (k, g).

    Every group must have a member.
    """
    shared = hard.T.astype(np.float64) @ groups
    found: Floats = 2 * shared / (hard.sum(axis=0)[:, None] + groups.sum(axis=0))
    return found


def slice_tables(soft: NDArray[np.floating], hard: Bools, groups: Bools) -> dict[str, Floats]:
    """Compute P@10, P@25, AP (also as scikit-learn does) and F1 of every slice for every group, (k, g) each."""
    return {
        "p_at_10": precision_at(soft, groups, 10),
        "p_at_25": precision_at(soft, groups, 25),
        **ap_tables(soft, groups),
        "f1": f1_table(hard, groups),
    }


def best_slices(tables: dict[str, Floats]) -> dict[str, Floats]:
    """Return every table's entries of the slice with the highest AP of each group, (g,) each.

    dcbench calls it the best slice.
    """
    best = tables["ap"].round(DECIMALS).argmax(axis=0)
    return {name: table[best, np.arange(len(best))] for name, table in tables.items()}


def with_complements(soft: NDArray[np.floating], hard: Bools) -> tuple[NDArray[np.floating], Bools]:
    """Return the slices followed by their complements, for comparison with dcbench only.

    dcbench counts both, and the numbers in Domino's paper come from it.
    """
    return np.concatenate([soft, 1 - soft], axis=1), np.concatenate([hard, ~hard], axis=1)


@lru_cache(maxsize=4096)
def expected_best(n: int, members: int, slices: int, top: int = TOP) -> float:
    """Compute E0, the expected largest P@`top` of independent random rankings.

    There are `slices` rankings of n examples, `members` of which belong to the group.

    It is the sum of 1 - P(all draw at most x) over x < `top`, for hypergeometric draws, divided by
    `top`, which must not exceed n.
    """
    from scipy.special import binom

    x = np.arange(top)
    below = np.cumsum(binom(members, x) * binom(n - members, top - x) / binom(n, top))
    return float((1 - np.minimum(below, 1) ** slices).sum() / top)


def halves(groups: Bools, splits: int = SPLITS, seed: int = 0) -> NDArray[np.intp]:
    """Return the rows of both halves of random splits, each group divided evenly.

    The shape is (splits, 2, n // 2).
    """
    _, kind = np.unique(groups @ 2.0 ** np.arange(groups.shape[1]), return_inverse=True)
    orders = np.argsort(kind + np.random.default_rng(seed).random((splits, len(groups))), axis=1)
    half = len(groups) // 2
    return np.stack([orders[:, 0 : 2 * half : 2], orders[:, 1 : 2 * half : 2]], axis=1)


def matched(table: Floats) -> NDArray[np.intp]:
    """Match each group with one slice so that the sum over `table` (k, g) is largest; shape (g,).

    A group without a slice gets -1.
    """
    from scipy.optimize import linear_sum_assignment

    slice_of = np.full(table.shape[1], -1)
    slices, groups = linear_sum_assignment(table, maximize=True)
    slice_of[groups] = slices
    return slice_of


def split_half(soft: NDArray[np.floating], groups: Bools, splits: int = SPLITS, seed: int = 0) -> tuple[Floats, Floats]:
    """Compute P@10 and κ@10 of each group's slice, (g,) each.

    Slices are matched in one half of the examples and scored in the other.

    The Hungarian method matches on P@10, the score itself. A group without a slice scores chance,
    its share of the half. The result is averaged over both directions of `splits` random splits.
    κ@10 is P@10 on a scale on which chance is 0 and the best possible value is 1.

    The score does not grow by chance with the number of slices. The highest P@10 of m slices on the
    same examples grows with m.
    """
    parts = halves(groups, splits, seed).reshape(2 * splits, -1)
    inside = groups[parts]
    table, base = precision_at(soft[parts], inside, TOP), inside.mean(axis=1)
    precision = np.full_like(base, np.nan)
    if inside.shape[1] >= TOP:
        for part, found in enumerate(table):
            slice_of, other = matched(found), part ^ 1
            precision[other] = np.where(slice_of >= 0, table[other, slice_of, np.arange(len(slice_of))], base[other])
    room = np.minimum(1.0, inside.sum(axis=1) / TOP) - base
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = np.where(room > 0, (precision - base) / room, np.nan)
    return mean_known(precision), mean_known(kappa)


def mean_known(values: Floats) -> Floats:
    """Average over the first axis without NaN values; NaN where all values are NaN."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return mean
