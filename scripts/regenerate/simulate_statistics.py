"""Do the intervals cover, do the tests keep their level? Simulated leaderboards of known truth, into docs/statistics.md.

    python scripts/regenerate/simulate_statistics.py [leaderboard/standard] [--only PART]      forty minutes on one core

Fills the marked tables of the page. With a leaderboard it also says how large a difference its suite can resolve.
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
    friedman_p,
    interval_of_mean,
    interval_over_units,
    sampled_problem,
)
from slicebench.results.markdown import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
SHIFT, MINORITY, CLASSES = 0.7, 0.2, 2
TRIALS = 1000


def one_seed(rng: np.random.Generator, n: int, spread: float, methods: int = 1) -> SeedScores:
    """Test examples of one seed: the minority's hardness is shifted by an amount that differs from model to model.

    `spread` is its standard deviation over seeds; the noise is shared half and half between methods, as by paired test sets.
    """
    labels, minority = np.arange(n) % CLASSES, rng.random(n) < MINORITY
    shared, shift = rng.normal(size=n), rng.normal()
    hardness = {}
    for m in range(methods):
        noise = np.sqrt(0.5) * (shared + rng.normal(size=n))
        own = np.sqrt(0.5) * (shift + rng.normal())
        hardness[f"m{m}"] = noise + (SHIFT + spread * own) * minority
    return SeedScores(labels, minority, hardness)


@lru_cache
def true_namf(n: int, spread: float, seeds: int = 8000) -> float:
    """Mean nAMF over many seeds."""
    rng = np.random.default_rng(0)
    found = [sampled_problem([one_seed(rng, n, spread)], 0, draws=1)["m0"].mean for _ in range(seeds)]
    return float(np.mean(found))


def covered_cells(seeds: int, n: int, spread: float, trials: int, draws: int = 400) -> dict[str, float]:
    """Coverage of 95 % intervals of one method's mean, of the plain percentile interval, and of a difference; mean width."""
    truth, rng = true_namf(n, spread), np.random.default_rng([seeds, n, round(1000 * spread)])
    hits = {"interval": 0, "percentile": 0, "difference": 0}
    width = 0.0
    for trial in range(trials):
        found = sampled_problem([one_seed(rng, n, spread, 2) for _ in range(seeds)], trial, draws=draws)
        one, apart = interval_of_mean([found["m0"]]), interval_of_mean([found["m0"] - found["m1"]])
        low, high = np.quantile(found["m0"].draws(), [0.025, 0.975])
        hits["interval"] += one.low <= truth <= one.high
        hits["percentile"] += low <= truth <= high
        hits["difference"] += apart.low <= 0 <= apart.high
        width += one.high - one.low
    return {key: value / trials for key, value in hits.items()} | {"width": width / trials}


def covered_means(problems: int, seeds: int, n: int, spread: float, trials: int) -> float:
    """Coverage of the interval of a mean over problems."""
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
    """Table (units, methods) of mean nAMF in which all methods are alike in expectation, but for the first by `better`.

    With `families` the units belong to that many, and half the variance of a method's own effect is its family's.
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
    """Share of leaderboards of equals in which some pair is separated, in which Friedman rejects, and coverage over units.

    With `better` the first method is ahead, and only pairs of the others count.
    """
    rng = np.random.default_rng([units, methods, len(options)])
    alarms = friedman = covered = 0
    for _ in range(trials):
        found = leaderboard(rng, units, methods, **options)
        pairs = compare_pairs(found, draws=10)
        equals = [pair for pair in pairs if not options.get("better") or 0 not in (pair.a, pair.b)]
        alarms += any(pair.p_holm < ALPHA for pair in equals)
        friedman += (friedman_p(found) or 1.0) < ALPHA
        apart = interval_over_units(found[:, -1] - found[:, -2], draws=1000)
        covered += apart.low <= 0 <= apart.high
    return {"alarms": alarms / trials, "friedman": friedman / trials, "covered": covered / trials}


def power(values: Floats, ahead: float, trials: int = 300) -> float:
    """Share of resampled leaderboards in which a method that is `ahead` of all others is separated from the median one of them.

    `values` (U, M) is a real table, its columns centred: the units' own scatter, without differences.
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
    """Smallest difference on a grid that is found with power `wanted`, and the curve."""
    curve = [(ahead, power(values, ahead)) for ahead in (0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3)]
    return next((ahead for ahead, found in curve if found >= wanted), float("nan")), curve


def shared_by_family(values: Floats, families: list[str]) -> float:
    """Intraclass correlation of paired differences within families, the mean over pairs of methods (one-way ANOVA)."""
    names = np.array(families)
    kinds = list(dict.fromkeys(families))
    sizes = np.array([(names == kind).sum() for kind in kinds])
    typical = (len(names) - (sizes**2).sum() / len(names)) / (len(kinds) - 1)
    found = []
    for a, b in combinations(range(values.shape[1]), 2):
        d = values[:, a] - values[:, b]
        means = np.array([d[names == kind].mean() for kind in kinds])
        between = (sizes * (means - d.mean()) ** 2).sum() / (len(kinds) - 1)
        inside = sum(((d[names == kind] - m) ** 2).sum() for kind, m in zip(kinds, means, strict=True))
        within = inside / (len(names) - len(kinds))
        found.append((between - within) / (between + (typical - 1) * within))
    return float(np.mean(found))


def cells_table(trials: int) -> str:
    rows = []
    for seeds in (3, 5):
        for n in (400, 1500):
            for spread in (0.0, 0.05, 0.15, 0.4):
                found = covered_cells(seeds, n, spread, trials)
                shown = [f"{100 * found[key]:.1f} %" for key in ("percentile", "interval", "difference")]
                rows.append([str(seeds), str(n), f"{spread:g}", *shown, f"{found['width']:.2f}"])
                print(rows[-1], flush=True)
    for problems, seeds in ((8, 3), (22, 5)):
        share = covered_means(problems, seeds, 400, 0.15, trials // 2)
        rows.append([f"{seeds}, mean of {problems} problems", "400", "0.15", "", f"{100 * share:.1f} %", "", ""])
        print(rows[-1], flush=True)
    head = ["seeds", "test examples", "spread between seeds", "percentile", "slicebench", "difference of two", "width"]
    return table(head, rows)


def units_table(trials: int) -> str:
    rows = []
    cases: list[tuple[str, dict[str, float]]] = [
        ("all alike", {}),
        ("all alike, skewed", {"skewed": True}),
        ("one method ahead by .15", {"better": 0.15}),
        ("all alike, half the scatter shared by 5 families", {"families": 5}),
    ]
    for units in (5, 9, 22):
        for methods in (6, 10):
            for name, options in cases:
                if options.get("families") and units < 22:
                    continue
                found = false_alarms(units, methods, trials, **options)
                shown = [f"{100 * found['alarms']:.1f} %"]
                shown.append("–" if options.get("better") else f"{100 * found['friedman']:.1f} %")
                rows.append([str(units), str(methods), name, *shown, f"{100 * found['covered']:.1f} %"])
                print(rows[-1], flush=True)
    head = ["units", "methods", "truth", "some pair separated", "Friedman rejects", "interval covers"]
    return table(head, rows)


def resolution_text(folder: Path) -> str:
    """How large a difference the suite of a leaderboard can resolve."""
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
    rows = [[f"{ahead:g}", f"{100 * found:.0f} %"] for ahead, found in curve]
    return (
        f"Suite `{board.title}`: {len(planted)} problems, {len(names)} ranked methods. The difference of two methods has a "
        f"standard deviation over problems of {np.min(apart):.2f} to {np.max(apart):.2f}, median {np.median(apart):.2f}. "
        f"A method that is ahead of all others by **{least:g} nAMF** is separated from one of them, after Holm, with 80 % power "
        "or more:\n\n"
        + table(["ahead by", "separated"], rows)
        + f"\nThe correlation of differences within a family of datasets is {correlation:.2f} (mean over pairs).\n"
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
