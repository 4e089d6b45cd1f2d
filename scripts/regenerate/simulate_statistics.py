"""Simulate leaderboards of known truth, to check the coverage of intervals and the level of tests.

    python scripts/regenerate/simulate_statistics.py [leaderboard/standard-1] [--only PART]      forty minutes on one core

Fills the marked tables of docs/concepts/statistics.md. With a leaderboard it also computes how large a
difference its suite can resolve.
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from caption_figures import fill

from slicebench.metrics.statistics import (
    ALPHA,
    SeedScores,
    compare_pairs,
    friedman,
    interval_of_mean,
    interval_over_units,
    sampled_problem,
)
from slicebench.results.markdown import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "statistics.md"
SHIFT, MINORITY, CLASSES = 0.7, 0.2, 2
TRIALS = 1000


def one_seed(rng: np.random.Generator, n: int, spread: float, methods: int = 1, shift: float = SHIFT) -> SeedScores:
    """Draw test examples of one seed; the minority's hardness is shifted by an amount that differs from model to model.

    `shift` is its mean and `spread` its standard deviation over seeds. Methods share half of the
    noise, as on paired test sets.
    """
    labels, minority = np.arange(n) % CLASSES, rng.random(n) < MINORITY
    shared, drawn = rng.normal(size=n), rng.normal()
    hardness = {}
    for m in range(methods):
        noise = np.sqrt(0.5) * (shared + rng.normal(size=n))
        own = np.sqrt(0.5) * (drawn + rng.normal())
        hardness[f"m{m}"] = noise + (shift + spread * own) * minority
    return SeedScores(labels, minority, hardness)


@lru_cache
def true_namf(n: int, spread: float, seeds: int = 8000, shift: float = SHIFT) -> float:
    """Compute the mean nAMF over many seeds."""
    rng = np.random.default_rng(0)
    found = [sampled_problem([one_seed(rng, n, spread, shift=shift)], 0, draws=1)["m0"].mean for _ in range(seeds)]
    return float(np.mean(found))


def covered_cells(
    seeds: int, n: int, spread: float, trials: int, draws: int = 400, shift: float = SHIFT
) -> dict[str, float]:
    """Measure the coverage of 95% intervals of a mean, plain percentile intervals and a difference, and the width."""
    truth, rng = true_namf(n, spread, shift=shift), np.random.default_rng([seeds, n, round(1000 * spread)])
    hits = {"interval": 0, "percentile": 0, "difference": 0}
    width = 0.0
    for trial in range(trials):
        found = sampled_problem([one_seed(rng, n, spread, 2, shift) for _ in range(seeds)], trial, draws=draws)
        one, apart = interval_of_mean([found["m0"]]), interval_of_mean([found["m0"] - found["m1"]])
        low, high = np.quantile(found["m0"].draws(), [0.025, 0.975])
        hits["interval"] += one.low <= truth <= one.high
        hits["percentile"] += low <= truth <= high
        hits["difference"] += apart.low <= 0 <= apart.high
        width += one.high - one.low
    return {key: value / trials for key, value in hits.items()} | {"width": width / trials}


def covered_means(problems: int, seeds: int, n: int, spread: float, trials: int) -> float:
    """Measure the coverage of the interval of a mean over problems."""
    truth, rng = true_namf(n, spread), np.random.default_rng([problems, seeds, n])
    hits = 0
    for trial in range(trials):
        parts = [
            sampled_problem([one_seed(rng, n, spread) for _ in range(seeds)], problems * trial + p, draws=100)["m0"]
            for p in range(problems)
        ]
        one = interval_of_mean(parts)
        hits += one.low <= truth <= one.high
    return hits / trials


def leaderboard(
    rng: np.random.Generator, units: int, methods: int, *, better: float = 0.0, skewed: bool = False, families: int = 0
) -> Floats:
    """Draw a table (units, methods) of mean nAMF with equal methods, except that the first is ahead by `better`.

    With `families`, the units belong to that many families, and half the variance of a method's
    effect is the family's.
    """
    draw = (lambda size: rng.exponential(1, size) - 1) if skewed else rng.standard_normal
    own = draw((units, methods))
    if families:
        shared = draw((families, methods))[np.arange(units) % families]
        own = np.sqrt(0.5) * (own + shared)
    found: Floats = 0.5 + 0.15 * draw((units, 1)) + 0.1 * own
    found[:, 0] += better
    return found


def false_alarms(units: int, methods: int, trials: int, **options: float) -> dict[str, float]:
    """Measure how often a leaderboard of equals separates a pair, how often Friedman rejects, and coverage over units.

    With `better`, the first method is ahead, and only pairs of the others count.
    """
    rng = np.random.default_rng([units, methods, len(options)])
    alarms = rejected = covered = 0
    for _ in range(trials):
        found = leaderboard(rng, units, methods, **options)
        pairs = compare_pairs(found, draws=10)
        equals = [pair for pair in pairs if not options.get("better") or 0 not in (pair.a, pair.b)]
        alarms += any(pair.p_holm < ALPHA for pair in equals)
        p = friedman(found).p
        rejected += p is not None and p < ALPHA
        apart = interval_over_units(found[:, -1] - found[:, -2], draws=1000)
        covered += apart.low <= 0 <= apart.high
    return {"alarms": alarms / trials, "friedman": rejected / trials, "covered": covered / trials}


def power(values: Floats, ahead: float, trials: int = 300) -> float:
    """Measure the mean share of other methods from which a method that is `ahead` of all is separated, by resampling.

    `values` (U, M) is a real table. Its columns are centred, which leaves the scatter of the units
    without differences.
    """
    rng = np.random.default_rng(round(1e4 * ahead))
    equal = values - values.mean(axis=0) + values.mean()
    units, methods = equal.shape
    found = 0.0
    for trial in range(trials):
        drawn = equal[rng.integers(units, size=units)].copy()
        first = trial % methods
        drawn[:, first] += ahead
        pairs = [pair for pair in compare_pairs(drawn, draws=10) if first in (pair.a, pair.b)]
        found += np.mean([pair.p_holm < ALPHA for pair in pairs])
    return found / trials


def resolvable(values: Floats, wanted: float = 0.8) -> tuple[float, list[tuple[float, float]]]:
    """Find the smallest difference on a grid that is found with power `wanted`, and the curve."""
    curve = [(ahead, power(values, ahead)) for ahead in (0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3)]
    return next((ahead for ahead, found in curve if found >= wanted), float("nan")), curve


def shared_by_family(values: Floats, families: list[str]) -> float:
    """Compute the intraclass correlation of paired differences within families, averaged over pairs (one-way ANOVA).

    Pairs whose difference is the same everywhere have none and do not count.
    """
    names = np.array(families)
    kinds = list(dict.fromkeys(families))
    sizes = np.array([(names == kind).sum() for kind in kinds])
    typical = (len(names) - (sizes**2).sum() / len(names)) / (len(kinds) - 1)
    found = []
    for a, b in combinations(range(values.shape[1]), 2):
        d = values[:, a] - values[:, b]
        if np.ptp(d) == 0:
            continue
        means = np.array([d[names == kind].mean() for kind in kinds])
        between = (sizes * (means - d.mean()) ** 2).sum() / (len(kinds) - 1)
        inside = sum(((d[names == kind] - m) ** 2).sum() for kind, m in zip(kinds, means, strict=True))
        within = inside / (len(names) - len(kinds))
        found.append((between - within) / (between + (typical - 1) * within))
    return float(np.mean(found))


def cells_table(trials: int) -> str:
    rows = []
    for n in (400, 1500):
        for spread in (0.0, 0.05, 0.15, 0.4):
            found = [covered_cells(seeds, n, spread, trials) for seeds in (3, 5)]
            shown = [
                ", ".join(f"{100 * f[key]:.1f}%" for f in found) for key in ("percentile", "interval", "difference")
            ]
            rows.append([str(n), f"{spread:g}", *shown, ", ".join(f"{f['width']:.2f}" for f in found)])
            print(rows[-1], flush=True)
    means = [covered_means(problems, seeds, 400, 0.15, trials // 2) for problems, seeds in ((8, 3), (22, 5))]
    covered = ", ".join(f"{100 * share:.1f}%" for share in means)
    rows.append(["400, mean of 8, 22 problems", "0.15", "", covered, "", ""])
    head = ["test examples", "spread between seeds", "percentile", "slicebench", "difference of two", "width"]
    return table(head, rows)


def units_table(trials: int) -> str:
    rows = []
    cases: list[tuple[str, dict[str, float]]] = [
        ("all alike", {}),
        ("all alike, skewed", {"skewed": True}),
        ("one ahead by 0.15", {"better": 0.15}),
        ("all alike, half the scatter shared by 5 families", {"families": 5}),
    ]
    for units in (5, 9, 22):
        for name, options in cases:
            if options.get("families") and units < 22:
                continue
            found = [false_alarms(units, methods, trials, **options) for methods in (6, 10)]
            shown = [", ".join(f"{100 * f[key]:.1f}%" for f in found) for key in ("alarms", "friedman", "covered")]
            if options.get("better"):
                shown[1] = "–"
            rows.append([str(units), name, *shown])
            print(rows[-1], flush=True)
    head = ["units", "truth", "some pair separated", "Friedman rejects", "interval covers"]
    return table(head, rows)


def resolution_text(folder: Path) -> str:
    """Describe how large a difference the suite of a leaderboard can resolve."""
    from slicebench.results.leaderboard.store import LeaderboardStore
    from slicebench.results.standings import standings

    store = LeaderboardStore(folder)
    board = standings(store, store.suite)
    names = [row.name for row in board.methods if not row.reference and not row.incomplete]
    planted = [p for p in board.problems if p.minority_accuracy is not None]
    values = np.array([[board.cells[p.name][m].values["namf"].mean for m in names] for p in planted])
    least, curve = resolvable(values)
    apart = [np.std(values[:, a] - values[:, b], ddof=1) for a, b in combinations(range(len(names)), 2)]
    correlation = shared_by_family(values, [p.family for p in planted])
    rows = [[f"{ahead:g}", f"{100 * found:.0f}%"] for ahead, found in curve]
    return (
        f"Suite `{board.title}`: {len(planted)} problems, {len(names)} ranked methods. Over the problems, the difference of\n"
        f"two methods has a standard deviation of {np.min(apart):.2f} to {np.max(apart):.2f}, median {np.median(apart):.2f}. "
        f"A method that is ahead of\nall others by **{least:g} nAMF** is separated from one of them, after Holm's "
        "correction, with a power of\n80% or more:\n\n"
        + table(["ahead by", "separated"], rows)
        + f"\nWithin a family of datasets, differences correlate by {correlation:.2f} (mean over pairs of methods).\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leaderboard", type=Path, nargs="?")
    parser.add_argument("--only", choices=("cells", "units", "resolution"))
    asked = parser.parse_args()
    if asked.only in (None, "cells"):
        fill(PAGE, "cells", cells_table(TRIALS))
    if asked.only in (None, "units"):
        fill(PAGE, "units", units_table(TRIALS))
    if asked.leaderboard and asked.only in (None, "resolution"):
        fill(PAGE, "resolution", resolution_text(asked.leaderboard))


if __name__ == "__main__":
    main()
