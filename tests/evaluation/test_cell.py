"""Cells: costs, outcomes, a truth that methods cannot reach, and metrics that agree with direct computation."""

from __future__ import annotations

import mmap
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

import numpy as np
import pytest

from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.cell import evaluate, evaluate_cell, measure
from slicebench.evaluation.record import Record
from slicebench.metrics.ranking import METRICS, Ranking, namf
from slicebench.metrics.slices import SLICE_METRICS
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import load_truth, save_problem
from slicebench.testing import example_problem, without_labels

if TYPE_CHECKING:
    from slicebench.data.split import Split


class Constant(SliceMethod):
    requires = frozenset()

    def fit(self, data):
        return self

    def score(self, split):
        return SliceScores(hardness=np.zeros(split.n))


def outcome(method, problem):
    return evaluate(method, problem).record


def test_constant_is_exactly_zero_and_oracle_exactly_one(problem):
    assert outcome(Constant(), problem).metrics["namf"] == 0.0
    record = outcome(METHODS.load("oracle")(), problem)
    assert record.metrics["namf"] == 1.0
    assert record.metrics["flagged_precision"] == 1.0


def test_slices_are_part_of_the_record(problem, tmp_path):
    save_problem(problem, tmp_path / "p")
    for name in ("oracle", "domino"):
        here = outcome(METHODS.load(name)(), problem).slices
        assert here == evaluate_cell(tmp_path / "p", name, {}).record.slices
        assert set(here.metrics) == set(here.chance) == set(SLICE_METRICS)
        assert len(here.per_slice) == here.k
    oracle = outcome(METHODS.load("oracle")(), problem).slices
    assert oracle.metrics["matched_kappa_at_10"] == pytest.approx(1)
    assert oracle.metrics["best_f1"] == oracle.metrics["discovery_rate_8_8"] == 1
    assert [one.group for one in oracle.per_slice] == ["apart"]
    assert outcome(Constant(), problem).slices is None


def test_records_of_schema_version_2_can_be_read(problem):
    described = outcome(METHODS.load("oracle")(), problem).model_dump()
    assert described["schema_version"] == 6
    del described["slices"]
    old = Record.model_validate(described | {"schema_version": 2})
    assert old.slices is None
    assert old.schema_version == 2


def test_random_is_near_zero_on_average(problem):
    Random = METHODS.load("random")
    values = [outcome(Random(seed=s), problem).metrics["namf"] for s in range(40)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert 0.03 < np.std(values) < 0.5


def test_metrics_are_macro_averages_over_classes(problem):
    h = np.random.default_rng(0).random(problem.test.n)
    got = measure(SliceScores(hardness=h), problem.test, problem.truth, problem.data.class_names)
    g = problem.truth.minority(problem.test.ids)
    direct = [namf(Ranking.of(h[rows], g[rows])) for _, rows in problem.test.by_class()]
    assert got.metrics["namf"] == pytest.approx(np.mean(direct))
    assert [got.per_class[c]["namf"] for c in problem.data.class_names] == pytest.approx(direct)
    assert set(got.metrics) == set(got.chance) == set(METRICS)


def test_a_class_without_minority_is_left_out(problem):
    labels = problem.test.labels
    groups = {name: g & (name != "test") for name, g in problem.truth.groups.items()}
    groups["test"] = problem.truth.groups["test"] & (labels == 0)[:, None]
    truth = replace(problem.truth, groups=groups)
    got = measure(SliceScores(hardness=np.zeros(len(labels))), problem.test, truth, problem.data.class_names)
    assert set(got.per_class) == {problem.data.class_names[0]}


def test_nothing_planted_measures_nothing(problem):
    groups = {name: np.zeros((len(keys), 0), bool) for name, keys in problem.truth.ids.items()}
    truth = PlantedTruth(ids=problem.truth.ids, groups=groups, group_names=())
    record = outcome(Constant(), replace(problem, truth=truth))
    assert record.status == "ok"
    assert set(record.metrics.values()) == {None}


def test_losses_only_is_first_class(problem):
    strip = lambda s: replace(s, labels=None, probs=None, correct=None)
    bare = replace(problem, data=without_labels(problem.data), test=strip(problem.test))
    record = outcome(METHODS.load("spotlight")(steps=200), bare)
    assert record.status == "ok"
    assert set(record.per_class) == {"all"}
    assert outcome(METHODS.load("oracle")(), bare).metrics["namf"] == 1.0
    declined = outcome(METHODS.load("confidence")(), bare)
    assert declined.status == "skipped"
    assert "class labels" in declined.reason


def test_a_fallback_is_recorded(problem):
    val = problem.data.val
    rows = np.flatnonzero((val.labels != 1) | val.correct)
    truth = replace(
        problem.truth,
        ids={**problem.truth.ids, "val": val.ids[rows]},
        groups={**problem.truth.groups, "val": problem.truth.groups["val"][rows]},
    )
    without_errors = replace(problem, data=replace(problem.data, val=val.take(rows)), truth=truth)
    record = outcome(METHODS.load("svm_directions")(), without_errors)
    assert record.notes == ("class 1 has no errors to learn from; ranked by confidence",)
    assert record.strength["dog"] is None
    assert record.strength["cat"] > 0.5
    assert (
        outcome(METHODS.load("domino")(n_components=5, max_iter=1), problem).notes[0].startswith("EM did not converge")
    )


class Raises(Constant):
    def fit(self, data):
        raise RuntimeError("no luck")


class WrongLength(Constant):
    def score(self, split):
        return SliceScores(hardness=np.zeros(3))


class NotANumber(Constant):
    def score(self, split):
        return SliceScores(hardness=np.full(split.n, np.nan))


class BareArray(Constant):
    def score(self, split):
        return np.zeros(split.n)


class Writes(Constant):
    def fit(self, data):
        data.val.embeddings[0] = 0
        return self


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Raises(), r"RuntimeError: no luck \(.*test_cell.py:\d+\)"),
        (WrongLength(), "3 rows for 150 examples"),
        (NotANumber(), "hardness is nan at row 0"),
        (BareArray(), "returned ndarray; expected SliceScores"),
        (Writes(), "read-only"),
    ],
)
def test_what_breaks_the_contract_is_recorded(problem, method, reason):
    record = outcome(method, problem)
    assert record.status == "failed"
    assert record.metrics == {}
    import re

    assert re.search(reason, record.reason), record.reason


class Snoops(Constant):
    """Claims the truth without being the oracle."""

    requires = frozenset({"truth"})

    def reveal(self, truth):
        self.truth_ = truth

    def score(self, split):
        return SliceScores(hardness=self.truth_.minority(split.ids).astype(float))


def test_only_the_registered_oracle_is_handed_the_truth(problem):
    record = outcome(Snoops(), problem)
    assert record.status == "failed"
    assert "truth_" in record.reason


def test_the_truth_is_not_in_the_process_while_a_method_runs(problem, tmp_path, monkeypatch):
    """A worker reads the truth from disk only after the method has scored test, and val for its captions."""
    save_problem(problem, tmp_path / "p")
    events = []
    read = load_truth

    def spying(folder, *splits):
        events.append("truth")
        return read(folder, *splits)

    class Watched(Constant):
        def score(self, split):
            events.append("score")
            return super().score(split)

    monkeypatch.setattr("slicebench.evaluation.cell.load_truth", spying)
    load = METHODS.load
    monkeypatch.setattr(METHODS, "load", lambda name: Watched if name == "watched" else load(name))
    assert evaluate_cell(tmp_path / "p", "watched", {}).record.status == "ok"
    assert events == ["score", "score", "truth"]


class Slow(Constant):
    """Sleeps, and takes 60 MB of pages that the process did not hold: an array may get memory that earlier tests gave back."""

    def fit(self, data):
        sleep(1.0)
        self.block_ = mmap.mmap(-1, 60_000_000)
        np.frombuffer(self.block_, dtype=np.uint8)[:] = 1
        return self


def test_cost_counts_wall_cpu_and_memory(problem):
    cheap, slow = outcome(Constant(), problem).cost, outcome(Slow(), problem).cost
    assert slow.fit_s >= 1.0
    assert slow.cpu_s < slow.fit_s, "sleeping is no work"
    assert slow.peak_rss_mb - cheap.peak_rss_mb > 40


def test_training_is_charged_also_when_it_comes_from_the_cache(tmp_path, own_cache):
    folder = tmp_path / "p"
    save_problem(example_problem(), folder)
    first, again = (evaluate_cell(folder, "early_stopping", {}).record.cost for _ in range(2))
    assert first.training_s > 0
    assert again.training_s == pytest.approx(first.training_s)
    assert again.fit_s >= again.training_s


def test_an_oversized_split_cannot_be_scored_by_position(problem):
    """Scores belong to ids: permuting the test split permutes the measurement's input, not its result."""
    h = np.random.default_rng(0).random(problem.test.n)
    order = np.random.default_rng(1).permutation(problem.test.n)
    shuffled: Split = problem.test.take(order)
    straight = measure(SliceScores(hardness=h), problem.test, problem.truth)
    permuted = measure(SliceScores(hardness=h[order]), shuffled, problem.truth)
    assert permuted.metrics == pytest.approx(straight.metrics)


def test_captions_of_the_wrong_shape_cost_the_cell(problem):
    class Wrong(Constant):
        def caption_hardness(self, data):
            return np.zeros((3, 3))

    record = outcome(Wrong(), problem)
    assert record.status == "failed"
    assert record.reason == "MethodError: caption_hardness has shape (3, 3); expected (classes, captions) = (3, 4)"


@pytest.mark.parametrize("name", ["sliceline", "somebody_elses"])
def test_what_libraries_compile_is_kept_where_a_locked_method_may_write(name, tmp_path, monkeypatch):
    """numba would write beside its code, and fail: sliceline did on every problem."""
    from slicebench.evaluation.isolation.permissions import permissions

    monkeypatch.setenv("SLICEBENCH_CACHE", str(tmp_path / "cache"))
    allowed = permissions(name, {}, None, tmp_path)
    place = Path(allowed.environment["NUMBA_CACHE_DIR"])
    assert any(place.is_relative_to(folder) for folder in allowed.writable[1:])
