"""Runs: hostile methods cost their own cell, what is done stays done, and a kill at any moment loses nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from slicebench.errors import ConfigError, StorageError
from slicebench.problems.cache import frozen_folder
from slicebench.runs.plan import Filters, plan
from slicebench.runs.runner import plan_run, run
from slicebench.runs.store import RunStore, entry_of, load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits
from tests.support.paths import HOSTILE, ROOT

SUITE = """
name = "small"
seeds = [0, 1]
methods = ["gentle", "random"]
[[problems]]
name = "first"
dataset = "tiny"
[[problems]]
name = "second"
dataset = "tiny"
params = { n = 60 }
"""


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]))


def small(methods="", **options):
    text = SUITE if not methods else SUITE.replace('"gentle", "random"', ", ".join(f'"{m}"' for m in methods.split()))
    return parse_suite(text, "x"), options


def files(folder):
    return {p.relative_to(folder): (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.glob("records/**/*.json")}


def test_a_run_fills_the_folder_and_a_rerun_does_nothing(tmp_path):
    suite, _ = small()
    events = []
    outcome = run(suite, plan(suite), out=tmp_path, limits=Limits(jobs=2), on_progress=events.append)
    assert (outcome.computed, outcome.missing, outcome.interrupted) == (8, 0, False)
    assert {r.status for _, r in outcome.records} == {"ok"}
    assert {r.problem for _, r in outcome.records} == {"first", "second"}
    assert [str(c) for c, _ in outcome.records] == [str(c) for c in plan(suite)]
    assert [e.done for e in events if e.record] == list(range(1, 9))
    assert sum(e.record is None for e in events) == 4
    before = files(tmp_path)
    assert len(before) == 8
    again = run(suite, plan(suite), out=tmp_path)
    assert again.computed == 0
    assert [r for _, r in again.records] == [r for _, r in outcome.records]
    assert files(tmp_path) == before


def test_the_folder_alone_reproduces_the_metric(tmp_path):
    from slicebench.metrics.ranking import Ranking, namf

    suite, _ = small()
    run(suite, plan(suite), out=tmp_path)
    found = load_run(tmp_path)
    for entry in found.entries:
        ids, scores = found.store.scores(entry)
        truth = found.store.truth(entry)
        assert ids.tolist() == truth.ids.tolist()
        by_class = [
            namf(Ranking.of(scores.hardness[truth.labels == c], truth.minority[truth.labels == c])) for c in (0, 1)
        ]
        assert np.mean(by_class) == pytest.approx(found.records[entry.slot].metrics["namf"], abs=1e-12)


def test_force_recomputes_and_only_what_is_asked_for(tmp_path):
    suite, _ = small()
    run(suite, plan(suite), out=tmp_path)
    before = files(tmp_path)
    outcome = run(suite, plan(suite, Filters(methods=("gentle",), seeds=(1,))), out=tmp_path, force=True)
    assert outcome.computed == 2
    after = files(tmp_path)
    changed = {p for p in after if after[p] != before[p]}
    assert {(p.parent.name, p.name.split("-")[0]) for p in changed} == {("first.s1", "gentle"), ("second.s1", "gentle")}
    assert len(load_run(tmp_path).entries) == 8  # the other cells stay part of the run


def test_every_hostile_method_costs_its_own_cells_only(tmp_path):
    suite, _ = small("gentle raises hangs eats exits wrong_shape not_a_number declines random")
    outcome = run(suite, plan(suite), out=tmp_path, limits=Limits(jobs=2, timeout_s=3, memory_gb=0.5))
    reasons = {}
    for cell, record in outcome.records:
        reasons.setdefault((cell.method, record.status), set()).add(record.reason)
    assert {m for m, status in reasons if status == "ok"} == {"gentle", "random"}
    assert reasons["declines", "skipped"] == {"needs a quieter place"}
    expected = {
        "raises": "RuntimeError: no such luck",
        "hangs": "stopped after 3 s, the time limit",
        "eats": "",
        "exits": "the worker process died (exit code 1)",
        "wrong_shape": "MethodError: WrongShape.score returned ",
        "not_a_number": "DataError: hardness is nan at row 0",
    }
    for method, said in expected.items():
        (status,) = {s for m, s in reasons if m == method}
        assert status == "failed", method
        assert all(said in reason for reason in reasons[method, "failed"]), reasons[method, "failed"]
    assert all("emory" in r or "limit" in r for r in reasons["eats", "failed"])
    assert len(outcome.records) == 36
    assert outcome.missing == 0


def test_a_silent_exit_is_noticed_before_the_time_limit(tmp_path):
    suite = parse_suite(SUITE.replace('"gentle", "random"', '"exits"') + "[method_params.exits]\ncode = 0\n", "x")
    start = time.monotonic()
    outcome = run(suite, plan(suite)[:1], out=tmp_path, limits=Limits(timeout_s=60))
    assert outcome.records[0][1].reason == "the worker process died (exit code 0)"
    assert time.monotonic() - start < 30


def test_failed_and_skipped_cells_run_again_and_the_plan_says_why(tmp_path):
    suite, _ = small("gentle raises declines")
    cells = [c for c in plan(suite) if str(c.problem) == "first s0"]
    run(suite, cells, out=tmp_path)
    planned = plan_run(cells, RunStore(tmp_path))
    assert [p.action for p in planned] == ["done", "run", "run"]
    assert "RuntimeError: no such luck" in planned[1].why
    assert planned[2].why == "skipped last time: needs a quieter place"
    assert [p.why for p in plan_run(cells, RunStore(tmp_path), force=True)] == ["--force"] * 3
    assert run(suite, cells, out=tmp_path).computed == 2


def test_a_failed_build_fails_its_cells_with_its_reason(tmp_path):
    suite = parse_suite(SUITE.replace('dataset = "tiny"', 'dataset = "unbuildable"', 1), "x")
    outcome = run(suite, plan(suite), out=tmp_path)
    by_problem = {name: [r for c, r in outcome.records if c.problem.name == name] for name in ("first", "second")}
    assert {r.status for r in by_problem["second"]} == {"ok"}
    assert {r.reason for r in by_problem["first"]} == {
        "the problem could not be built: OSError: the disk of the data went away"
    }
    assert {(r.problem, r.family, r.encoder) for r in by_problem["first"]} == {("first", "tiny", "unknown")}


def test_a_build_has_limits_too(tmp_path):
    suite = parse_suite(SUITE.replace('dataset = "tiny"', 'dataset = "tiny"\nparams = { delay = 60.0 }', 1), "x")
    outcome = run(suite, plan(suite, Filters(seeds=(0,))), out=tmp_path, limits=Limits(timeout_s=2))
    assert {r.reason for _, r in outcome.failed} == {
        "the problem could not be built: stopped after 2 s, the time limit"
    }
    assert len(outcome.failed) == 2


def test_problems_are_built_once_and_shared_between_runs(tmp_path):
    suite, _ = small()
    cells = plan(suite)
    run(suite, cells, out=tmp_path / "one")
    built = {c.problem.identity: frozen_folder(c.problem).stat().st_mtime_ns for c in cells}
    run(suite, cells, out=tmp_path / "two")
    assert {c.problem.identity: frozen_folder(c.problem).stat().st_mtime_ns for c in cells} == built


def test_the_same_run_again_gives_the_same_numbers(tmp_path):
    suite, _ = small()
    one = run(suite, plan(suite), out=tmp_path / "one", limits=Limits(jobs=1))
    two = run(suite, plan(suite), out=tmp_path / "two", limits=Limits(jobs=2))
    assert [r.metrics for _, r in one.records] == [r.metrics for _, r in two.records]


def test_an_unreadable_record_stops_before_any_work(tmp_path):
    suite, _ = small()
    cells = plan(suite)
    run(suite, cells[:1], out=tmp_path)
    entry = entry_of(cells[0])
    path = tmp_path / entry.folder / f"{entry.record}.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(StorageError, match=path.name):
        run(suite, cells, out=tmp_path)
    assert run(suite, cells[:1], out=tmp_path, force=True).records[0][1].status == "ok"


@pytest.mark.parametrize("limits", [{"jobs": 0}, {"timeout_s": -1.0}, {"memory_gb": 0.0}, {"timeout_s": float("nan")}])
def test_limits_must_be_positive(limits):
    with pytest.raises(ConfigError, match="more than 0"):
        Limits(**limits)


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    suite, _ = small("gentle hangs")
    ended = []

    def interrupt(progress):
        if progress.record is not None:
            ended.append(progress.cell)
            if len(ended) == 2:
                threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()

    start = time.monotonic()
    outcome = run(suite, plan(suite), out=tmp_path, limits=Limits(jobs=2), on_progress=interrupt)
    assert outcome.interrupted
    assert time.monotonic() - start < 30
    assert outcome.missing == 8 - outcome.computed > 0
    assert len(files(tmp_path)) == outcome.computed >= 2


def killed_run(folder, after_s, **environment):
    """Run the whole suite in a process group of its own and kill that group after some time; whether it was still alive."""
    folder.mkdir(exist_ok=True)
    suite = folder / "suite.toml"
    methods = '"gentle", "slow", "random", "declines"'
    text = SUITE.replace('"gentle", "random"', methods).replace("[0, 1]", "[0, 1, 2]")
    suite.write_text(text.replace('dataset = "tiny"', 'dataset = "tiny"\nparams = { delay = 0.1 }', 1))
    command = [sys.executable, "-m", "slicebench", "run", "--suite", str(suite), "--out", str(folder / "run")]
    started = subprocess.Popen(
        command,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        started.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return True
    assert started.returncode == 0, started.stderr.read().decode()
    started.stderr.close()
    return False


def finished(folder):
    """Inode and time of every record that says "ok"."""
    run_folder = folder / "run"
    if not (run_folder / "run.json").exists():
        return {}
    found = load_run(run_folder)
    done = [e for e in found.entries if e.slot in found.records and found.records[e.slot].status == "ok"]
    for entry in done:
        found.store.scores(entry)
        found.store.truth(entry)
    return {e.slot: _stamp(run_folder / e.folder / f"{e.record}.json") for e in done}


def _stamp(path):
    return path.stat().st_mtime_ns, path.stat().st_ino


def kill_at_random_moments(folder, kills, seed):
    """Kill at moments spread over what an undisturbed run takes here and now; how many kills met a living run."""
    rng = random.Random(seed)
    folder.mkdir(exist_ok=True)
    start = time.monotonic()
    assert not killed_run(folder / "rehearsal", 300, SLICEBENCH_CACHE=str(folder / "rehearsal" / "cache"))
    whole = time.monotonic() - start
    known, killed = {}, 0
    for _ in range(kills):
        killed += killed_run(folder, rng.uniform(0.1, 0.9) * whole)
        now = finished(folder)
        assert {slot: now.get(slot) for slot in known} == known, "a finished cell was recomputed or lost"
        known = now
    killed_run(folder, 300)
    now = finished(folder)
    assert {slot: now[slot] for slot in known} == known
    assert len(now) == 18
    assert len(load_run(folder / "run").records) == 24
    assert not list((folder / "run").glob("**/.*.tmp"))
    return killed


def test_kill_nine_loses_no_finished_cell(tmp_path):
    # on a machine whose load changes a run may be over before it is killed
    assert any(kill_at_random_moments(tmp_path / str(again), kills=3, seed=again) for again in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_kill_nine_at_twenty_moments(tmp_path, seed):
    assert kill_at_random_moments(tmp_path, kills=5, seed=seed + 1) >= 2
