"""Permutation p of strengths, and their correlation with the planted degree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, MethodError
from slicebench.plugins.method import SliceMethod
from slicebench.plugins.registry import METHODS
from slicebench.studies.strength import spearman, strength_permutation
from slicebench.testing import example_problem, without_labels


class Correlates(SliceMethod):
    """Strength is how far the first feature's mean differs between wrong and right: cheap, and biased upwards."""

    def fit(self, data):
        self.found_ = np.full(len(data.class_names), np.nan)
        for c, rows in data.val.by_class():
            wrong, x = ~data.val.correct[rows], data.val.embeddings[rows, 0]
            if wrong.any():
                self.found_[c] = abs(x[wrong].mean() - x[~wrong].mean())
        return self

    def strength(self):
        return self.found_


def data_of(rng, n, d, rate, classes=1):
    """Errors that have nothing to do with the embeddings, the same number in each class."""

    def split(name, size):
        labels = np.arange(size) % classes
        wrong = np.zeros(size, bool)
        for c in range(classes):
            rows = np.flatnonzero(labels == c)
            wrong[rng.permutation(rows)[: round(rate * len(rows))]] = True
        probs = np.full((size, 2), 0.3)
        probs[np.arange(size), np.where(wrong, 1 - labels, labels)] = 0.7
        ids = [f"{name}{i}" for i in range(size)]
        return Split.from_probs(ids=ids, embeddings=rng.normal(size=(size, d)), labels=labels, probs=probs)

    return AuditData(train=split("t", max(n, 100)), val=split("v", n), class_names=("a", "b"))


def test_p_is_uniform_where_there_is_nothing():
    rng = np.random.default_rng(0)
    p = [strength_permutation(Correlates(), data_of(rng, 40, 1, 0.3), 19, seed=i).p[0] for i in range(150)]
    spread = np.array(p) - rng.random(len(p)) / 20  # p is uniform on 1/20, 2/20 ... 1
    assert kstest(spread, "uniform").pvalue > 0.01
    assert 0.01 < np.mean(np.array(p) <= 0.05) < 0.10


def test_p_is_small_where_something_is_planted():
    problem = example_problem(n=900)
    found = strength_permutation(METHODS.load("svm_directions")(), problem.data, 39)
    assert found.null.shape == (39, 3)
    assert (found.p == 1 / 40).all()
    assert (found.strength > 0.6).all()


def test_the_observed_strength_is_the_methods_own_and_the_method_stays_unfitted(problem):
    method = Correlates()
    found = strength_permutation(method, problem.data, 3)
    assert not vars(method)
    np.testing.assert_array_equal(found.strength, Correlates().fit(problem.data).strength())
    again = strength_permutation(method, problem.data, 3)
    np.testing.assert_array_equal(found.null, again.null)
    assert not np.array_equal(found.null, strength_permutation(method, problem.data, 3, seed=1).null)


def test_outcomes_move_together_within_their_class_and_inputs_stay(problem):
    seen = []

    class Looks(Correlates):
        def fit(self, data):
            seen.append(data)
            return super().fit(data)

    strength_permutation(Looks(), problem.data, 1)
    val, shuffled = (data.val for data in seen)
    np.testing.assert_array_equal(val.embeddings, shuffled.embeddings)
    np.testing.assert_array_equal(val.labels, shuffled.labels)
    assert seen[1].train is problem.data.train
    assert not np.array_equal(val.losses, shuffled.losses)
    source = [int(np.flatnonzero(val.losses == loss)[0]) for loss in shuffled.losses]
    assert sorted(source) == list(range(val.n))
    for name in ("labels", "probs", "correct"):
        np.testing.assert_array_equal(getattr(val, name)[source], getattr(shuffled, name))


def test_a_class_without_strength_has_no_p(problem):
    val = problem.data.val
    rows = np.flatnonzero((val.labels != 1) | val.correct)
    found = strength_permutation(Correlates(), replace(problem.data, val=val.take(rows)), 5)
    assert np.isnan(found.p).tolist() == [False, True, False]
    assert np.isnan(found.strength[1])


def test_a_permutation_without_strength_counts_against_the_method(problem):
    class Once(Correlates):
        fits = 0

        def fit(self, data):
            super().fit(data)
            Once.fits += 1
            if Once.fits > 1:
                self.found_[:] = np.nan
            return self

    assert (strength_permutation(Once(), problem.data, 4).p == 1).all()


def test_what_cannot_be_tested(problem):
    with pytest.raises(MethodError, match="Random has no strength to test"):
        strength_permutation(METHODS.load("random")(), problem.data, 2)
    with pytest.raises(MethodError, match=r"SVMDirections cannot run on this data: needs .*class labels"):
        strength_permutation(METHODS.load("svm_directions")(), without_labels(problem.data), 2)
    with pytest.raises(ConfigError, match="permutations is 0"):
        strength_permutation(Correlates(), problem.data, 0)


def test_spearman_counts_all_orders_of_few_points():
    """Of the 24 orders of four strengths two are as extreme as the one observed."""
    assert spearman([0.5, 0.6, 0.7, 0.9], [1, 2, 4, 8]) == pytest.approx((1.0, 2 / 24))
    assert spearman([0.9, 0.7, 0.6, 0.5], [1, 2, 4, 8]) == pytest.approx((-1.0, 2 / 24))
    assert spearman([0.5, 0.6, 0.7], [1, 2, 4]).p == pytest.approx(1 / 3)


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    degrees = np.repeat([1, 2, 4, 8], 5)
    strengths = degrees + rng.normal(size=20) * 3
    assert spearman(strengths, degrees) == pytest.approx(tuple(spearmanr(strengths, degrees)))
    short = spearman(strengths[::3], degrees[::3])
    assert short.rho == pytest.approx(spearmanr(strengths[::3], degrees[::3])[0])
    assert 0 < short.p <= 1


def test_spearman_says_nothing_of_too_little():
    assert spearman([0.5, 0.6, 0.7, 0.8], [1, 1, 2, 2]) is None
    assert spearman([0.5, 0.5, 0.5], [1, 2, 3]) is None
    assert spearman([0.5, 0.6, np.nan, np.nan], [1, 2, 3, 4]) is None
    assert spearman([0.5, 0.6, np.nan, 0.8], [1, 2, 3, 4]).rho == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "repeats", "mean", "high"), [(50, 600, 0.534, 0.655), (500, 200, 0.517, 0.554)])
def test_the_seed_papers_score_exceeds_one_half_without_any_structure(n, repeats, mean, high):
    """Strength without any signal, with d = 64 and an error rate of 0.3: why strength needs a p."""
    rng = np.random.default_rng(0)
    SVM = METHODS.load("svm_directions")
    found = [SVM().fit(data_of(rng, n, 64, 0.3)).strength()[0] for _ in range(repeats)]
    assert np.mean(found) == pytest.approx(mean, abs=0.01)
    assert np.mean(found) > 0.5 + 3 * np.std(found) / np.sqrt(repeats)
    assert np.quantile(found, 0.95) == pytest.approx(high, abs=0.025)
