"""Progress as a person sees it: what is running, what is done, what is left, and about how long."""

from __future__ import annotations

import pytest

from slicebench.console import ProgressReport, _duration
from slicebench.record import Record
from slicebench.runner import Progress
from slicebench.suite import Cell, PlannedProblem

PROBLEM = PlannedProblem("p", "gaussian", "1", "gaussian", {}, 0)
CELL = Cell(PROBLEM, "m", "1", {})


class Clock:
    """Time that passes when told."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def record(**outcome):
    about = {"family": "f", "dataset": "d", "dataset_version": "1", "dataset_params": {}, "encoder": "e"}
    about |= {"method_version": "1", "method_params": {}, "code_version": "0", "hardware": "h", "date": "now"}
    return Record(problem="p", seed=0, method="m", **(about | outcome))


def test_a_line_per_cell_when_piped(clock, capsys):
    ok = record(status="ok", metrics={"namf": 0.5})
    with ProgressReport(terminal=False, clock=clock) as report:
        report(Progress(0, 3, PROBLEM, running=("building p s0",)))
        clock.now = 1.0
        report(Progress(1, 3, PROBLEM, CELL, ok))
        clock.now = 120.0
        report(Progress(2, 3, PROBLEM, CELL, record(status="failed", reason="it broke")))
        report(Progress(3, 3, PROBLEM, CELL, ok))
    assert capsys.readouterr().err.splitlines() == [
        "[1/3] p s0 m: ok nAMF 0.500",  # too early for an estimate
        "[2/3, about 1 min left] p s0 m: failed it broke",
        "[3/3] p s0 m: ok nAMF 0.500",
    ]


def test_other_long_work_counts(clock, capsys):
    with ProgressReport(terminal=False, clock=clock) as report:
        report.count(0, 4, "first")
        clock.now = 10.0
        report.count(1, 4, "second")
    assert capsys.readouterr().err.splitlines() == ["[0/4] first", "[1/4, about 30 s left] second"]


def test_a_terminal_shows_what_runs_and_the_estimate(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    with ProgressReport(terminal=True, clock=clock) as report:
        clock.now = 60.0
        report(Progress(1, 3, PROBLEM, CELL, record(status="ok"), ("building q s1", "p s0 n")))
        (task,) = report._bar.tasks
        assert (task.completed, task.total) == (1, 3)
        assert task.description == "building q s1; p s0 n"
        assert task.fields["left"] == "about 2 min left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "60 min"), (7200, "2.0 h")]
)
def test_durations(seconds, text):
    assert _duration(seconds) == text
