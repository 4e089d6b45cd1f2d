"""`slicebench run` speaks of the file that is there now, in new run folders and in old ones."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from slicebench.problems.cache import built_problem
from slicebench.problems.shelf import freeze
from slicebench.runs.plan import plan
from slicebench.runs.runner import plan_run, run
from slicebench.runs.store import RunStore, load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits
from tests.problems.test_files_read import SUITE, write


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(0.7)
    return tmp_path


def run_here(out, **options):
    suite = parse_suite(SUITE.replace("[0, 1]", "[0]"), "here")
    return run(suite, plan(suite), out=out, limits=Limits(jobs=1), **options)


def accuracy(outcome):
    (_, record) = outcome.records[0]
    assert record.status == "ok", record.reason
    return record.base_model.accuracy


def test_a_replaced_file_in_a_new_and_in_an_old_run_folder(here, caplog):
    caplog.set_level(logging.INFO, "slicebench")
    first = run_here(here / "out")
    assert 0.5 < accuracy(first) < 0.9
    assert run_here(here / "out").computed == 0
    assert not caplog.messages, "nothing has changed"
    write(1.0)
    assert accuracy(run_here(here / "new")) == 1
    assert not caplog.messages, "the new folder has no older records"
    again = run_here(here / "out")
    assert (again.computed, accuracy(again)) == (1, 1)
    assert caplog.messages == ["mine: the records in the folder are of other files or parameters; it runs again"]
    assert [r.base_model.accuracy for r in load_run(here / "out").records.values()] == [1], "reports show the new one"


def test_a_dry_run_says_that_a_changed_file_runs(here):
    cells = plan(parse_suite(SUITE.replace("[0, 1]", "[0]"), "here"))
    run_here(here / "out")
    assert [one.action for one in plan_run(cells, RunStore(here / "out"))] == ["done"]
    write(0.9)
    cells = plan(parse_suite(SUITE.replace("[0, 1]", "[0]"), "here"))
    assert [one.action for one in plan_run(cells, RunStore(here / "out"))] == ["run"]


def test_the_same_path_in_another_folder_is_another_problem(here, monkeypatch):
    run_here(Path("out"))
    (here / "second").mkdir()
    monkeypatch.chdir(here / "second")
    write(1.0)
    assert accuracy(run_here(Path("out"))) == 1


def test_the_same_content_in_another_folder_is_not_built_again(here, monkeypatch):
    folder = built_problem(plan(parse_suite(SUITE, "here"))[0].problem)
    (here / "second").mkdir()
    monkeypatch.chdir(here / "second")
    write(0.7)
    again = built_problem(plan(parse_suite(SUITE, "here"))[0].problem)
    assert again.provenance == folder.provenance
    assert again.test.ids.tolist() == folder.test.ids.tolist()


def test_a_frozen_problem_runs_where_its_file_is_not(here):
    freeze(plan(parse_suite(SUITE, "here"))[0].problem, here / "shelf")
    expected = accuracy(run_here(here / "with-file"))
    (here / "mine.csv").unlink()
    outcome = run_here(here / "out", problems=here / "shelf")
    assert accuracy(outcome) == expected
    assert run_here(here / "out", problems=here / "shelf").computed == 0
    without = run_here(here / "without")
    assert "there is no such file" in without.failed[0][1].reason


def test_records_of_files_that_are_not_here_are_kept_and_that_is_told(here, caplog):
    """So a run on a cluster whose workers have the data can be resumed."""
    suite = parse_suite(SUITE, "here")
    cells = [replace(cell, problem=replace(cell.problem, sources={}, unseen=True)) for cell in plan(suite)]
    with caplog.at_level(logging.INFO, "slicebench"):
        assert run(suite, cells, out=here / "out", limits=Limits(jobs=1)).computed == 2
        assert not caplog.messages
        assert run(suite, cells, out=here / "out", limits=Limits(jobs=1)).computed == 0
    assert caplog.messages == [
        "mine: its files are not on this machine; its records are kept, whatever the files hold now"
    ]
