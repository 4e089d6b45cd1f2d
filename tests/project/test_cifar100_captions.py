"""The experiment on CIFAR-100's superclasses, small: `pytest -m experiment`, two minutes; the script alone does the real one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.mark.experiment
@pytest.mark.timeout(3600)
def test_superclass_captions(shared, tmp_path):
    command = [sys.executable, "scripts/regenerate/cifar100_captions.py", str(shared / "data"), "--projection"]
    options = [
        "--side",
        "64",
        "--width",
        "16",
        "--epochs",
        "6",
        "--work",
        str(tmp_path),
        "--out",
        str(tmp_path / "o.json"),
    ]
    subprocess.run([*command, *options], cwd=ROOT, check=True)
    found = json.loads((tmp_path / "o.json").read_text())
    assert {name: found["sizes"][name] for name in ("val", "pool", "test")} == {
        "val": 10000,
        "pool": 20000,
        "test": 10000,
    }
    assert abs(found["sizes"]["train"] - 17016) < 60, "the rule on another order of the images"
    assert abs(found["planted_rate"]["train"] - 0.059) < 0.002
    assert found["planted_rate"]["test"] == pytest.approx(0.2)
    svm, random = (
        found["encoders"]["projection"]["methods"][name]["captions"] for name in ("svm_directions", "random")
    )
    assert svm["p"]["hit_at_1"] < 0.01
    assert svm["metrics"]["gap_low"] > 0
    assert random["p"]["hit_at_1"] > 0.001


def test_the_committed_figures_are_of_the_whole_protocol():
    found = json.loads((ROOT / "leaderboard" / "cifar100-captions.json").read_text())
    assert set(found["encoders"]) == {"conse", "projection"}
    for encoder in found["encoders"].values():
        assert len(encoder["methods"]["svm_directions"]["captions"]["per_class"]) == 20
