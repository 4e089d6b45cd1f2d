"""`slicebench controls`: resuming, failures that are reported and run again, and the rates of the real methods."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from slicebench.cli.commands.studies.controls import controls_command
from slicebench.errors import ConfigError, PluginError, StorageError
from slicebench.results.board import ControlBoard
from slicebench.runs.suite import ProblemSpec
from slicebench.runs.tasks import Limits
from slicebench.studies.controls import CONTROLS, design, run_controls
from slicebench.studies.controls.design import CHUNK, chosen_controls, chosen_methods, planned_chunks
from tests.support.paths import HOSTILE, ROOT

SMALL = {"plant": "none", "signal": 1.5, "n_train": 200, "n_val": 200, "n_test": 300}
LIMITS = Limits(jobs=2)


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def small(monkeypatch, own_cache, shared_cache):
    """Problems that are built at once and once for this file, and plugins that misbehave."""
    monkeypatch.setenv("SLICEBENCH_CACHE", str(shared_cache))
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(design, "CLEAN", (ProblemSpec(name="clean", dataset="gaussian", params=SMALL),))
    monkeypatch.setattr(design, "PLANTED", ("gaussian-linear",))


def files(out):
    return {p.relative_to(out): p.stat().st_mtime_ns for p in out.glob("chunks/**/*.json")}


def test_what_is_done_is_not_run_again(tmp_path):
    said = []
    asked = {"methods": ("random", "confidence"), "controls": ("power", "C1", "C0"), "replicates": 6, "limits": LIMITS}
    first = run_controls(out=tmp_path, on_progress=lambda *event: said.append(event), **asked)
    assert [info.key for info in first.board.controls] == ["C0", "C1", "power"]
    assert (first.computed, first.failures) == (8, ())
    assert [done for done, _, what in said if not what.startswith("building")] == list(range(1, 9))
    assert {total for _, total, _ in said} == {8}
    assert {what for _, _, what in said if what.startswith("building")} <= {
        f"building {p}" for p in first.board.problems
    }
    before, text = files(tmp_path), (tmp_path / "controls.json").read_bytes()
    assert len(before) == 8
    again = run_controls(out=tmp_path, **asked)
    assert (again.computed, files(tmp_path)) == (0, before)
    assert (tmp_path / "controls.json").read_bytes() == text
    assert ControlBoard.model_validate_json(text) == first.board
    lost = next(iter(before))
    (tmp_path / lost).unlink()
    resumed = run_controls(out=tmp_path, **asked)
    assert resumed.computed == 1
    assert resumed.board.rows == first.board.rows
    assert {path for path, at in files(tmp_path).items() if at != before[path]} == {lost}


def test_force_and_another_seed_run_again(tmp_path):
    asked = {"methods": ("random",), "controls": ("C0",), "replicates": 2, "limits": Limits(jobs=1)}
    first = run_controls(out=tmp_path, **asked)
    before = files(tmp_path)
    forced = run_controls(out=tmp_path, force=True, **asked)
    assert (forced.computed, forced.board.rows) == (2, first.board.rows)
    after = files(tmp_path)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    plans = [planned_chunks(("random",), ("C0",), 2, seed) for seed in (0, 1)]
    assert not {c.file for c in plans[0]} & {c.file for c in plans[1]}


def test_the_board_counts_every_replicate(tmp_path):
    board = run_controls(out=tmp_path, methods=("confidence",), replicates=60, controls=("C0",), limits=LIMITS).board
    (row,) = board.rows
    assert [(r.control, r.replicates) for r in row.rates] == [("C0", 60)]
    assert [r.hits for r in row.open_rates] == [60]
    assert row.rates[0].hits <= 10
    assert row.returned == {"C0": 1.0}
    assert (board.replicates, board.alpha, row.namf) == (60, 0.05, None)
    assert board.problems == ("clean s0", "clean s1")
    assert board.seconds > 0
    assert all((board.code_version, board.hardware, board.date))


def test_a_bad_method_costs_nobody_else_and_runs_again(tmp_path):
    asked = {"methods": ("raises", "exits", "confidence"), "controls": ("C0",), "replicates": 4, "limits": LIMITS}
    outcome = run_controls(out=tmp_path, **asked)
    rows = {row.method: row for row in outcome.board.rows}
    assert rows["raises"].rates == rows["exits"].rates == ()
    assert rows["raises"].notes == ("C0: 4 of 4 replicates failed, the first with RuntimeError: no such luck",)
    assert "the worker process died" in rows["exits"].notes[0]
    assert rows["confidence"].rates[0].replicates == 4
    assert len(outcome.failures) == 4
    assert run_controls(out=tmp_path, **asked).computed == 4


def test_a_problem_that_cannot_be_built_is_told(tmp_path, monkeypatch):
    specs = (*design.CLEAN, ProblemSpec(name="broken", dataset="unbuildable"))
    monkeypatch.setattr(design, "CLEAN", specs)
    outcome = run_controls(out=tmp_path, methods=("random",), controls=("C0",), replicates=8, limits=LIMITS)
    (row,) = outcome.board.rows
    assert row.rates[0].replicates == 4
    assert "4 of 8 replicates failed" in row.notes[0]
    assert "could not be built: OSError: the disk of the data went away" in row.notes[0]


def test_a_damaged_file_is_named(tmp_path):
    (chunk,) = planned_chunks(("random",), ("C0",), 1, 0)
    path = tmp_path / chunk.file
    path.parent.mkdir(parents=True)
    for damage in (b"{", b"\xff", b'{"replicates": 3}'):
        path.write_bytes(damage)
        with pytest.raises(StorageError, match=rf"{path.name}.*delete this file"):
            run_controls(out=tmp_path, methods=("random",), controls=("C0",), replicates=1)


def test_the_plan_deals_replicates_to_problems(monkeypatch):
    monkeypatch.undo()
    chunks = planned_chunks(("random", "domino"), chosen_controls(()), 230, 0)
    for method in ("random", "domino"):
        for key in CONTROLS:
            mine = [c for c in chunks if (c.cell.method, c.control) == (method, key)]
            assert sorted(i for c in mine for i in c.replicates) == list(range(230))
            assert max(len(c.replicates) for c in mine) <= CHUNK
            shares = [
                sum(len(c.replicates) for c in mine if str(c.cell.problem) == p)
                for p in {str(c.cell.problem) for c in mine}
            ]
            assert len(shares) == (5 if CONTROLS[key].planted else 4)
            assert max(shares) - min(shares) <= 1
    assert len({c.file for c in chunks}) == len(chunks)


def test_names_are_checked():
    assert chosen_controls(("power", "C2")) == ("C2", "power")
    assert "oracle" not in chosen_methods(())
    assert {"svm_directions", "lff", "random"} <= set(chosen_methods(()))
    with pytest.raises(ConfigError, match="knows the truth"):
        chosen_methods(("oracle",))
    with pytest.raises(ConfigError, match=r"no control 'powr'; did you mean 'power'\?"):
        chosen_controls(("powr",))
    with pytest.raises(PluginError, match="domino"):
        planned_chunks(("dominoe",), ("C0",), 1, 0)
    with pytest.raises(ConfigError, match="replicates is 0"):
        run_controls(out=Path("nowhere"), replicates=0)


@pytest.fixture
def call():
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(controls_command)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_the_command(call, tmp_path):
    arguments = ["--control", "C0", "--replicates", "4", "--jobs", "1", "--out", str(tmp_path)]
    done = call(*arguments, "--method", "random", "--json")
    assert done.exit_code == 0, done.output
    board = json.loads(done.stdout)
    assert [row["method"] for row in board["rows"]] == ["random"]
    assert board == json.loads((tmp_path / "controls.json").read_text())
    assert "2 chunks of replicates run" in done.stderr
    plain = call(*arguments, "--method", "random")
    assert "random" in plain.stdout
    assert "0 chunks of replicates run" in plain.stderr
    failed = call(*arguments, "--method", "raises")
    assert failed.exit_code == 1
    assert "failed: C0 raises on clean s0: RuntimeError: no such luck" in failed.stderr
    wrong = call("--control", "C7")
    assert isinstance(wrong.exception, ConfigError)
    assert call("--replicates", "0").exit_code == 2


@pytest.mark.slow
def test_the_real_methods(tmp_path, monkeypatch, own_cache):
    """The command as a user runs it: nothing fails, the null is kept, and what has to be found is."""
    monkeypatch.undo()
    monkeypatch.setenv("SLICEBENCH_CACHE", str(own_cache))
    outcome = run_controls(out=tmp_path, limits=Limits())
    assert outcome.failures == ()
    rows = {row.method: {r.control: r for r in row.rates} for row in outcome.board.rows}
    for method, rates in rows.items():
        assert {r.replicates for r in rates.values()} == {100}, method
        assert rates["C0"].low <= 0.05, method
        assert rates["C4"].low <= 0.05, method
        assert rates["C3"].hits == 0, method
    for row in outcome.board.rows:
        assert row.namf.low - 0.02 <= 0 <= row.namf.high + 0.02, row.method
    for method in ("svm_directions", "lff", "early_stopping"):
        assert rows[method]["power"].rate >= 0.8, method
    for method in ("random", "confidence"):
        assert rows[method]["power"].rate <= 0.15, method
    confidence = next(row for row in outcome.board.rows if row.method == "confidence")
    assert next(r for r in confidence.open_rates if r.control == "C0").rate >= 0.9
