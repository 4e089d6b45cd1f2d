"""Simulate leaderboards at the edges of the statistics: near the ceiling, few seeds, few units, equal values.

    python scripts/regenerate/simulate_edges.py [--jobs 2]      ten minutes on two cores

Fills the table of edges of docs/concepts/statistics.md.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from caption_figures import fill
from simulate_statistics import PAGE, covered_cells

from slicebench.metrics.statistics import (
    ALPHA,
    compare_pairs,
    families_needed,
    family_p,
    friedman,
    interval_over_seeds,
    interval_over_units,
)
from slicebench.results.markdown import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.metrics.statistics import PairTest

    Floats = NDArray[np.float64]

TRIALS = 2000
CEILING = 2.5
"""Standard deviations between minority and majority where a method is near the ceiling (nAMF 0.91)."""


class Row(NamedTuple):
    """A scenario and what 95 % intervals cover or tests at 5 % reject in it, each as a share of the trials with a verdict.

    `without` is the share of trials without interval or p.
    """

    scenario: str
    covers: tuple[float, ...] = ()
    rejects: tuple[float, ...] = ()
    without: float = 0.0


def cells(seeds: int, n: int, spread: float, shift: float, trials: int) -> Row:
    """Cover nAMF on one problem, and the difference of two methods."""
    found = covered_cells(seeds, n, spread, trials, shift=shift)
    where = "near the ceiling" if shift == CEILING else "far from the ceiling"
    scenario = (
        f"one problem {where}, {seeds} seed{'s' * (seeds > 1)}, {n} examples, spread {spread:g}: nAMF, difference"
    )
    return Row(scenario, covers=(float(found["interval"]), float(found["difference"])))


def drawn(rng: np.random.Generator, size: tuple[int, ...], kind: str) -> Floats:
    """Draw values of mean 0, or with the kind "ceiling" values that are cut at 1."""
    if kind == "ceiling":
        return np.minimum(1.0, 0.98 + 0.05 * rng.standard_normal(size))
    return rng.standard_normal(size) if kind == "normal" else rng.exponential(1.0, size) - 1


def two_units(kind: str, trials: int) -> Row:
    """Cover the difference of a pair of methods over two units."""
    rng, hits = np.random.default_rng(1), []
    for _ in range(trials):
        values = drawn(rng, (2, 2), kind)
        one = interval_over_units(values[:, 0] - values[:, 1], draws=10)
        if one.low is not None and one.high is not None:
            hits.append(one.low <= 0 <= one.high)
    return Row(f"a pair over two units, {kind}", covers=(float(np.mean(hits)),), without=1 - len(hits) / trials)


def friedman_of_few(units: int, methods: int, trials: int) -> Row:
    """Reject that equal methods rank alike."""
    rng = np.random.default_rng([units, methods])
    found = [friedman(rng.normal(size=(units, methods))).p for _ in range(trials)]
    rejected = [p <= ALPHA for p in found if p is not None]
    return Row(f"Friedman, {units} units, {methods} methods", rejects=(float(np.mean(rejected)),))


def missing(methods: int, trials: int) -> Row:
    """Two methods miss one of two units: some pair is separated, Friedman rejects, an interval covers."""
    rng, separated, rejected, hits = np.random.default_rng(methods), 0, [], []
    for _ in range(trials):
        values = rng.normal(size=(2, methods))
        values[rng.integers(2), :2] = np.nan
        pairs, p = compare_pairs(values, draws=10), friedman(values).p
        separated += any(pair.p_holm < ALPHA for pair in pairs)
        rejected += [] if p is None else [p <= ALPHA]
        ends = pairs[0].difference
        hits.append(ends.low is not None and ends.high is not None and ends.low <= 0 <= ends.high)
    rejects = (separated / trials, *([float(np.mean(rejected))] if rejected else []))
    name = "pair, Friedman" if rejected else "pair (Friedman: no test)"
    scenario = f"two of {methods} methods miss one of two units: {name}"
    return Row(scenario, (float(np.mean(hits)),), rejects)


def dust(units: int, trials: int) -> Row:
    """Values that differ by some 1e-16: pairs (sign flips or Wilcoxon), Friedman, families.

    A tenth of the trials: all are alike once such differences are 0.
    """
    trials = max(trials // 10, 1)
    rng, names, found = np.random.default_rng(units), [str(i) for i in range(units)], np.zeros(3)
    intervals = 0
    for _ in range(trials):
        values = rng.random((units, 1)) + 1e-16 * rng.integers(-3, 4, (units, 4))
        pairs, p = compare_pairs(values, draws=10), friedman(values).p
        found += [
            any(pair.p <= ALPHA for pair in pairs),
            p is not None and p <= ALPHA,
            least_p(values, names, pairs) <= ALPHA,
        ]
        intervals += any(pair.difference.low is not None for pair in pairs)
    scenario = f"differences of 1e-16, {units} units: pair, Friedman, families"
    return Row(scenario, rejects=tuple((found / trials).tolist()), without=1 - intervals / trials)


def equal_seeds(problems: int, trials: int) -> Row:
    """Two seeds on a grid, so that their values are often equal: the mean over problems."""
    rng, hits = np.random.default_rng(problems), []
    for _ in range(trials):
        values = np.round(rng.normal(0.7, 0.03, (problems, 2)) / 0.02) * 0.02
        _, low, high = interval_over_seeds(values.tolist())
        if low is not None and high is not None:
            hits.append(low <= 0.7 <= high)
    scenario = f"two seeds with values in steps of 0.02, {problems} problem{'s' * (problems > 1)}"
    return Row(scenario, covers=(float(np.mean(hits)),), without=1 - len(hits) / trials)


def least_p(table: NDArray[np.float64], names: Sequence[str], pairs: Sequence[PairTest]) -> float:
    """Return the least p over families of any pair; 1 if there is none."""
    return min((p for p in family_p(table, names, pairs) if p is not None), default=1.0)


def over_families(families: int, kind: str, trials: int) -> Row:
    """Some of six pairs of equal methods is separated over families; without: too few for the mark `↓`."""
    rng, names = np.random.default_rng(families), [str(i) for i in range(families)]
    pairs = compare_pairs(np.zeros((families, 4)), draws=2)  # which columns; the test over units is not needed
    tables = [drawn(rng, (families, 4), kind) for _ in range(trials)]
    found = [least_p(one, names, pairs) <= ALPHA for one in tables]
    scenario = f"p over {families} families, 4 methods, {kind}"
    return Row(scenario, rejects=(float(np.mean(found)),), without=float(families < families_needed(6)))


Scenario = tuple["Callable[..., Row]", tuple[float | str, ...]]

SCENARIOS: tuple[Scenario, ...] = (
    (cells, (3, 400, 0.0, CEILING)),
    (cells, (3, 400, 0.15, CEILING)),
    (cells, (1, 400, 0.0, CEILING)),
    (cells, (1, 400, 0.0, 0.7)),
    *((two_units, (kind,)) for kind in ("normal", "skewed", "ceiling")),
    *((friedman_of_few, (units, methods)) for units in (2, 3, 4, 5) for methods in (3, 4)),
    *((missing, (methods,)) for methods in (4, 5, 6)),
    *((dust, (units,)) for units in (2, 12, 23)),
    *((equal_seeds, (problems,)) for problems in (1, 4, 22)),
    *((over_families, (families, kind)) for families in (3, 5, 10) for kind in ("normal", "skewed", "ceiling")),
)


def simulated(scenario: Scenario) -> Row:
    """Run one scenario."""
    function, arguments = scenario
    found = function(*arguments, TRIALS)
    print(found, flush=True)
    return found


def edges_table(rows: Sequence[Row]) -> str:
    """Return the Markdown table of the rows."""
    shown = [
        [row.scenario, _shares(row.covers), _shares(row.rejects), f"{100 * row.without:.0f}%" if row.without else "–"]
        for row in rows
    ]
    return table(["scenario", "interval covers", "test rejects", "no verdict"], shown)


def _shares(values: Sequence[float]) -> str:
    return ", ".join(f"{100 * value:.1f}%" for value in values) or "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    with ProcessPoolExecutor(parser.parse_args().jobs) as pool:
        fill(PAGE, "edges", edges_table(list(pool.map(simulated, SCENARIOS))))


if __name__ == "__main__":
    main()
