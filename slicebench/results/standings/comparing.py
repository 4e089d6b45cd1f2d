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
    from collections.abc import Container, Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.metrics.statistics import Interval, Sampled


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


@dataclass(frozen=True)
class Placed:
    """A problem, its unit of comparison, and its family."""

    name: str
    unit: str
    family: str


def compare(
    field: Sequence[str],
    problems: Sequence[Placed],
    sampled: Mapping[str, Mapping[str, Sampled]],
    intervals: Mapping[str, Mapping[str, Interval]],
    unit: str,
    unpaired: Container[str] = (),
) -> Compared:
    """Compare the methods `field` over the units of `problems`.

    `sampled` and `intervals` hold nAMF by problem, then method; a method without an entry has a missing cell. Ranks
    want every problem of a unit. A pair of methods is compared on the problems that both have, unless one of them is
    `unpaired`.
    """
    table = np.array(
        [[sampled[one.name][m].mean if m in sampled[one.name] else np.nan for m in field] for one in problems]
    )
    units = {one.unit: one.family for one in problems}
    by_unit = np.array([table[[one.unit == name for one in problems]].mean(axis=0) for name in units])
    families = list(units.values())
    mean_ranks, (least, most) = ranks(by_unit).mean(axis=0), ranks_without(by_unit, families)
    complete = [m for c, m in enumerate(field) if not np.isnan(table[:, c]).any()]
    paired = np.where([m in unpaired for m in field], np.nan, table)
    comparison = _comparison(field, paired, problems, by_unit, mean_ranks, unit)
    return Compared(
        comparison=comparison,
        rank=dict(zip(field, mean_ranks.tolist(), strict=True)),
        rank_range=dict(zip(field, zip(least.tolist(), most.tolist(), strict=True), strict=True)),
        wins=_wins(complete, [[one.name for one in problems if one.unit == name] for name in units], intervals),
        behind=frozenset() if comparison.too_few else _behind_best(field, by_unit, comparison.pairs),
    )


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
    problems: Sequence[Placed],
    by_unit: NDArray[np.float64],
    mean_ranks: NDArray[np.float64],
    unit: str,
) -> Comparison:
    """Test the columns of `table`, which has a row per problem; `by_unit` has a row per unit, with whole units only."""
    units, methods = by_unit.shape
    families = [one.family for one in problems]
    pairs = compare_pairs(table, [one.unit for one in problems])
    by_family = family_p(table, families, pairs)
    whole = [pair for pair in pairs if not np.isnan(table[:, [pair.a, pair.b]]).any()]
    ends = [(pair.difference.low, pair.difference.high) for pair in pairs]
    halves = [(high - low) / 2 for low, high in ends if low is not None and high is not None]
    found, several = friedman(by_unit), len(set(families))
    return Comparison(
        unit=unit,
        units=units,
        test="exact sign-flip" if units < FEW_UNITS else "Wilcoxon signed-rank",
        friedman_p=found.p,
        friedman_how=found.how,
        too_few=_too_few(several, len(pairs)),
        critical_difference=critical_difference(methods, units) if methods > 1 else None,
        cliques=tuple(tuple(field[c] for c in clique) for clique in cliques(mean_ranks, whole)),
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
                units=pair.units,
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
    if np.isinf(means).all():
        return frozenset()
    best = field[int(means.argmax())]
    apart = [p for p in pairs if best in (p.a, p.b) and p.p_families is not None and p.p_families < ALPHA]
    return frozenset(p.a if p.b == best else p.b for p in apart)
