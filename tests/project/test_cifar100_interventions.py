"""The committed figures of CIFAR-100 beside the published ones; `pytest -m experiment` makes them again, in an hour."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from slicebench.studies.interventions.record import InterventionBoard
from tests.support.paths import ROOT

METHODS = ("none", "random", "confidence", "svm_directions")


def minority(board, k):
    """Minority accuracy by method at k images per superclass."""
    rows = {row.method or "none": row for row in board.rows if row.variant in ("none", f"filter k={k}")}
    return {method: rows[method].values["minority"].mean for method in METHODS}


def check(found):
    """The order of the published figures, and their size to within some points."""
    board = InterventionBoard.model_validate(found["filtering"])
    published = found["published"]["minority, K = 75"]
    ours = minority(board, 75)
    assert sorted(METHODS, key=ours.get) == sorted(METHODS, key=published.get) == list(METHODS)
    assert all(abs(ours[m] - published[m]) < 0.08 for m in METHODS)
    gains = [minority(board, k)["svm_directions"] for k in (25, 50, 75, 100)]
    assert gains == sorted(gains)


def test_the_committed_figures_have_the_published_order():
    check(json.loads((ROOT / "leaderboard" / "cifar100-interventions.json").read_text()))


@pytest.mark.experiment
@pytest.mark.timeout(7200)
def test_filtering_again(shared, tmp_path):
    script = [
        sys.executable,
        "scripts/regenerate/cifar100_interventions.py",
        str(shared / "data"),
        "--work",
        str(tmp_path),
    ]
    where = ["--features", str(tmp_path / "features.npz"), "--out", str(tmp_path / "o.json")]
    subprocess.run([*script, *where], cwd=ROOT, check=True)
    check(json.loads((tmp_path / "o.json").read_text()))
