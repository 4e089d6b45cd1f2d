"""The offline suites hold what the recorded calibration chose, and the choice follows its rule."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from tests.support.paths import ROOT, load_script


@pytest.fixture(scope="module")
def recorded():
    return json.loads((ROOT / "datasets" / "slicebench_datasets" / "calibration.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script():
    return load_script("once/calibrate")


def suite(name):
    return tomllib.loads((ROOT / "slicebench" / "runs" / "suites" / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["quick", "standard"])
def test_the_suites_hold_the_chosen_parameters(recorded, script, name):
    wanted = script.QUICK if name == "quick" else script.GRIDS
    assert {p["name"]: (p["dataset"], p["params"]) for p in suite(name)["problems"]} == {
        problem: (recorded["problems"][problem]["dataset"], recorded["problems"][problem]["chosen"])
        for problem in wanted
    }


def test_both_sets_of_seeds_were_looked_at(recorded, script):
    assert recorded["seeds"]["calibration"] == list(script.CALIBRATION_SEEDS)
    for name in ("quick", "standard"):
        assert recorded["seeds"]["benchmark"][name] == list(script.BENCHMARK_SEEDS[name]) == suite(name)["seeds"]
        assert not set(recorded["seeds"]["calibration"]) & set(suite(name)["seeds"])
    for name, of in recorded["problems"].items():
        for key, seeds in script.sets_of(name).items():
            assert all(len(found) == len(seeds) for tried in of["grid"] for found in tried[key]["seeds"].values())


def test_the_choice_follows_the_rule(recorded, script):
    assert {name: list(bounds) for name, bounds in script.RANGES.items()} == recorded["ranges"]
    for name, of in recorded["problems"].items():
        dataset, fixed, strengths = script.GRIDS[name]
        assert len(of["grid"]) == np.prod([len(values) for values in strengths.values()])
        for tried in of["grid"]:
            for key in script.sets_of(name):
                means = {figure: np.mean(tried[key]["seeds"][figure]) for figure in script.RANGES}
                assert script.distance(means) == pytest.approx(tried[key]["distance"], abs=2e-3)
            assert tried["distance"] == max(tried[key]["distance"] for key in script.sets_of(name))
        best = min(of["grid"], key=lambda tried: tried["distance"])
        assert (of["dataset"], of["chosen"]) == (dataset, fixed | best["params"])
        assert best["distance"] <= 1


def test_distance_is_one_at_the_edge_and_zero_in_the_middle(script):
    middle = {key: (low + high) / 2 for key, (low, high) in script.RANGES.items()}
    assert script.distance(middle) == 0
    assert script.distance(middle | {"confidence_namf": 0.75}) == pytest.approx(1)


def test_a_recorded_figure_is_what_a_build_gives(recorded, script):
    """One cheap problem, rebuilt: the record describes this code. Other processors may round differently."""
    of = recorded["problems"]["gaussian-linear"]
    best = min(of["grid"], key=lambda tried: tried["distance"])
    again = script.measure(of["dataset"], of["chosen"], (0,))
    for key in script.RANGES:
        assert again[key] == pytest.approx(best["benchmark"]["seeds"][key][0], abs=0.02)
