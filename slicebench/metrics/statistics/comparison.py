"""Compare methods over independent units: the families of datasets, or their variants.

A table holds a row per unit and a column per method: mean nAMF, NaN where a method has no result. Values that differ by less than
`DUST` are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.statistics.bootstrap import DRAWS, DUST, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


ALPHA = 0.05
FEW_UNITS = 10
"""Fewer units are compared with the exact sign-flip test, others with Wilcoxon's signed ranks."""

FEW_METHODS = 5
"""Friedman's test of fewer methods, or over fewer than `FEW_UNITS` units, permutes the ranks within units."""

PERMUTATIONS = 9999
"""All permutations are taken if there are no more than these, else as many random ones."""


@dataclass(frozen=True)
class Friedman:
    """Friedman's test: p, and how it is computed; `p` is None if there is none, and `how` says why."""

    p: float | None
    how: str


@dataclass(frozen=True, eq=False)
class PairTest:
    """Comparison of columns `a` and `b` of a table over the units.

    `difference` is the mean difference, `p_holm` is p after Holm's correction over all pairs.
    """

    a: int
    b: int
    difference: Interval
    p: float
    p_holm: float
    a_better: int
    b_better: int
    units: int
    """Number of units that both methods have."""


def ranks(table: Floats) -> Floats:
    """Rank the methods on each unit, best 1, ties their mean; shape (U, M).

    A missing cell takes the worst rank.
    """
    from scipy.stats import rankdata

    found: Floats = rankdata(np.where(np.isnan(table), np.inf, -_clean(table)), axis=1)
    return np.where(np.isnan(table), float(table.shape[1]), found)


def _clean(values: Floats) -> Floats:
    """Return values that are equal where they differ by rounding errors only."""
    cleaned: Floats = np.round(values / DUST) * DUST
    return cleaned


def ranks_without(table: Floats, families: Sequence[str]) -> tuple[Floats, Floats]:
    """Return each method's lowest and highest mean rank, (M,) each, with one family left out.

    Each family is left out in turn; `families` (U,) are names.
    """
    per_unit, names = ranks(table), np.array(families)
    left = [per_unit[names != name].mean(axis=0) for name in dict.fromkeys(families) if (names != name).any()]
    found = np.array(left or [per_unit.mean(axis=0)])
    return found.min(axis=0), found.max(axis=0)


def holm(p: Floats) -> Floats:
    """Apply Holm's step-down correction, shape (m,); m may be 0.

    statsmodels' `multipletests` is not used: it collects garbage on every call, which takes 40 ms,
    hundreds of times the rest.
    """
    order, m = np.argsort(p), len(p)
    corrected = np.empty(m)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(m, 0, -1)), 1.0)
    return corrected


def compare_pairs(
    table: Floats, units: Sequence[str] | None = None, *, seed: int = 0, draws: int = DRAWS
) -> list[PairTest]:
    """Test every pair of methods over the units that both have, at least two.

    `table` has a row per unit or, if `units` names the unit of each row, per problem: a unit is then the mean over
    those of its problems that both methods have. Holm's correction is over all pairs.
    """
    both = list(combinations(range(table.shape[1]), 2))
    apart = differences(table, range(len(table)) if units is None else units, both)
    found = [(pair, d) for pair, column in zip(both, apart.T, strict=True) if len(d := column[~np.isnan(column)]) > 1]
    raw = [paired_p(d) for _, d in found]
    corrected = holm(np.array(raw))
    return [
        PairTest(
            a=a,
            b=b,
            difference=interval_over_units(d, seed=seed, draws=draws),
            p=p,
            p_holm=float(holm),
            a_better=int((d > 0).sum()),
            b_better=int((d < 0).sum()),
            units=len(d),
        )
        for ((a, b), d), p, holm in zip(found, raw, corrected, strict=True)
    ]


def differences(table: Floats, units: Sequence[object], pairs: Sequence[tuple[int, int]]) -> Floats:
    """Return the mean difference of each pair of columns over the rows of each unit that both have, (U, pairs).

    NaN where a unit has no such row.
    """
    names = list(dict.fromkeys(units))
    own = np.array([[unit == name for unit in units] for name in names], dtype=np.float64).reshape(
        len(names), len(table)
    )
    a, b = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    apart = table[:, a] - table[:, b]
    counts = own @ ~np.isnan(apart)
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN of a unit without rows
        return _clean(own @ np.nan_to_num(apart) / counts)


def paired_p(differences: Floats) -> float:
    """Compute the two-sided p of the hypothesis that `differences` (U,) are symmetric about 0.

    The test uses signed ranks, or all sign flips of the mean if fewer than `FEW_UNITS` differences
    are not 0. Zero differences keep their ranks (Pratt). With zeros or ties, SciPy approximates the
    distribution of the signed ranks, which needs that many others.
    """
    from scipy.stats import permutation_test, wilcoxon

    cleaned = _clean(differences)
    moved = cleaned[cleaned != 0]
    if len(moved) < 2:
        return 1.0
    if len(moved) >= FEW_UNITS:
        return float(wilcoxon(cleaned, zero_method="pratt").pvalue)
    test = permutation_test((moved,), np.mean, permutation_type="samples", n_resamples=np.inf, axis=0)
    return float(test.pvalue)


def family_p(table: Floats, families: Sequence[str], pairs: Sequence[PairTest]) -> list[float | None]:
    """Compute p of each of `pairs` by Student's t over the means of families, Holm-corrected.

    `table` and the families of its rows are those of `compare_pairs`. None for a pair with fewer than three families.

    Units of one family may favour the same methods. Their differences are then not independent, and
    tests over units reject too often if the claim is about other families. Here each family counts
    once.
    """
    from scipy.stats import t

    apart = differences(table, families, [(pair.a, pair.b) for pair in pairs])
    count = (~np.isnan(apart)).sum(axis=0)
    able = np.flatnonzero(count > 2)
    apart, n = apart[:, able], count[able]
    same = np.nanmax(apart, axis=0) == np.nanmin(apart, axis=0)  # t is 0/0, or infinite: nothing can be said
    error = np.where(same, 1.0, np.nanstd(apart, axis=0, ddof=1)) / np.sqrt(n)
    raw = np.where(same, 1.0, 2 * t.sf(np.abs(np.nanmean(apart, axis=0)) / error, n - 1))
    found: list[float | None] = [None] * len(pairs)
    for pair, p in zip(able.tolist(), holm(raw).tolist(), strict=True):
        found[pair] = p
    return found


def interval_over_units(values: Floats, *, seed: int = 0, draws: int = DRAWS) -> Interval:
    """Return the 95 % interval of the mean of `values` (U,), U ≥ 2, over the units' population.

    The units are taken as a sample of that population. Below `FEW_UNITS` the interval is Student's, since resamples of two units
    have three means.
    """
    u = len(values)
    resampled = values[np.random.default_rng([seed, u]).integers(u, size=(draws, u))].mean(axis=1)
    error = float(values.std(ddof=1)) / np.sqrt(u)
    return Interval.of(float(values.mean()), resampled, error, u - 1, shaped=u >= FEW_UNITS)


def friedman(table: Floats) -> Friedman:
    """Test the hypothesis that all methods without missing cells rank alike.

    The p is that of Iman and Davenport (1980), or of permutations within units if there are few units or methods: their form
    rejects up to 20 % of 3 methods over 2 to 5 units that rank alike.
    """
    complete = table[:, ~np.isnan(table).any(axis=0)]
    u, m = complete.shape
    if u < 2:
        return Friedman(None, "no test: there is one unit")
    if m < 3:
        return Friedman(None, "no test: fewer than three methods have every unit")
    per_unit = ranks(complete)
    if u < FEW_UNITS or m < FEW_METHODS:
        return Friedman(_permuted_p(per_unit), "permutations of the ranks within units")
    return Friedman(_iman_davenport_p(per_unit), "Iman and Davenport's form")


def _permuted_p(per_unit: Floats) -> float:
    """Compute the share of permutations of ranks (U, M) within units with mean ranks at least as far apart."""
    from scipy.stats import permutation_test

    test = permutation_test(
        tuple(per_unit.T),
        lambda *columns, axis: np.var([c.mean(axis=axis) for c in columns], axis=0),
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=1000,
        alternative="greater",
        random_state=np.random.default_rng(0),
    )
    return float(test.pvalue)


def _iman_davenport_p(per_unit: Floats) -> float:
    """Compute the p of Friedman's test of ranks (U, M) by the F distribution."""
    from scipy.stats import f

    u, m = per_unit.shape
    between = u * ((per_unit.mean(axis=0) - (m + 1) / 2) ** 2).sum()
    within = ((per_unit - (m + 1) / 2) ** 2).sum() / (u * (m - 1))  # m (m + 1) / 12 without ties
    chi2 = between / within if within > 0 else 0.0
    rest = u * (m - 1) - chi2  # 0 up to rounding where all units rank alike; F is infinite then
    return float(f.sf((u - 1) * chi2 / rest, m - 1, (m - 1) * (u - 1))) if rest > 1e-9 else 0.0


def critical_difference(methods: int, units: int) -> float:
    """Compute Nemenyi's critical difference of mean ranks at α = .05 (Demšar 2006).

    It is for display only.

    >>> round(critical_difference(6, 6), 2), round(critical_difference(6, 20), 2)
    (3.08, 1.69)
    """
    from scipy.stats import studentized_range

    q = studentized_range.ppf(1 - ALPHA, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * units)))


def families_needed(pairs: int) -> int:
    """Return the least number of families that can separate one of so many pairs, after Holm, whatever their differences.

    All F families must favour one method; by chance, they do so with probability 2 / 2^F.

    >>> families_needed(1), families_needed(15), families_needed(210)
    (6, 10, 14)
    """
    return int(np.ceil(1 + np.log2(max(pairs, 1) / ALPHA)))


def cliques(mean_ranks: Floats, pairs: Sequence[PairTest]) -> list[tuple[int, ...]]:
    """Find the largest runs of methods, by mean rank, that no test separates after Holm.

    The best run comes first.
    """
    apart = {frozenset((pair.a, pair.b)) for pair in pairs if pair.p_holm < ALPHA}
    members = sorted({column for pair in pairs for column in (pair.a, pair.b)}, key=lambda c: (mean_ranks[c], c))
    found: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(members)):
        stop = start + 1
        while stop < len(members) and not any(frozenset((m, members[stop])) in apart for m in members[start:stop]):
            stop += 1
        if stop > reached and stop - start > 1:
            found.append(tuple(members[start:stop]))
        reached = max(reached, stop)
    return found


def winner_shares(draws: NDArray[np.float64], *, seed: int = 0) -> Floats:
    """Compute the share of the draws in which each method has the best mean, (M,).

    `draws` (U, M, B) are bootstrap values per unit.

    The units are resampled too, so the shares also apply to other units of their kind. Tied methods
    share a draw.
    """
    u, _, b = draws.shape
    counts = np.random.default_rng([seed, u, b]).multinomial(u, np.full(u, 1 / u), size=b)
    means = np.einsum("bu,umb->mb", counts, draws) / u
    # equal means may differ in their last bits
    best = np.isclose(means, means.max(axis=0), rtol=0, atol=DUST)
    shares: Floats = (best / best.sum(axis=0)).mean(axis=1)
    return shares
