"""Progress as a person sees it: what is running, what is done, what is left, and about how long."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from slicebench.cli.console import ProgressReport
from slicebench.cli.console.progress import _duration
from slicebench.evaluation.record import Record
from slicebench.problems.planned import PlannedProblem
from slicebench.runs.plan import Cell
from slicebench.runs.runner import Progress

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


def test_the_first_cells_of_many_give_no_estimate(clock, capsys):
    with ProgressReport(terminal=False, clock=clock) as report:
        for done, total in ((1, 40), (3, 40), (4, 40), (9, 4000), (10, 4000)):
            clock.now += 20.0
            report.count(done, total, "x")
    said = [line.split("]")[0] for line in capsys.readouterr().err.splitlines()]
    assert said[:3] == ["[1/40", "[3/40", "[4/40, about 9 min left"]
    assert said[3] == "[9/4000"
    assert said[4].startswith("[10/4000, about ")


def test_a_second_phase_has_a_pace_of_its_own(clock, capsys):
    with ProgressReport(terminal=False, clock=clock) as report:
        clock.now = 1000.0
        report.count(4, 4, "built")
        report.count(0, 4, "testing")
        clock.now = 1010.0
        report.count(1, 4, "tested")
        report.count(0, 4, "again")
        clock.now = 1020.0
        report.count(2, 4, "tested")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "[4/4] built",
        "[0/4] testing",
        "[1/4, about 30 s left] tested",
        "[0/4] again",
        "[2/4, about 10 s left] tested",
    ]


def test_a_terminal_shows_what_runs_and_the_estimate(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    with ProgressReport(terminal=True, clock=clock) as report:
        clock.now = 60.0
        report(Progress(1, 3, PROBLEM, CELL, record(status="ok"), ("building q s1", "p s0 n")))
        (task,) = report._bar.tasks
        assert (task.completed, task.total) == (1, 3)
        assert task.description == "building q s1; p s0 n"
        assert task.fields["left"] == "about 2 min left"
        report(Progress(1, 3, PROBLEM, running=("a", "b", "c", "d")))
        assert task.description == "a; b; and 2 more"
        assert task.fields["left"] == "about 2 min left"  # a build that starts takes no estimate away


@pytest.mark.parametrize("width", [60, 80, 140])
def test_bar_counter_time_left_and_what_runs_are_whole_at_every_width(clock, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    running = ("building chest_xray_views-correlation s10", "gaussian-correlation s2 logistic_directions", "p s0 n")
    with ProgressReport(terminal=True, clock=clock) as report:
        clock.now = 60.0
        report(Progress(1200, 24000, PROBLEM, CELL, record(status="ok"), running))
        screen = Console(file=StringIO(), width=width, soft_wrap=True)
        screen.print(report._bar.get_renderable())
    first, *below = screen.file.getvalue().splitlines()
    assert re.fullmatch(r" *1200/24000 [━╸╺ ]+ \d:\d\d:\d\d about 19 min left *", first)
    assert " ".join(" ".join(below).split()) == "; ".join([*running[:2], "and 1 more"])
    assert max(map(len, (first, *below))) <= width


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "60 min"), (7200, "2.0 h")]
)
def test_durations(seconds, text):
    assert _duration(seconds) == text
