"""Gradations: the runs are those requested, numbers are those of the records, and errors are clear."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from slicebench.cli.commands.studies.sweep import sweep_command
from slicebench.errors import ConfigError, PluginError, SlicebenchError, StorageError
from slicebench.plugins.registry import METHODS
from slicebench.problems.cache import frozen_folder
from slicebench.problems.frozen import load_problem
from slicebench.runs.plan import plan
from slicebench.runs.suite import load_suite
from slicebench.runs.tasks import Limits
from slicebench.studies.sweep import run_sweep, sweep_of_dataset, sweep_of_problem, sweep_report
from slicebench.studies.sweep.picture import draw_sweep
from slicebench.studies.sweep.run import strength_figures
from slicebench.studies.sweep.summary import base_figure
from tests.support.paths import HOSTILE, ROOT

SMALL = ("n_train=400", "n_test=300", "plant=linear", "signal=2", "epochs=3")
TWO = Limits(jobs=2)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A sweep of val's size with permutations, its outcome and its folder; the cache stays for the module."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICEBENCH_CACHE", str(folder / "cache"))
        sweep = sweep_of_dataset("gaussian", "n_val=100,200,400", SMALL, seeds=(0, 1))
        outcome = run_sweep(sweep, out=folder / "run", limits=TWO, permutations=19)
        problems = {
            c.problem.name: load_problem(frozen_folder(c.problem)) for c in plan(sweep.suite()) if not c.problem.seed
        }
    return sweep, outcome, folder / "run", problems


@pytest.fixture
def command(monkeypatch, tmp_path):
    """The command as `slicebench` runs it: what it printed, and its exit code."""
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT)]))
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(sweep_command)

    def call(*arguments):
        result = CliRunner().invoke(app, [*arguments, "--jobs", "2"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_values_take_the_type_of_the_parameter():
    ratio = sweep_of_dataset("scenes", "ratio=1,2.5", ("plant=rare", "n_val=300", "keep=1"))
    assert [(type(v), v) for v in ratio.values] == [(float, 1.0), (float, 2.5)]
    assert ratio.fixed == {"plant": "rare", "n_val": 300, "keep": 1.0}
    assert sweep_of_dataset("scenes", "n_val=100, 200").values == (100, 200)
    assert sweep_of_dataset("gaussian", "train_minority=0.1,0.2", ("losses_only=true",)).fixed == {"losses_only": True}
    assert sweep_of_dataset("colored_digits", "p=0.1,0.2", ("root=8",)).fixed == {"root": "8"}


def test_a_problem_of_a_suite_is_the_base_and_shares_what_is_built():
    suite = load_suite("standard")
    sweep = sweep_of_problem(suite, "scenes-correlation", "ratio=3,6", methods=("svm_directions",))
    cells = {c.problem.name: c for c in plan(sweep.suite()) if c.problem.seed == 0}
    assert list(cells) == ["scenes-correlation-ratio-3", "scenes-correlation-ratio-6"]
    (of_suite,) = [c for c in plan(suite) if (str(c.problem), c.method) == ("scenes-correlation s0", "svm_directions")]
    assert cells["scenes-correlation-ratio-3"].problem.identity == of_suite.problem.identity
    assert cells["scenes-correlation-ratio-3"].method_params == of_suite.method_params
    assert "ratio" not in sweep.fixed


@pytest.mark.parametrize(
    ("dataset", "param", "settings", "error", "says"),
    [
        ("scenes", "ratio", (), ConfigError, "expected name=v1,v2"),
        ("scenes", "ratio=", (), ConfigError, "expected name=v1,v2"),
        ("scenes", "ratio=2", (), ConfigError, "two or more different values"),
        ("scenes", "ratio=2,2.0", (), ConfigError, "two or more different values"),
        ("scenes", "ratoi=1,2", (), ConfigError, "did you mean 'ratio'"),
        ("scenes", "plant=rare,none", (), ConfigError, "plant is not a numeric parameter; numeric are side, n_train"),
        ("gaussian", "losses_only=0,1", (), ConfigError, "not a numeric parameter"),
        ("scenes", "ratio=1,two", (), ConfigError, "'two'; expected a number"),
        ("scenes", "ratio=1,inf", (), ConfigError, "finite"),
        ("scenes", "n_val=100,150.5", (), ConfigError, "'150.5'; expected a whole number"),
        ("scenes", "ratio=1,2", ("noise",), ConfigError, "--set noise: expected name=value"),
        ("scenes", "ratio=1,2", ("ratio=3",), ConfigError, "'ratio' is the swept parameter"),
        ("scenes", "ratio=1,2", ("noise=0", "noise=1"), ConfigError, "'noise' is set twice"),
        ("scenes", "ratio=1,2", ("nosie=0",), ConfigError, "did you mean 'noise'"),
        ("gaussian", "flip=0.1,0.2", ("losses_only=maybe",), ConfigError, "expected true or false"),
        ("scense", "ratio=1,2", (), PluginError, "did you mean 'scenes'"),
    ],
)
def test_mistakes_are_told_before_any_work(dataset, param, settings, error, says):
    with pytest.raises(error, match=says.replace("(", r"\(")):
        sweep_of_dataset(dataset, param, settings)


def test_values_out_of_bounds_are_told_before_any_work(tmp_path):
    with pytest.raises(ConfigError, match=r"scenes-ratio-0\.5.*ratio is 0\.5; expected a number from 1"):
        run_sweep(sweep_of_dataset("scenes", "ratio=0.5,2"), out=tmp_path / "run")
    with pytest.raises(ConfigError, match="permutations is 5; expected 0, or 19"):
        run_sweep(sweep_of_dataset("scenes", "ratio=1,2"), out=tmp_path / "run", permutations=5)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("dataset", "param"),
    [
        ("scenes", "n_val=200,400"),
        ("colored_digits", "n_val=200,400"),
        ("digit_subtypes", "n_val=200,400"),
        ("noisy_digits", "n_val=200,400"),
        ("gaussian", "n_val=200,400"),
        ("gaussian", "minority=0.1,0.2"),
        ("gaussian", "flip=0.1,0.4"),
        ("colored_digits", "label_noise=0.1,0.4"),
        ("digit_subtypes", "keep=0.1,1"),
    ],
)
def test_what_gradations_are_asked_for_can_be_planned(dataset, param):
    sweep = sweep_of_dataset(dataset, param)
    problems = {cell.problem.name: cell.problem for cell in plan(sweep.suite())}
    assert [p.params[sweep.param] for p in problems.values()] == list(sweep.values)
    assert len({p.identity for p in problems.values()}) == len(sweep.values)


def test_the_swept_parameter_is_what_changes(done):
    _, _, _, problems = done
    assert [p.data.val.n for p in problems.values()] == [100, 200, 400]
    assert {(p.data.train.n, p.test.n) for p in problems.values()} == {(400, 300)}


def test_rows_are_means_over_the_records(done):
    sweep, outcome, _, _ = done
    report = sweep_report(outcome, "mf_at_10")
    assert [row.value for row in report.rows] == [100, 200, 400]
    records = {(r.problem, r.seed, r.method): r for _, r in outcome.run.records}
    for row in report.rows:
        own = [records[row.problem, seed, "svm_directions"] for seed in sweep.seeds]
        cell = row.cells["svm_directions"]
        assert cell.metric.mean == pytest.approx(fmean(r.metrics["mf_at_10"] for r in own))
        assert cell.strength.mean == pytest.approx(fmean(fmean(r.strength.values()) for r in own))
        assert row.accuracy.mean == pytest.approx(fmean(r.base_model.accuracy for r in own))
        assert row.accuracy.low < row.accuracy.mean < row.accuracy.high
        assert row.cells["confidence"].strength is None
        assert cell.missing is None


def test_figures_of_the_base_model_are_counted_on_the_test_split(done):
    _, outcome, _, problems = done
    models = {(r.problem, r.seed): r.base_model for _, r in outcome.run.records}
    for name, problem in problems.items():
        minority, wrong = problem.truth.minority(problem.test.ids), ~problem.test.correct
        share = base_figure(models[name, 0], "minority_share_of_errors")
        assert share == pytest.approx(minority[wrong].mean())
        for c, figures in enumerate(outcome.figures[name, 0].classes.values()):
            of_class = problem.test.labels == c
            assert figures.minority_accuracy == pytest.approx(1 - wrong[of_class & minority].mean())
            assert figures.minority_share_of_errors == pytest.approx(minority[of_class & wrong].mean())


def test_trends_are_spearmans_over_values_and_seeds(done):
    from scipy.stats import spearmanr

    _, outcome, _, _ = done
    found = {(t.what, t.method, t.against): t for t in sweep_report(outcome).trends}
    records = [r for _, r in outcome.run.records if r.method == "svm_directions"]
    sizes = [r.dataset_params["n_val"] for r in records]
    for what, values in {
        "namf": [r.metrics["namf"] for r in records],
        "strength": [fmean(r.strength.values()) for r in records],
    }.items():
        trend = found[what, "svm_directions", "n_val"]
        assert (trend.points, trend.per_class) == (6, False)
        assert trend.rho == pytest.approx(spearmanr(values, sizes).statistic)
        assert 0 < trend.p <= 1
    assert found["accuracy", None, "n_val"].rho == pytest.approx(0)  # val does not touch the model
    assert ("strength", "confidence", "n_val") not in found
    by_class = found["strength", "svm_directions", "minority_accuracy"]
    assert (by_class.points, by_class.per_class) == (2 * len(records), True)


def test_strengths_are_tested_and_kept(done, monkeypatch):
    sweep, outcome, folder, _ = done
    report = sweep_report(outcome, permutations=19)
    assert not outcome.failures
    assert len(outcome.strengths) == 6
    for row in report.rows:
        cell, other = row.cells["svm_directions"], row.cells["confidence"]
        assert 1 / 20 <= cell.p <= 1
        assert 0.4 < cell.by_chance < 0.65
        assert other.p is other.significant is other.by_chance is None
    last = report.rows[-1].cells["svm_directions"]
    assert last.significant > 0.5  # with most examples to learn from
    assert last.by_chance < last.strength.mean
    monkeypatch.setattr("slicebench.runs.tasks.LocalExecutor", None)  # whatever runs again raises
    again = run_sweep(sweep, out=folder, limits=TWO, permutations=19)
    assert again.run.computed == 0
    assert sweep_report(again, permutations=19) == report


def test_a_kept_file_that_cannot_be_read_is_named(done, tmp_path):
    sweep, _, folder, _ = done
    path = next(folder.glob("records/*/classes-*.json"))
    whole = path.read_text()
    try:
        path.write_text(whole[:20])
        with pytest.raises(StorageError, match=f"{path.name}.*delete this file and run again"):
            run_sweep(sweep, out=folder, limits=TWO)
    finally:
        path.write_text(whole)


def test_the_picture_is_a_png_and_needs_matplotlib(done, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="pip install 'slicebench[figures]'")
    report = sweep_report(done[1])
    draw_sweep(report, tmp_path / "new" / "sweep.png")
    assert (tmp_path / "new" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"ends in \.png"):
        draw_sweep(report, tmp_path / "sweep.html")
    monkeypatch.setattr("slicebench.results.plots.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"slicebench\[figures\]"):
        draw_sweep(report, tmp_path / "sweep.png")


def test_a_class_without_strength_has_no_p(done):
    """Class 1 has no errors in val: the SVM falls back there, observed and permuted alike."""
    _, _, _, problems = done
    problem = problems["gaussian-n_val-400"]
    val = problem.data.val
    data = replace(problem.data, val=val.take(np.flatnonzero((val.labels == 0) | val.correct)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = strength_figures(METHODS.load("svm_directions")(), data, 19, 0)
    assert found.p["class 1"] is found.by_chance["class 1"] is None
    assert 0 < found.p["class 0"] <= 1


TINY = ("--dataset", "tiny", "--param", "n=60,80,100", "--seed", "0", "--seed", "1")


def test_the_command_prints_runs_once_and_speaks_json(command, tmp_path):
    first = command(*TINY, "--method", "gentle", "--method", "random")
    assert first.exit_code == 0, first.stderr
    assert "12 cells run, 0 failed; records in runs/sweep-tiny-n" in first.stderr
    assert "gentle" in first.stdout
    again = command(*TINY, "--method", "gentle", "--method", "random", "--json")
    assert "0 cells run" in again.stderr
    said = json.loads(again.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert [row["value"] for row in said["rows"]] == [60, 80, 100]
    assert {method for row in said["rows"] for method in row["cells"]} == {"gentle", "random"}
    assert (tmp_path / "runs" / "sweep-tiny-n" / "run.json").exists()


def test_what_fails_costs_its_own_cells_only(command):
    done = command(*TINY, "--method", "gentle", "--method", "raises", "--json")
    assert done.exit_code == 1
    assert "failed: tiny-n-60 s0 raises: RuntimeError: no such luck" in done.stderr
    for row in json.loads(done.stdout)["rows"]:
        assert row["cells"]["gentle"]["metric"] is not None
        assert row["cells"]["raises"]["metric"] is None
        assert row["cells"]["raises"]["missing"].startswith("2 of 2 seeds: RuntimeError: no such luck")


def test_a_value_that_cannot_be_built_leaves_the_others(command):
    settings = [part for setting in ("epochs=1", "n_val=100") for part in ("--set", setting)]
    done = command(
        "--dataset", "colored_digits", "--param", "n_train=100,5000", *settings, "--seed", "0", "--method", "confidence", "--json"
    )  # fmt: skip
    assert done.exit_code == 1
    good, bad = json.loads(done.stdout)["rows"]
    assert good["accuracy"] is not None
    assert bad["accuracy"] is None
    assert "could not be built" in bad["cells"]["confidence"]["missing"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--param", "n=60,80"), "either --dataset NAME or --problem NAME"),
        ((*TINY, "--problem", "scenes-rare"), "either --dataset NAME or --problem NAME"),
        (("--problem", "scene-rare", "--param", "keep=0.1,1"), "did you mean 'scenes-rare'"),
        ((*TINY, "--metric", "namff"), "did you mean 'namf'"),
        ((*TINY, "--picture", "sweep.pdf"), "ends in .png"),
        ((*TINY, "--method", "gentel"), "did you mean 'gentle'"),
        ((*TINY, "--timeout", "0"), "expected more than 0"),
    ],
)
def test_usage_errors_come_before_any_work(command, tmp_path, arguments, says):
    with pytest.raises(SlicebenchError, match=says):
        command(*arguments)
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_in_a_strength_test_says_how_to_go_on(command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("slicebench.studies.sweep.run_sweep", interrupted)
    done = command(*TINY, "--method", "gentle")
    assert done.exit_code == 130
    assert "run the same command again to continue" in done.stderr
