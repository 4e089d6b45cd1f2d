"""The quick suite holds what the recorded calibration chose, and the choice follows its rule."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def recorded():
    return json.loads((ROOT / "datasets" / "slicebench_datasets" / "calibration.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def suite():
    return tomllib.loads((ROOT / "slicebench" / "suites" / "quick.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("calibrate", ROOT / "scripts" / "calibrate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_suite_holds_the_chosen_parameters(recorded, suite):
    assert {p["name"]: (p["dataset"], p["params"]) for p in suite["problems"]} == {
        name: (of["dataset"], of["chosen"]) for name, of in recorded["problems"].items()
    }
    assert len(suite["problems"]) >= 8
    assert len({p["dataset"] for p in suite["problems"]}) >= 5


def test_both_sets_of_seeds_were_looked_at(recorded, suite, script):
    assert recorded["seeds"] == {name: list(seeds) for name, seeds in script.SETS.items()}
    assert recorded["seeds"]["benchmark"] == suite["seeds"]
    assert not set(recorded["seeds"]["calibration"]) & set(suite["seeds"])


def test_the_choice_follows_the_rule(recorded, script):
    assert {name: list(bounds) for name, bounds in script.RANGES.items()} == recorded["ranges"]
    for name, of in recorded["problems"].items():
        dataset, fixed, strengths = script.GRIDS[name]
        assert len(of["grid"]) == np.prod([len(values) for values in strengths.values()])
        for tried in of["grid"]:
            for key in script.SETS:
                means = {figure: np.mean(tried[key]["seeds"][figure]) for figure in script.RANGES}
                assert script.distance(means) == pytest.approx(tried[key]["distance"], abs=2e-3)
            assert tried["distance"] == max(tried[key]["distance"] for key in script.SETS)
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
