"""Replicates with methods whose rates are known: what finds nothing, what reads the outcomes, what finds the plant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from slicebench.metrics.slices.significance import ALPHA
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench.plugins.registry import DATASETS
from slicebench.problems.frozen import save_problem
from slicebench.problems.planned import PlannedProblem
from slicebench.runs.plan import Cell
from slicebench.studies.controls import replicates as module
from slicebench.studies.controls.design import CONTROLS, Chunk
from slicebench.studies.controls.rates import control_row, matched_bound
from slicebench.studies.controls.replicates import namf_of_permuted, redealt, run_chunk


class RandomSlices(SliceMethod):
    """Eight slices that depend on val and the example's place only."""

    def fit(self, data):
        self.seed_ = abs(hash(tuple(data.val.losses.tolist())))
        return self

    def score(self, split):
        rng = np.random.default_rng(self.seed_)
        membership = (rng.random((split.n, 8)) < 0.2).astype(np.float32)
        return SliceScores(hardness=membership[:, 0].astype(float), membership=membership)


class Errors(RandomSlices):
    """The errors themselves: reads the outcomes."""

    only = None

    def score(self, split):
        mine = True if self.only is None else split.labels == self.only
        return SliceScores(hardness=split.losses, flagged=~split.correct & mine)


class ErrorsOfClass1(Errors):
    only = 1


class WholeClass(RandomSlices):
    def score(self, split):
        return SliceScores(hardness=split.losses, flagged=split.labels == 0)


class Sometimes(RandomSlices):
    """Fails where the first id of val ends in an odd digit."""

    def fit(self, data):
        if int(data.val.ids[0][-1]) % 2:
            raise RuntimeError("no such luck")
        return super().fit(data)


class TooFew(RandomSlices):
    def score(self, split):
        return SliceScores(hardness=split.losses[:-1])


class Picky(RandomSlices):
    def supports(self, data):
        return "needs a quieter place"


FAKES = {c.__name__: c for c in (RandomSlices, Errors, ErrorsOfClass1, WholeClass, Sometimes, TooFew, Picky)}


class Registry:
    def load(self, name):
        from slicebench.plugins.registry import METHODS

        return FAKES.get(name) or METHODS.load(name)


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    monkeypatch.setattr(module, "METHODS", Registry())
    monkeypatch.setattr(module, "N_VAL", 200)


SIZES = {"n_train": 300, "n_val": 700, "n_test": 900}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Frozen problems: a model with errors and no plant, and an easy plant."""
    base = tmp_path_factory.mktemp("problems")
    params = {"clean": {"plant": "none", "signal": 1.5}, "planted": {"plant": "linear", "attenuation": 0.0}}
    for name, given in params.items():
        save_problem(DATASETS.load("gaussian")(**SIZES, **given).build(0), base / name)
    return base


@pytest.fixture
def run(folders):
    def run(method, control, replicates=60, seed=0):
        where = "planted" if CONTROLS[control].planted else "clean"
        problem = PlannedProblem(where, "gaussian", "1", "gaussian", {}, 0)
        chunk = Chunk(Cell(problem, method, "1", {}), control, seed, tuple(range(replicates)))
        return chunk, run_chunk(folders / where, chunk)

    return run


def declared(result, view):
    assert not result.failures
    return float(np.mean([getattr(one, view).p <= ALPHA for one in result.replicates]))


@pytest.mark.parametrize("control", ["C0", "C2"])
def test_random_slices_keep_the_level(run, control):
    _, result = run("RandomSlices", control, 200)
    assert all(one.blind.returned for one in result.replicates)
    for view in ("blind", "open"):
        assert declared(result, view) <= binom.ppf(0.999, 200, 0.05) / 200


def test_who_reads_the_outcomes_is_shown_by_the_open_rate(run):
    for control in ("C0", "C2"):
        _, result = run("Errors", control, 100)
        assert declared(result, "open") == 1.0
        assert declared(result, "blind") <= binom.ppf(0.999, 100, 0.05) / 100


def test_a_class_without_errors(run):
    """Not even who reads the outcomes can declare there, though it does in the other class."""
    _, result = run("Errors", "C3")
    assert declared(result, "open") == 0.0
    assert not any(one.open.returned for one in result.replicates)
    _, random = run("RandomSlices", "C3")
    assert declared(random, "blind") == 0.0
    assert all(one.blind.returned for one in random.replicates)


def test_a_homogeneous_class(run):
    """Reading the outcomes declares there, chance does not, all of the class is no slice, other classes do not count."""
    assert declared(run("Errors", "C4")[1], "open") == 1.0
    assert declared(run("Errors", "C4", 100)[1], "blind") <= binom.ppf(0.999, 100, 0.05) / 100
    assert declared(run("WholeClass", "C4")[1], "open") == 0.0
    elsewhere = run("ErrorsOfClass1", "C4")[1]
    assert declared(elsewhere, "open") == 0.0
    assert not any(one.open.returned for one in elsewhere.replicates)
    assert declared(run("ErrorsOfClass1", "C2")[1], "open") == 1.0


def test_the_homogeneous_class_fools_no_real_method(run):
    for method in ("svm_directions", "spotlight"):
        assert declared(run(method, "C4", 15)[1], "blind") <= 0.2


def power(run, method, replicates=60):
    chunk, result = run(method, "power", replicates)
    assert not result.failures
    row = control_row(method, {chunk: result})
    return result, row.rates[0].rate, row.open_rates[0].rate


def test_an_easy_plant_is_found_at_a_matched_level(run):
    result, blind, seeing = power(run, "svm_directions", 40)
    assert blind >= 0.9
    assert blind == seeing
    bound = matched_bound([one.blind.p_null for one in result.replicates])
    assert np.mean([one.blind.p_null < bound for one in result.replicates]) <= ALPHA
    assert max(one.blind.p_about for one in result.replicates) < np.median(
        [one.blind.p_null for one in result.replicates]
    )


def test_what_finds_nothing_or_reads_the_outcomes_has_no_power_at_a_matched_level(run):
    """Matched: with errors for slices, p is as small on the twins, in which nothing is there."""
    for method in ("RandomSlices", "Errors"):
        _, blind, seeing = power(run, method)
        assert blind <= 0.2
        assert seeing <= 0.2
    result, *_ = power(run, "Errors")
    assert max(one.open.p for one in result.replicates) < 1e-10
    assert max(one.open.p_about for one in result.replicates) < 1e-10


def test_the_notes_say_who_reads_the_outcomes(run):
    notes = {method: control_row(method, dict([run(method, "C0", 40)])).notes for method in ("Errors", "RandomSlices")}
    assert "open, it declares a slice in 100% of C0" in notes["Errors"][0]
    assert notes["RandomSlices"] == ()


def test_label_noise_looks_like_another_class(run):
    assert declared(run("svm_directions", "C5", 10)[1], "blind") >= 0.9
    assert declared(run("RandomSlices", "C5", 100)[1], "blind") <= binom.ppf(0.999, 100, 0.05) / 100


def test_even_the_truth_ranks_a_permuted_attribute_at_chance(folders, run):
    pool = module._loaded(folders / "planted")[1]
    group = module._truth(folders / "planted").minority(pool.ids)
    rng, scores = np.random.default_rng(0), SliceScores(hardness=group.astype(float))
    values = [namf_of_permuted(scores, pool, group, rng) for _ in range(100)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 10 < 0.05
    assert np.std(values) > 0
    row = control_row("svm_directions", dict([run("svm_directions", "C1", 60)]))
    assert row.namf.low - 0.02 < 0 < row.namf.high + 0.02
    assert row.rates == ()


def test_the_same_seed_gives_the_same_replicates_however_they_are_cut(run):
    for method, control in (("svm_directions", "C2"), ("domino", "power"), ("random", "C1")):
        (chunk, whole), (_, again) = run(method, control, 6), run(method, control, 6)
        assert whole.replicates == again.replicates
        part, fewer = run(method, control, 5)
        assert fewer.replicates == whole.replicates[:5]
        assert part.identity != chunk.identity
    first, other = (run("svm_directions", "C2", 6, seed=seed)[1].replicates for seed in (0, 1))
    assert first != other


def test_a_replicate_deals_within_class_and_apart(folders):
    problem, pool = module._loaded(folders / "clean")
    data, held_out = redealt(problem, pool, CONTROLS["C2"], np.random.default_rng(0))
    assert (data.val.n, held_out.n) == (pytest.approx(200, abs=2), pytest.approx(1000, abs=2))
    assert not set(data.val.ids.tolist()) & set(held_out.ids.tolist())
    assert data.train is problem.train
    shares = [np.bincount(split.labels) / split.n for split in (pool, data.val, held_out)]
    assert shares[1] == pytest.approx(shares[0], abs=0.01)
    assert shares[2] == pytest.approx(shares[0], abs=0.01)
    small = pool.take(np.arange(120))
    data, held_out = redealt(problem, small, CONTROLS["C2"], np.random.default_rng(0))
    assert data.val.n + held_out.n == pytest.approx(120, abs=2)
    assert held_out.n == pytest.approx(100, abs=2)


def test_a_failing_replicate_costs_itself_and_is_told(run):
    chunk, result = run("Sometimes", "C0", 40)
    assert 0 < len(result.failures) < 40
    row = control_row("Sometimes", {chunk: result})
    assert row.rates[0].replicates == 40 - len(result.failures)
    assert (
        row.notes[0] == f"C0: {len(result.failures)} of 40 replicates failed, the first with RuntimeError: no such luck"
    )
    chunk, result = run("TooFew", "C0", 3)
    assert len(result.failures) == 3
    assert "expected" not in result.failures[0]
    assert "rows for" in result.failures[0]
    assert control_row("TooFew", {chunk: result}).rates == ()


def test_a_method_that_declines_says_why(run):
    chunk, result = run("Picky", "C0", 3)
    assert (result.declined, result.replicates) == ("needs a quieter place", ())
    row = control_row("Picky", {chunk: result})
    assert row.rates == ()
    assert row.notes == ("cannot run on clean s0: needs a quieter place",)


def test_a_task_without_correctness_is_told(folders, tmp_path, run, monkeypatch):
    data, pool = module._loaded(folders / "clean")
    bare = replace(pool, labels=None, probs=None, correct=None)
    monkeypatch.setattr(module, "_loaded", lambda folder: (data, bare))
    assert "which predictions are correct" in run("random", "C2", 1)[1].failures[0]
