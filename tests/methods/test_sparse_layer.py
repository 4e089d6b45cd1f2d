from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.sparse_layer as module
from slicebench.errors import ConfigError, DataError
from slicebench.testing import assert_contract
from slicebench_methods.sparse_layer import SparseLayer
from tests.studies.sparse.test_inspection import SHORTCUT, shortcut_problem
from tests.support import plants


@pytest.fixture(scope="module")
def problem():
    return shortcut_problem()


@pytest.fixture(scope="module")
def fitted(problem):
    return SparseLayer(n_lambdas=30).fit(problem.data)


@pytest.mark.parametrize(
    "method", [SparseLayer(n_lambdas=5, drop=0.0), SparseLayer(n_lambdas=5, alpha=0.5, held_out=0.5)]
)
def test_contract(method):
    assert_contract(method)


def test_example():
    assert doctest.testmod(module).failed == 0


def test_blames_the_shortcut(problem, fitted):
    """Errors of both classes are put down to the shortcut, and the examples that it misleads rank first."""
    assert {tuple(pair) for pair in fitted.blamed_[:2].tolist()} == {(0, SHORTCUT), (1, SHORTCUT)}
    scores = fitted.score(problem.test)
    group = problem.truth.minority(problem.test.ids)
    assert plants.namf(scores, problem.test, group) > 0.8
    assert scores.names == tuple(
        f"{'no' if w == 0 else 'yes'} for its feature {SHORTCUT}" for w, _ in fitted.blamed_[:2]
    )
    assert group[scores.flagged].mean() > 0.95
    assert "features per class; a single feature decides " in fitted.notes()[0]


def test_an_error_is_explained_by_the_feature_whose_removal_mends_it(problem, fitted):
    """Against the removal itself, one error at a time."""
    val, layer = problem.data.val, fitted.layer_
    Z = (val.embeddings - fitted.center_) * fitted.scale_
    mended = 0
    for i in np.flatnonzero(~val.correct):
        y = val.labels[i]
        if layer.logits(Z[i : i + 1]).argmax() == y:
            continue
        for j in np.flatnonzero(layer.weights[1 - y] * Z[i] > 0):
            bare = Z[i : i + 1].copy()
            bare[0, j] = 0
            if layer.logits(bare).argmax() == y:
                mended += 1
                break
    assert fitted.flips_ == pytest.approx(mended / (~val.correct).sum())
    assert fitted.flips_ > 0.5


def test_hardness_is_the_shares_of_the_contributions(problem, fitted):
    test, layer = problem.test, fitted.layer_
    Z = (test.embeddings[:1].astype(np.float64) - fitted.center_) * fitted.scale_
    y, total = test.labels[0], 0.0
    for (w, j), blame in zip(fitted.blamed_, fitted.blame_[y] / fitted.blame_[y].sum(), strict=True):
        total += blame * Z[0, j] * (layer.weights[w, j] - layer.weights[y, j])
    assert fitted.score(test).hardness[0] == pytest.approx(total, rel=1e-4)


def test_directions_are_the_gradient_of_hardness(problem, fitted):
    test, rng = problem.test, np.random.default_rng(0)
    step = rng.normal(size=test.embeddings.shape).astype(np.float32)
    moved = fitted.score(replace(test, embeddings=test.embeddings + step)).hardness - fitted.score(test).hardness
    slope = (fitted.directions(problem.data)[test.labels] * step).sum(axis=1)
    np.testing.assert_allclose(moved, slope, atol=1e-3)


def test_declares_the_plant_and_nothing_else(problem):
    assert plants.false_alarms(SparseLayer(n_lambdas=20)) <= 1


def test_a_class_without_errors_falls_back(problem):
    val = problem.data.val
    kept = val.take(np.flatnonzero((val.labels == 0) | val.correct))
    method = SparseLayer(n_lambdas=10).fit(replace(problem.data, val=kept))
    scores, test = method.score(problem.test), problem.test
    np.testing.assert_allclose(scores.hardness[test.labels == 1], test.losses[test.labels == 1], rtol=1e-6)
    assert "no error to explain in yes" in method.notes()[1]
    right = val.take(np.flatnonzero(val.correct))
    none = SparseLayer(n_lambdas=10).fit(replace(problem.data, val=right)).score(test)
    assert none.membership.shape == (test.n, 0)
    assert not none.flagged.any()


def test_what_cannot_be(problem):
    with pytest.raises(ConfigError, match="held_out is 1"):
        SparseLayer(held_out=1.5).fit(problem.data)
    with pytest.raises(ConfigError, match="accuracy drop is -1"):
        SparseLayer(drop=-1, n_lambdas=3).fit(problem.data)
    one = problem.data.train.take(np.flatnonzero(problem.data.train.labels == 0))
    assert "two classes" in SparseLayer().supports(replace(problem.data, train=one))
    test = problem.test
    with pytest.raises(DataError, match="fitted on 2 classes"):
        SparseLayer(n_lambdas=3).fit(problem.data).score(
            replace(test, labels=test.labels + 1, probs=None, correct=test.correct)
        )
