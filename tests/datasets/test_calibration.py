"""The offline suites hold what the recorded calibration chose, and the choice follows its rule."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from slicebench.runs.suite import suite_names
from slicebench_datasets.packs.card import read_card
from tests.support.paths import ROOT, load_script


@pytest.fixture(scope="module")
def recorded():
    return json.loads((ROOT / "datasets" / "slicebench_datasets" / "calibration.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script():
    return load_script("once/calibrate")


def suite(name):
    return tomllib.loads((ROOT / "slicebench" / "runs" / "suites" / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["standard-1", "standard", "quick"])
def test_the_suites_hold_the_chosen_parameters(recorded, script, name):
    """What the packs' cards say is compared below; natural problems have no strength."""
    for problem in suite(name)["problems"]:
        if problem["name"] in script.GRIDS:
            of = recorded["problems"][problem["name"]]
            assert (problem["dataset"], problem["params"]) == (of["dataset"], of["chosen"])
        else:
            assert problem["params"] == {"problem": problem["name"]}
            assert problem["name"] in {p.name for p in read_card(problem["dataset"]).problems}


def test_every_problem_of_our_own_is_calibrated(recorded, script):
    assert set(recorded["problems"]) == set(script.GRIDS) | set(script.PACKS)
    assert {p["name"] for p in suite("standard-1")["problems"]} == set(script.QUICK | script.STANDARD)


def test_packs_have_the_chosen_strengths_and_refused_problems_are_in_no_suite(recorded, script):
    shown = {p["name"] for name in suite_names() for p in suite(name)["problems"]}
    for name, (_, problem) in script.PACKS.items():
        chosen = recorded["problems"][name]["chosen"]
        assert chosen is None or chosen == {"problem": name, "strength": problem.plant.strength}
        assert chosen is not None or name not in shown, name


def test_both_sets_of_seeds_were_looked_at(recorded, script):
    assert recorded["seeds"]["calibration"] == list(script.CALIBRATION_SEEDS)
    assert recorded["seeds"]["benchmark"]["standard"] == suite("standard")["seeds"] == suite("standard-1")["seeds"]
    for name in ("quick", "standard"):
        assert recorded["seeds"]["benchmark"][name] == list(script.BENCHMARK_SEEDS[name])
        assert not set(recorded["seeds"]["calibration"]) & set(suite(name)["seeds"])
    for name, of in recorded["problems"].items():
        for key, seeds in script.sets_of(name).items():
            assert all(len(found) == len(seeds) for tried in of["grid"] for found in tried[key]["seeds"].values())


def test_the_choice_follows_the_rule(recorded, script):
    assert {name: list(bounds) for name, bounds in script.RANGES.items()} == recorded["ranges"]
    for name in script.GRIDS:
        of = recorded["problems"][name]
        dataset, fixed, strengths = script.GRIDS[name]
        assert len(of["grid"]) == np.prod([len(values) for values in strengths.values()])
        for tried in of["grid"]:
            check_distances(script, name, tried, script.RANGES)
        best = min(of["grid"], key=lambda tried: tried["distance"])
        assert (of["dataset"], of["chosen"]) == (dataset, fixed | best["params"])
        assert best["distance"] <= 1


def test_the_choice_for_packs_follows_their_rule(recorded, script):
    assert {name: list(bounds) for name, bounds in script.PACK_RANGES.items()} == recorded["pack_ranges"]
    for name, (pack, problem) in script.PACKS.items():
        of = recorded["problems"][name]
        assert [tried["params"]["strength"] for tried in of["grid"]] == list(script.PACK_GRIDS[problem.plant.kind])
        for tried in of["grid"]:
            check_distances(script, name, tried, script.PACK_RANGES)
            highest = max(tried[key]["minority_accuracy"] for key in script.sets_of(name))
            assert tried["effect"] == pytest.approx(of["unplanted"] - highest, abs=2e-3)
        able = [tried for tried in of["grid"] if tried["distance"] <= 1 and tried["effect"] >= script.EFFECT]
        best = min(able, key=lambda tried: tried["distance"], default=None)
        assert of["dataset"] == pack
        assert of["chosen"] == (None if best is None else {"problem": name, **best["params"]})


def check_distances(script, name, tried, ranges):
    for key in script.sets_of(name):
        means = {figure: np.mean(tried[key]["seeds"][figure]) for figure in ranges}
        assert script.distance(means, ranges) == pytest.approx(tried[key]["distance"], abs=2e-3)
    assert tried["distance"] == max(tried[key]["distance"] for key in script.sets_of(name))


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
