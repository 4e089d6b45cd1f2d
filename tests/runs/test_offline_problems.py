"""Every offline dataset and plant: ends of the scale, row order, monotone transforms, unreachable truth."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.cell import evaluate, measure
from slicebench.plugins.method import SliceScores
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench_datasets.packs.card import pack_names

SMALL = {"n_train": 300, "n_val": 200, "n_test": 500, "epochs": 2}
PLANTS = {
    "scenes": [{"plant": p, "side": 12, **SMALL} for p in ("correlation", "rare", "corruption")],
    "gaussian": [
        {"plant": p, **SMALL}
        for p in ("linear", "radial", "xor", "two", "two_classes", "rare", "correlation", "label_noise")
    ],
    "prototypes": [{"d": 12, **SMALL}],
    "colored_digits": [{"epochs": 2}],
    "digit_subtypes": [{"epochs": 2}],
    "noisy_digits": [{"epochs": 2}],
    "corrupted": [{"dataset": "scenes", "params": {**SMALL, "side": 32}}],
    "blindspots": [{**SMALL, "share": 0.1}],
    "satimage": [{}],
    "magic": [{"problem": "magic-noise"}],
}
"""Two packs stand for all: tests/datasets/test_packs.py has the others."""
CASES = [(name, params) for name, listed in PLANTS.items() for params in listed]
CASES += [("gaussian", {"plant": "linear", "losses_only": True, **SMALL})]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1].get('plant', 'default')}")
def offline(request):
    name, params = request.param
    if name == "corrupted":
        pytest.importorskip("imagecorruptions", reason="OpenCV misses a library of the system", exc_type=ImportError)
    return DATASETS.load(name)(**params).build(seed=0)


def test_every_dataset_without_files_is_here():
    ours = [p.name for p in DATASETS.describe() if p.distribution == "slicebench"]
    assert {*PLANTS, *pack_names()} == {name for name in ours if not DATASETS.load(name).card.obtain}


def test_oracle_is_one_and_random_zero_on_average(offline):
    assert evaluate(METHODS.load("oracle")(), offline).record.metrics["namf"] == 1.0
    values = [evaluate(METHODS.load("random")(seed=s), offline).record.metrics["namf"] for s in range(30)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_a_constant_is_zero_and_only_the_order_counts(offline):
    constant = measure(SliceScores(hardness=np.zeros(offline.test.n)), offline.test, offline.truth)
    assert constant.metrics["namf"] == 0.0
    h = np.random.default_rng(0).normal(size=offline.test.n) + offline.truth.minority(offline.test.ids)
    straight = measure(SliceScores(hardness=h), offline.test, offline.truth).metrics
    bent = measure(SliceScores(hardness=np.exp(h / 2) - 9), offline.test, offline.truth).metrics
    order = np.random.default_rng(1).permutation(offline.test.n)
    shuffled = measure(SliceScores(hardness=h[order]), offline.test.take(order), offline.truth).metrics
    assert bent == pytest.approx(straight)
    assert shuffled == pytest.approx(straight)
    assert straight["namf"] > 0.2


def test_the_truth_is_out_of_reach(offline, reachable):
    found = reachable(offline.data, offline.test)
    assert not [x for x in found.values() if isinstance(x, PlantedTruth)]
    truths = {
        id(part) for groups in offline.truth.groups.values() for part in (groups, groups.base) if part is not None
    }
    assert not truths & set(found)


@pytest.mark.parametrize("name", ["scenes", "gaussian"])
def test_nothing_planted_has_no_group(name):
    problem = DATASETS.load(name)(plant="none", **SMALL).build(seed=0)
    assert problem.truth.group_names == ()
    assert set(evaluate(METHODS.load("random")(), problem).record.metrics.values()) == {None}
