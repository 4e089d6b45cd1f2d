"""Runs of arms in worker processes: records, resuming, failures, and what must not leak; then the command."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.errors import DataError, StorageError
from slicebench.problems.cache import build_missing, frozen_folder
from slicebench.runs.plan import Filters
from slicebench.runs.suite import ProblemSpec, Suite
from slicebench.runs.tasks import Limits
from slicebench.studies.interventions.accuracy import accuracies
from slicebench.studies.interventions.arm import run_arm, without_leaks
from slicebench.studies.interventions.design import plan_arms
from slicebench.studies.interventions.effects import intervention_board
from slicebench.studies.interventions.run import run_arms
from tests.support.paths import HOSTILE, ROOT

SMALL = {
    "plant": "correlation", "classes": 2, "side": 10, "n_train": 300, "n_val": 200, "n_test": 200, "n_pool": 200, "epochs": 3,
    "width": 4, "ratio": 4.0,
}  # fmt: skip
SUITE = Suite(
    name="small",
    description="",
    seeds=(0,),
    methods=("confidence",),
    problems=(ProblemSpec(name="p", dataset="scenes", params=SMALL),),
)
LIMITS = Limits(jobs=2)
run = CliRunner().invoke


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def small(monkeypatch, own_cache, shared_cache):
    """One problem for this file, and plugins that misbehave."""
    monkeypatch.setenv("SLICEBENCH_CACHE", str(shared_cache))
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def folder(shared_cache):
    """The frozen problem."""
    before = os.environ.get("SLICEBENCH_CACHE")
    os.environ["SLICEBENCH_CACHE"] = str(shared_cache)
    problem = arms_of()[0].problem
    there = frozen_folder(problem)
    build_missing(problem, there)
    os.environ["SLICEBENCH_CACHE"] = before or ""
    return there


def arms_of(*interventions, retrain=2, methods=("confidence",), **options):
    return plan_arms(SUITE, interventions=interventions, filters=Filters(methods=methods), retrain=retrain, **options)


def one(folder, intervention, method=None, *settings, retrain=2):
    methods = (method,) if method else ()
    arms = arms_of(intervention, retrain=retrain, methods=methods or ("confidence",), settings=settings)
    return run_arm(folder, next(arm for arm in arms if (arm.variant.name, arm.method) == (intervention, method)))


def test_a_run_is_resumed_and_its_records_say_what_was_done(tmp_path):
    said = []
    arms = arms_of("filter", settings=("filter.k=10",))
    first = run_arms(arms, out=tmp_path, limits=LIMITS, on_progress=lambda *event: said.append(event))
    assert first.computed == len(arms) == 4
    assert not first.failed
    assert [done for done, _, what in said if not what.startswith("building")] == [1, 2, 3, 4]
    for arm, record in first.records.items():
        assert record.status == "ok"
        assert record.retraining_seeds == (1, 2)
        assert (tmp_path / f"{arm.file}.json").exists()
        assert record.accuracy["overall"] == pytest.approx(tuple(accuracies(first.arrays(arm))["overall"]))
        assert record.trained_on == 300 + (20 if arm.variant.name == "filter" else 0)
    by_method = {arm.method: record for arm, record in first.records.items()}
    assert by_method["oracle"].chosen_minority == 1.0
    assert by_method["oracle"].chosen == {"circle": 10.0, "square": 10.0}
    assert by_method[None].chosen_minority is None
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    again = run_arms(arms, out=tmp_path, limits=LIMITS)
    assert again.computed == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == times
    assert intervention_board(again, "s") == intervention_board(first, "s")
    forced = run_arms(arms[:1], out=tmp_path, limits=LIMITS, force=True)
    assert forced.computed == 1
    assert forced.records[arms[0]].accuracy == first.records[arms[0]].accuracy


def test_arms_that_fail_cost_themselves_only_and_run_again(tmp_path):
    arms = arms_of("filter", methods=("raises", "exits", "declines", "wrong_shape"), retrain=1)
    outcome = run_arms(arms, out=tmp_path, limits=LIMITS)
    found = {arm.method: (record.status, record.reason) for arm, record in outcome.records.items()}
    assert found["raises"] == ("failed", "RuntimeError: no such luck")
    assert found["exits"][0] == "failed"
    assert "exit code 1" in found["exits"][1]
    assert found["declines"][0] == "skipped"
    assert found["wrong_shape"][0] == "failed"
    assert {found[m][0] for m in (None, "random", "oracle")} == {"ok"}
    board = intervention_board(outcome, "s")
    assert {row.method for row in board.rows if row.missing} == {"raises", "exits", "declines", "wrong_shape"}
    assert run_arms(arms, out=tmp_path, limits=LIMITS).computed == 4


def test_a_damaged_record_is_named(tmp_path):
    arms = arms_of("filter")[:1]
    run_arms(arms, out=tmp_path, limits=LIMITS)
    path = tmp_path / f"{arms[0].file}.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(StorageError, match="delete this file and run again"):
        run_arms(arms, out=tmp_path, limits=LIMITS)
    assert run_arms(arms, out=tmp_path, limits=LIMITS, force=True).computed == 1


def test_a_problem_that_cannot_be_built_fails_its_arms(tmp_path):
    suite = SUITE.model_copy(update={"problems": (ProblemSpec(name="u", dataset="unbuildable"),)})
    arms = plan_arms(suite, interventions=("filter",), retrain=1)
    outcome = run_arms(arms, out=tmp_path, limits=LIMITS)
    assert all("could not be built" in record.reason for record in outcome.failed.values())
    assert len(outcome.failed) == len(arms)
    assert intervention_board(outcome, "s").base == {}


def test_frozen_problems_are_taken_from_a_shelf(tmp_path, folder):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "p.s0").symlink_to(folder)
    os.environ["SLICEBENCH_CACHE"] = str(tmp_path / "empty")
    outcome = run_arms(arms_of("filter")[:1], out=tmp_path / "run", problems=tmp_path / "shelf", limits=LIMITS)
    assert not outcome.failed
    assert not (tmp_path / "empty" / "problems-3").exists()
    with pytest.raises(StorageError, match="holds no frozen problems"):
        run_arms(arms_of("filter"), out=tmp_path / "other", problems=tmp_path / "run", limits=LIMITS)


def test_the_same_seeds_train_the_same_models_in_every_arm(folder):
    """An intervention that chooses everything, or nothing of weight, is no intervention, to the bit."""
    none = one(folder, "none").arrays["correct"]
    same = one(folder, "upweight", "confidence", "upweight.factor=1").arrays["correct"]
    assert np.array_equal(none, same)
    assert not np.array_equal(none[0], none[1])


def test_random_draws_anew_for_every_seed_and_a_method_without_chance_does_not(folder):
    from slicebench.studies.interventions import arm as cell

    seen = {}
    for method in ("random", "confidence"):
        arm = next(a for a in arms_of("filter", settings=("filter.k=10",)) if a.method == method)
        header, (data, test) = cell.load_header(folder), cell.load_audit(folder)
        treatments = cell._train(arm, arm.variant.make(), header, data, test, None).treatments
        seen[method] = len({tuple(t.chosen) for t in treatments})
    assert seen == {"random": 2, "confidence": 1}


def test_the_truth_is_read_after_training_except_for_the_oracle(folder, monkeypatch):
    from slicebench.studies.interventions import arm as cell

    order = []
    load, train = cell.load_truth, cell._train
    monkeypatch.setattr(cell, "load_truth", lambda *a: order.append("truth") or load(*a))
    monkeypatch.setattr(cell, "_train", lambda *a: order.append("train") or train(*a))
    one(folder, "filter", "confidence")
    assert order == ["train", "truth"]
    order.clear()
    one(folder, "filter", "oracle")
    assert order == ["truth", "train"]


def test_pool_images_that_may_be_test_images_are_taken_away(folder):
    from dataclasses import replace

    from slicebench.problems.frozen import load_audit

    data, test = load_audit(folder)
    copied = replace(
        data.pool,
        embeddings=np.concatenate([test.embeddings[:5], data.pool.embeddings[5:]]),
        labels=np.concatenate([test.labels[:5], data.pool.labels[5:]]),
    )
    left, notes = without_leaks(replace(data, pool=copied), test)
    kept = left.pool
    assert notes == (f"{copied.n - kept.n} of 200 pool examples are left out: they may be copies of test examples",)
    assert not np.isin(copied.ids[:5], kept.ids).any()
    assert kept.n > 100
    all_copies = replace(data.pool.take(np.arange(5)), embeddings=test.embeddings[:5], labels=test.labels[:5])
    with pytest.raises(DataError, match="may be a copy"):
        without_leaks(replace(data, pool=all_copies), test)


def test_debugging_records_what_its_table_shows(folder):
    result = one(folder, "dcd", None, "dcd.n=3", "dcd.n_val=1", "dcd.models=2")
    record = result.record
    assert record.status == "ok", record.reason
    assert {"seed", "heldout", "heldout_all", "deval", "overall"} <= record.accuracy.keys()
    assert record.measures["dimensions"] == 64
    assert record.measures["seeds"] > 0
    assert record.measures["megabytes"] > 0
    assert 0 < sum(record.chosen.values()) <= 3 * record.measures["seeds"]
    assert record.trained_on == 300 + sum(record.chosen.values())


def test_complete_takes_the_pool_and_random_as_many_as_the_nearest(folder):
    nearest, random = (one(folder, "dcd", None, f"dcd.selection={s}", "dcd.n=2").record for s in ("nearest", "random"))
    assert nearest.chosen == random.chosen
    complete = one(folder, "dcd", None, "dcd.selection=complete", "dcd.n_val=0").record
    assert sum(complete.chosen.values()) > 180


def test_synthesis_generates_what_the_caption_says(folder):
    record = one(folder, "synthesise", "oracle", "synthesise.n=20", "synthesise.epochs=2").record
    assert record.status == "ok", record.reason
    assert record.trained_on == 300 + 40
    assert {"near_hard", "near_easy"} <= record.accuracy.keys()
    assert any(note.startswith("circle: '") for note in record.notes)


def test_native_repairs_are_recorded_and_others_skipped(folder):
    assert one(folder, "native", "early_stopping").record.status == "ok"
    skipped = one(folder, "native", "confidence").record
    assert (skipped.status, "no rule of its own" in skipped.reason) == ("skipped", True)


@pytest.fixture
def suite_file(tmp_path):
    params = ", ".join(f"{key} = {json.dumps(value)}" for key, value in SMALL.items())
    path = tmp_path / "small.toml"
    head = 'name = "small"\ndescription = "d"\nseeds = [0]\nmethods = ["confidence"]\n'
    path.write_text(f'{head}\n[[problems]]\nname = "p"\ndataset = "scenes"\nparams = {{ {params} }}\n')
    return str(path)


def test_the_command_prints_tables_and_keeps_a_board(tmp_path, suite_file):
    out = tmp_path / "run"
    asked = ["intervene", "--suite", suite_file, "--retrain", "2", "--out", str(out), "--intervention", "filter"]
    asked += ["--set", "filter.k=10", "--jobs", "2"]
    assert "filter" not in run(app, [*asked, "--dry-run"]).stdout  # counts by problem and method
    dry = run(app, [*asked, "--dry-run", "--verbose"])
    assert dry.exit_code == 0
    assert "run  p s0 filter k=10 oracle" in dry.stdout
    assert not out.exists()
    shown = run(app, asked)
    assert shown.exit_code == 0, shown.stderr
    assert "filter k=10 confidence" in shown.stdout
    assert "4 arms run" in shown.stderr
    board = json.loads((out / "interventions.json").read_text())
    again = run(app, [*asked, "--json"])
    assert json.loads(again.stdout) == board
    assert "0 arms run" in again.stderr
    assert "done p s0 none" in run(app, [*asked, "--dry-run", "--verbose"]).stdout


def test_the_command_tells_of_failed_arms(tmp_path, suite_file):
    asked = ["intervene", "--suite", suite_file, "--retrain", "1", "--out", str(tmp_path / "run"), "--method", "raises"]
    shown = run(app, [*asked, "--intervention", "filter", "--jobs", "2"])
    assert shown.exit_code == 1
    assert "failed: p s0 filter raises: RuntimeError: no such luck" in shown.stderr


def test_a_picture_is_drawn(tmp_path, suite_file):
    pytest.importorskip("matplotlib")
    from PIL import Image

    asked = ["intervene", "--suite", suite_file, "--retrain", "1", "--out", str(tmp_path / "run"), "--jobs", "2"]
    for name, extra in (("dots", ()), ("curve", ("--intervention", "filter", "--set", "filter.k=5,10,20"))):
        path = tmp_path / f"{name}.png"
        shown = run(app, [*asked, *extra, "--picture", str(path)])
        assert shown.exit_code == 0, shown.stderr
        assert Image.open(path).size[0] > 500
    with pytest.raises(Exception, match=r"ends in \.png"):
        run(app, [*asked, "--picture", "x.jpg"], catch_exceptions=False)
