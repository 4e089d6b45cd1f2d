"""Compare methods over the units of a suite."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.estimate import estimate_of
from slicebench.metrics.statistics import (
    ALPHA,
    FEW_UNITS,
    cliques,
    compare_pairs,
    critical_difference,
    families_needed,
    family_p,
    friedman,
    ranks,
    ranks_without,
    winner_shares,
)
from slicebench.results.board import Comparison, Pair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.metrics.statistics import Interval, PairTest, Sampled


@dataclass(frozen=True, eq=False)
class Compared:
    """The comparison, and its values for the rows of methods.

    `behind` are the methods that a test over families separates from the best, if there are enough families for a verdict.
    """

    comparison: Comparison
    rank: dict[str, float]
    rank_range: dict[str, tuple[float, float]]
    wins: dict[str, float]
    behind: frozenset[str]


def compare(
    field: Sequence[str],
    units: Mapping[str, Sequence[str]],
    families: Sequence[str],
    sampled: Mapping[str, Mapping[str, Sampled]],
    intervals: Mapping[str, Mapping[str, Interval]],
    unit: str,
) -> Compared:
    """Compare the methods `field` over `units`, each of which is a list of problems.

    `families` names the dataset family of each unit. `sampled` and `intervals` hold nAMF by
    problem, then method; a method without an entry has a missing cell.
    """
    table = np.array([[_unit_mean(sampled, method, problems) for method in field] for problems in units.values()])
    mean_ranks, (least, most) = ranks(table).mean(axis=0), ranks_without(table, families)
    pairs = compare_pairs(table)
    complete = [m for c, m in enumerate(field) if not np.isnan(table[:, c]).any()]
    comparison = _comparison(field, table, families, mean_ranks, pairs, unit)
    return Compared(
        comparison=comparison,
        rank=dict(zip(field, mean_ranks.tolist(), strict=True)),
        rank_range=dict(zip(field, zip(least.tolist(), most.tolist(), strict=True), strict=True)),
        wins=_wins(complete, list(units.values()), intervals),
        behind=frozenset() if comparison.too_few else _behind_best(field, table, comparison.pairs),
    )


def _unit_mean(sampled: Mapping[str, Mapping[str, Sampled]], method: str, problems: Sequence[str]) -> float:
    return float(np.mean([sampled[p][method].mean if method in sampled[p] else np.nan for p in problems]))


def _wins(
    complete: Sequence[str], units: Sequence[Sequence[str]], intervals: Mapping[str, Mapping[str, Interval]]
) -> dict[str, float]:
    if not complete:
        return {}
    draws = np.array([[np.mean([intervals[p][m].draws for p in own], axis=0) for m in complete] for own in units])
    return dict(zip(complete, winner_shares(draws).tolist(), strict=True))


def _comparison(
    field: Sequence[str],
    table: NDArray[np.float64],
    families: Sequence[str],
    mean_ranks: NDArray[np.float64],
    pairs: Sequence[PairTest],
    unit: str,
) -> Comparison:
    units, methods = table.shape
    by_family: Sequence[float | None] = family_p(table, families, pairs) or [None] * len(pairs)
    ends = [(pair.difference.low, pair.difference.high) for pair in pairs]
    halves = [(high - low) / 2 for low, high in ends if low is not None and high is not None]
    found, several = friedman(table), len(set(families))
    return Comparison(
        unit=unit,
        units=units,
        test="exact sign-flip" if units < FEW_UNITS else "Wilcoxon signed-rank",
        friedman_p=found.p,
        friedman_how=found.how,
        too_few=_too_few(several, len(pairs)),
        critical_difference=critical_difference(methods, units) if methods > 1 else None,
        cliques=tuple(tuple(field[c] for c in clique) for clique in cliques(mean_ranks, pairs)),
        pairs=tuple(
            Pair(
                a=field[pair.a],
                b=field[pair.b],
                difference=estimate_of(pair.difference),
                p=pair.p,
                p_holm=pair.p_holm,
                p_families=over_families,
                a_better=pair.a_better,
                b_better=pair.b_better,
            )
            for pair, over_families in zip(pairs, by_family, strict=True)
        ),
        resolvable=median(halves) if halves else None,
    )


def _too_few(families: int, pairs: int) -> str | None:
    """Say, as a sentence without its end, why no verdict is possible; None if it is."""
    needed = families_needed(pairs)
    if families >= needed:
        return None
    return (
        f"Too few families to tell which methods differ on others: {families} of the {needed} that "
        f"{pairs} pair{'s' * (pairs != 1)} of methods need"
    )


def _behind_best(field: Sequence[str], table: NDArray[np.float64], pairs: Sequence[Pair]) -> frozenset[str]:
    """Return the methods that are separated from the best complete one by mean, over families and after Holm."""
    means = np.where(np.isnan(table).any(axis=0), -np.inf, table.mean(axis=0))
    best = field[int(means.argmax())]
    apart = [p for p in pairs if best in (p.a, p.b) and p.p_families is not None and p.p_families < ALPHA]
    return frozenset(p.a if p.b == best else p.b for p in apart)
