"""Trends that the source paper reports for stronger plants, on our own data.

One small sweep runs always; `pytest -m slow` runs those of docs/how-to/sweeps.md.
"""

from __future__ import annotations

import os

import pytest

from slicebench.runs.suite import load_suite
from slicebench.runs.tasks import Limits
from slicebench.studies.sweep import run_sweep, sweep_of_problem, sweep_report


def trends(folder, problem, param, *settings, seeds=3):
    """ρ of every trend by (what, against); 0 where p is .05 or more."""
    sweep = sweep_of_problem(
        load_suite("standard-1"), problem, param, settings, methods=("svm_directions",), seeds=tuple(range(seeds))
    )
    outcome = run_sweep(sweep, out=folder, limits=Limits(jobs=min(2, os.cpu_count() or 1)))
    assert not outcome.run.failed
    report = sweep_report(outcome)
    return {(t.what, t.against): t.rho if t.rho is not None and t.p < 0.05 else 0.0 for t in report.trends}


def check_strength_follows_minority_accuracy(found):
    """Class by class, strength is high where the minority is got wrong and makes up the errors."""
    assert found["strength", "minority_accuracy"] < 0
    assert found["strength", "minority_share_of_errors"] > 0


def test_strength_rises_with_the_correlation_of_the_tint_small(tmp_path):
    found = trends(tmp_path, "colored-digits", "p=0.08,0.5,0.92")
    assert found["strength", "p"] > 0
    assert found["minority_accuracy", "p"] < 0


@pytest.mark.slow
def test_row_5_strength_rises_and_accuracy_falls_with_the_ratio(tmp_path):
    found = trends(tmp_path, "scenes-correlation", "ratio=1,2,4,8")
    assert found["strength", "ratio"] > 0
    assert found["accuracy", "ratio"] < 0
    assert found["minority_accuracy", "ratio"] < 0
    check_strength_follows_minority_accuracy(found)


@pytest.mark.slow
def test_row_9_strength_rises_with_the_correlation_of_the_tint(tmp_path):
    found = trends(tmp_path, "colored-digits", "p=0.08,0.2,0.4,0.6,0.92")
    assert found["strength", "p"] > 0
    check_strength_follows_minority_accuracy(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "settings", "seeds"), [("scenes-rare", (), 3), ("digit-subtypes", ("n_train=370",), 5)]
)
def test_row_14_strength_rises_with_removal(tmp_path, problem, settings, seeds):
    found = trends(tmp_path, problem, "keep=1,0.5,0.25,0.1", *settings, seeds=seeds)
    assert found["strength", "keep"] < 0
    assert found["minority_accuracy", "keep"] > 0
    check_strength_follows_minority_accuracy(found)
