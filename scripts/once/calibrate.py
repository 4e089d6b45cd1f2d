"""Choose the plant strengths of the offline suites by a fixed rule, and record everything that was tried.

A saturated problem measures nothing, so each problem of the suite has a small grid of strengths
(`GRIDS`). The bounds of the grids were found by single builds with the seeds and figures below, and
nothing else; the point within a grid is chosen by the rule. Every grid point is built with eight
calibration seeds, 100 to 107, and with the benchmark's own seeds: 0 to 2 for the problems of the
first suite "quick", 0 to 4 for all others. Three figures of the test split, averaged
over the seeds of each set, decide:

    minority accuracy     0.35 to 0.75   of the base model, on the planted groups
    majority accuracy     0.85 to 0.97   of the base model, on all other examples
    nAMF of confidence    0.15 to 0.75   within each class, averaged over classes

Rule: the distance of a set of seeds is the largest |mean - middle of the range| / half the range;
the distance of a grid point is the larger one of its two sets. The point with the smallest distance
is chosen, the earlier one on a tie. Eight seeds alone are not enough, because base models differ: a
point can be in the middle of the ranges on average and outside on the three seeds that are used. If
the smallest distance exceeds 1, the script fails and the grid has to change. No other method is
run.

Real data cannot be moved into these ranges at will: the accuracy outside the groups is what the data
give. The planted problems of packs have wider ranges (`PACK_RANGES`), the strengths of `PACK_GRIDS` by
kind of plant, and one more condition: the base model that is trained without the plant must be at
least `EFFECT` more accurate on the groups, or else nothing is planted there. A problem for which no
strength meets all of this is left out of the suites; its entry says so.

The chosen points are copied by hand into slicebench/runs/suites/ and the packs' cards;
tests/datasets/test_calibration.py checks that they agree.

    python scripts/once/calibrate.py [PROBLEM ...]      writes datasets/slicebench_datasets/calibration.json (a few minutes)
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.evaluation.cell import evaluate
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench_datasets.packs.card import pack_names, read_card

if TYPE_CHECKING:
    from slicebench.data.problem import Problem

OUT = Path(__file__).parents[2] / "datasets" / "slicebench_datasets" / "calibration.json"
CALIBRATION_SEEDS = tuple(range(100, 108))
BENCHMARK_SEEDS = {"quick": (0, 1, 2), "standard": (0, 1, 2, 3, 4)}
RANGES = {"minority_accuracy": (0.35, 0.75), "majority_accuracy": (0.85, 0.97), "confidence_namf": (0.15, 0.75)}
SCENES = {"side": 16, "n_train": 2000, "n_val": 1000, "n_test": 2000}
PACK_RANGES = {"minority_accuracy": (0.3, 0.8), "majority_accuracy": (0.7, 0.99), "confidence_namf": (0.05, 0.8)}
PACK_GRIDS = {
    "rare": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7),
    "correlation": (0.01, 0.02, 0.05, 0.1, 0.2),
    "label_noise": (0.3, 0.35, 0.4, 0.5),
    "corruption": (0.6, 1.0, 1.4, 1.8, 2.5),
}
UNPLANTED = {"rare": 1.0, "correlation": 1.0, "label_noise": 0.0, "corruption": 0.0}
EFFECT = 0.05
Grid = tuple[str, dict[str, Any], dict[str, tuple[float, ...]]]
# problem: dataset, fixed parameters, strengths to try
QUICK: dict[str, Grid] = {
    "scenes-correlation": (
        "scenes",
        {"plant": "correlation", "classes": 4, "test": "natural", **SCENES},
        {"ratio": (2.0, 3.0, 4.0), "noise": (0.05, 0.075, 0.1)},
    ),
    "scenes-rare": (
        "scenes",
        {"plant": "rare", "subtypes": 4, "keep": 0.25, **SCENES},
        {"classes": (3, 4), "noise": (0.025, 0.04, 0.055, 0.07)},
    ),
    "scenes-corruption": (
        "scenes",
        {"plant": "corruption", "classes": 4, **SCENES},
        {"noise": (0.0, 0.03), "corruption": (0.1, 0.15, 0.2)},
    ),
    "colored-digits": (
        "colored_digits",
        {"label_noise": 0.25},
        {"p": (0.2, 0.3, 0.4), "pixel_noise": (0.0, 0.1, 0.2)},
    ),
    "digit-subtypes": (
        "digit_subtypes",
        {"keep": 0.25, "n_train": 400},
        {"classes": (2, 5), "pixel_noise": (0.2, 0.25, 0.275, 0.3, 0.35)},
    ),
    "noisy-digits": ("noisy_digits", {}, {"pixel_noise": (0.15, 0.2, 0.25), "corruption": (0.4, 0.45, 0.5)}),
    "gaussian-linear": (
        "gaussian",
        {"plant": "linear", "minority": 0.2},
        {"signal": (1.5, 2.0, 2.5), "attenuation": (0.0, 0.15, 0.3)},
    ),
    "gaussian-correlation": (
        "gaussian",
        {"plant": "correlation", "minority": 0.2, "train_minority": 0.05},
        {"signal": (1.0, 1.5, 2.0), "strength": (1.0, 1.5, 2.0)},
    ),
}

# the mechanisms that "standard-1" adds
STANDARD: dict[str, Grid] = {
    "scenes-texture": (
        "scenes",
        {"plant": "correlation", "planted": "texture", "classes": 4, "test": "natural", "noise": 0.1, **SCENES},
        {"ratio": (3.0, 4.0, 5.0)},
    ),
    "scenes-lighting": (
        "scenes",
        {"plant": "correlation", "planted": "lighting", "classes": 4, "test": "natural", "noise": 0.1, **SCENES},
        {"ratio": (3.0, 4.0, 6.0)},
    ),
    "scenes-size": (
        "scenes",
        {"plant": "correlation", "planted": "size", "classes": 4, "test": "natural", **SCENES},
        {"ratio": (2.0, 3.0), "noise": (0.05, 0.1)},
    ),
    "scenes-skewed-val": (
        "scenes",
        {"plant": "correlation", "classes": 4, "val": "train", "test": "natural", **SCENES},
        {"ratio": (2.0, 3.0), "noise": (0.1,)},
    ),
    "colored-digits-few-flips": (
        "colored_digits",
        {"label_noise": 0.1},
        {"p": (0.5, 0.6), "pixel_noise": (0.1, 0.2)},
    ),
    "digit-subtypes-even-odd": (
        "digit_subtypes",
        {"classes": 2, "keep": 0.25, "n_train": 400},
        {"pixel_noise": (0.25, 0.3, 0.35)},
    ),
    "noisy-digits-few": (
        "noisy_digits",
        {"train_share": 0.05, "eval_share": 0.3, "pixel_noise": 0.2},
        {"corruption": (0.4, 0.45)},
    ),
    **{
        f"gaussian-{plant}": (
            "gaussian",
            {"plant": plant.replace("-", "_"), "minority": 0.2, "model": model},
            {"signal": (1.5, 2.0, 2.5), "attenuation": (0.0, 0.15, 0.3)},
        )
        for plant, model in {"radial": "linear", "xor": "mlp", "two": "linear", "two-classes": "mlp"}.items()
    },
    "gaussian-rare": (
        "gaussian",
        {"plant": "rare", "minority": 0.2, "signal": 2.0},
        {"train_minority": (0.05, 0.1, 0.2), "overlap": (0.4, 0.5, 0.6), "strength": (1.0, 2.0)},
    ),
    "gaussian-label-noise": (
        "gaussian",
        {"plant": "label_noise", "minority": 0.2},
        {"signal": (1.5, 2.0, 2.5), "flip": (0.3, 0.4, 0.5)},
    ),
    "gaussian-five-classes": (
        "gaussian",
        {"plant": "linear", "minority": 0.2, "classes": 5},
        {"signal": (2.5, 3.0, 3.5), "attenuation": (0.2, 0.3, 0.4)},
    ),
    "gaussian-wide": (
        "gaussian",
        {"plant": "correlation", "minority": 0.2, "train_minority": 0.05, "d": 64, "model": "mlp"},
        {"signal": (1.0, 1.5, 2.0), "strength": (1.0, 1.5, 2.0)},
    ),
}
PACKS = {
    problem.name: (pack, problem) for pack in pack_names() for problem in read_card(pack).problems if problem.plant
}
# problems that only the second version of "standard" has
ADDED: dict[str, Grid] = {
    "blindspots": ("blindspots", {}, {"signal": (1.5, 2.0, 2.5), "flip": (0.45, 0.5, 0.55, 0.6)}),
    "blindspots-four-classes": (
        "blindspots",
        {"classes": 4, "attributes": 12, "d": 24, "n_train": 6000, "n_val": 2500, "n_test": 3000},
        {"signal": (2.5, 3.0), "flip": (0.6, 0.65, 0.7)},
    ),
}
GRIDS = QUICK | STANDARD | ADDED


def figures(problem: Problem) -> dict[str, float]:
    """Measure the three figures of `RANGES` on the test split."""
    record = evaluate(METHODS.load("confidence")(), problem).record
    base, namf = record.base_model, record.metrics["namf"]
    assert base is not None and base.minority_accuracy is not None and base.majority_accuracy is not None  # noqa: PT018
    assert namf is not None
    return {
        "minority_accuracy": base.minority_accuracy,
        "majority_accuracy": base.majority_accuracy,
        "confidence_namf": namf,
    }


def measure(
    dataset: str, params: dict[str, Any], seeds: tuple[int, ...], ranges: dict[str, tuple[float, float]] = RANGES
) -> dict[str, Any]:
    """Average each figure over `seeds`, with the single values, and compute the distance that the rule compares."""
    adapter = DATASETS.load(dataset)(**params)
    runs = [figures(adapter.build(seed)) for seed in seeds]
    means = {key: float(np.mean([run[key] for run in runs])) for key in ranges}
    single = {key: [round(run[key], 4) for run in runs] for key in ranges}
    return {
        **{key: round(value, 4) for key, value in means.items()},
        "distance": round(distance(means, ranges), 4),
        "seeds": single,
    }


def distance(means: dict[str, float], ranges: dict[str, tuple[float, float]] = RANGES) -> float:
    """Compute the largest distance from the middle of a range, in half ranges: 1 is the edge."""
    return max(abs(means[key] - (low + high) / 2) / ((high - low) / 2) for key, (low, high) in ranges.items())


def sets_of(name: str) -> dict[str, tuple[int, ...]]:
    """Return both sets of seeds of a problem."""
    return {"calibration": CALIBRATION_SEEDS, "benchmark": BENCHMARK_SEEDS["quick" if name in QUICK else "standard"]}


def calibrate(name: str) -> dict[str, Any]:
    """Run the grid of one problem and choose a point."""
    dataset, fixed, strengths = GRIDS[name]
    grid = []
    for values in product(*strengths.values()):
        point = dict(zip(strengths, values, strict=True))
        sets = {key: measure(dataset, fixed | point, seeds) for key, seeds in sets_of(name).items()}
        grid.append({"params": point, "distance": max(one["distance"] for one in sets.values()), **sets})
        print(name, json.dumps(grid[-1]), flush=True)
    best = min(grid, key=lambda tried: tried["distance"])
    if best["distance"] > 1:
        raise SystemExit(f"{name}: no grid point lies in all three ranges; the nearest is {best}")
    print(name, "chosen", json.dumps(best), flush=True)
    return {"dataset": dataset, "fixed": fixed, "grid": grid, "chosen": fixed | best["params"]}


def calibrate_pack(name: str) -> dict[str, Any]:
    """Run the strengths of a pack's planted problem and choose one, or none."""
    pack, problem = PACKS[name]
    assert problem.plant is not None
    fixed, kind = {"problem": name}, problem.plant.kind
    seeds = {"calibration": CALIBRATION_SEEDS, "benchmark": BENCHMARK_SEEDS["standard"]}
    without = DATASETS.load(pack)(**fixed, strength=UNPLANTED[kind])
    unplanted = np.mean([figures(without.build(seed))["minority_accuracy"] for seed in CALIBRATION_SEEDS])
    grid: list[dict[str, Any]] = []
    for strength in PACK_GRIDS[kind]:
        sets = {key: measure(pack, {**fixed, "strength": strength}, own, PACK_RANGES) for key, own in seeds.items()}
        far = max(one["distance"] for one in sets.values())
        effect = round(float(unplanted - max(one["minority_accuracy"] for one in sets.values())), 4)
        grid.append({"params": {"strength": strength}, "distance": far, "effect": effect, **sets})
    able = [tried for tried in grid if tried["distance"] <= 1 and tried["effect"] >= EFFECT]
    best = min(able, key=lambda tried: tried["distance"], default=None)
    print(name, json.dumps(best and {**fixed, **best["params"]}), flush=True)
    chosen = None if best is None else fixed | best["params"]
    return {"dataset": pack, "fixed": fixed, "unplanted": round(float(unplanted), 4), "grid": grid, "chosen": chosen}


def main(names: list[str]) -> None:
    """Calibrate the named problems, all by default; the file keeps its entries of the others."""
    rule = (
        "smallest largest |mean - middle| / half range over the three figures and both sets of seeds; "
        "the earlier grid point on a tie"
    )
    problems = json.loads(OUT.read_text(encoding="utf-8"))["problems"] if names else {}
    out = {
        "rule": rule,
        "ranges": RANGES,
        "pack_ranges": PACK_RANGES,
        "pack_effect": EFFECT,
        "seeds": {"calibration": CALIBRATION_SEEDS, "benchmark": BENCHMARK_SEEDS},
        "problems": problems,
    }
    for name in names or [*GRIDS, *PACKS]:
        problems[name] = calibrate_pack(name) if name in PACKS else calibrate(name)
        OUT.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
