from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.domino as module
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, DataError, MethodError
from slicebench.testing import assert_contract, without_labels
from slicebench_methods._mixture import COVARIANCES, fit_mixture
from slicebench_methods.domino import Domino, _deal


def many_classes(name, n=300, C=10, seed=0):
    """C classes, one in ten examples mistaken for the next class: C² = 100 cells, more than the components."""
    rng = np.random.default_rng([seed, len(name)])
    y, wrong = rng.integers(0, C, n), rng.random(n) < 0.1
    probs = np.full((n, C), 0.02)
    probs[np.arange(n), (y + wrong) % C] += 1 - 0.02 * C
    ids = [f"{name}{i}" for i in range(n)]
    return Split.from_probs(ids=ids, embeddings=rng.normal(size=(n, 6)) + wrong[:, None] * 3.0, labels=y, probs=probs)


def test_contract_and_example():
    assert_contract(Domino())
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("parameters", [{"init": "kmeans"}, {"n_pca": 5}, *({"covariance": c} for c in COVARIANCES)])
def test_every_option_gives_finite_scores(problem, parameters):
    scores = Domino(n_components=8, **parameters).fit(problem.data).score(problem.test)
    assert np.isfinite(scores.hardness).all()
    assert scores.membership.shape == (problem.test.n, 5)
    assert scores.hardness.min() >= 0
    assert scores.hardness.max() <= 1 + 1e-9


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_densities_and_updates_are_those_of_scipy(covariance):
    """One component, no categorical weight: the likelihood is a Gaussian's, its moments those of the sample."""
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + 7
    Y = np.eye(2)[rng.integers(0, 2, 50)]
    fitted = fit_mixture(
        X, Y, Y, np.ones((50, 1)), y_weight=0, y_hat_weight=0, covariance=covariance, reg_covar=0, max_iter=1
    )
    S = np.cov(X.T, bias=True)
    expected = {"full": S, "tied": S, "diag": np.diag(np.diag(S)), "spherical": np.eye(3) * np.trace(S) / 3}[covariance]
    np.testing.assert_allclose(fitted.means[0], X.mean(axis=0))
    np.testing.assert_allclose(fitted.y_probs[0], Y.mean(axis=0))
    assert fitted.lower_bounds[0] == pytest.approx(multivariate_normal(X.mean(axis=0), expected).logpdf(X).mean())


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_likelihood_rises(problem, covariance):
    bounds = np.array(
        Domino(n_components=6, covariance=covariance, y_weight=1, y_hat_weight=1)
        .fit(problem.data)
        .mixture_.lower_bounds
    )
    # only up to rounding: with soft predictions the M-step is the paper's, not an exact maximiser
    assert bounds[-1] > bounds[0]
    assert len(bounds) > 1


def test_slices_are_ordered_by_error_rate(problem):
    method = Domino().fit(problem.data)
    rates = method.error_rate_[method.slices_]
    assert (np.diff(rates) <= 0).all()
    assert rates[0] == method.error_rate_.max()
    assert method.mass_.sum() == pytest.approx(problem.data.val.n)


def test_hardness_is_the_expected_error_rate(problem):
    method = Domino(n_slices=25).fit(problem.data)
    scores = method.score(problem.test)
    np.testing.assert_allclose(scores.hardness, scores.membership @ method.error_rate_[method.slices_], atol=1e-5)
    assert scores.flagged.all()  # every component is returned


def test_confusion_start_deals_components_by_mass():
    assert _deal(np.array([5.0, 3.0, 2.0]), 2).tolist() == [0, 1]  # fewer components than cells: the heaviest
    assert _deal(np.array([100.0, 1.5, 0.5]), 4).tolist() == [
        0,
        1,
        0,
        0,
    ]  # every real cell first, none for less than one example


def test_confusion_start_with_more_cells_than_components():
    """Trap 9: C² = 100 cells, 25 components."""
    train, val, test = (many_classes(name) for name in ("train", "val", "te"))
    data = AuditData(train=train, val=val, class_names=tuple("abcdefghij"))
    scores = Domino().fit(data).score(test)
    assert scores.hardness[~test.correct].mean() > scores.hardness[test.correct].mean() + 0.2


def test_scores_any_rows_of_any_class_with_any_integer_labels(problem):
    """Trap 10: fewer rows than components, no example of the last class, int32 labels."""
    method, test = Domino().fit(problem.data), problem.test
    whole = method.score(test).hardness
    for rows in (np.array([3]), np.flatnonzero(test.labels < 2)):
        np.testing.assert_allclose(method.score(test.take(rows)).hardness, whole[rows], atol=1e-9)
    small = Split.from_probs(
        ids=test.ids,
        embeddings=test.embeddings,
        labels=test.labels.astype(np.int32),
        probs=test.probs.astype(np.float64),
    )
    np.testing.assert_allclose(method.score(small).hardness, whole, atol=1e-9)


def test_projection_is_seeded(problem):
    one, two = (
        Domino(n_pca=4, n_components=6, seed=3).fit(problem.data).score(problem.test).hardness for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_seed_moves_the_start(problem):
    one, two = (Domino(seed=seed).fit(problem.data).mixture_.means for seed in (0, 1))
    assert not np.allclose(one, two)


def test_degenerate_embeddings_stay_finite(problem):
    def changed(split, how):
        return replace(split, embeddings=how(split.embeddings))

    for how in (lambda X: np.full_like(X, 1e36), lambda X: X * 1e30 + 1e31, lambda X: X.astype(np.float16)):
        data = AuditData(
            train=changed(problem.data.train, how), val=changed(problem.data.val, how), class_names=("a", "b", "c")
        )
        scores = Domino().fit(data).score(changed(problem.test, how))
        assert np.isfinite(scores.hardness).all()


def test_slightly_negative_probabilities_are_no_logarithms(problem):
    probs = np.zeros((problem.test.n, 3))
    probs[np.arange(problem.test.n), problem.test.labels] = 1
    probs[:, 0] -= 5e-4
    scores = Domino().fit(problem.data).score(replace(problem.test, probs=probs, correct=None))
    assert np.isfinite(scores.hardness).all()


def test_refusals(problem):
    few = AuditData(train=problem.data.train, val=problem.data.val.take(np.arange(10)), class_names=("a", "b", "c"))
    assert Domino().supports(few) == "needs at least as many val examples as components: 10 for 25"
    assert "class labels" in Domino().supports(without_labels(problem.data))
    for bad in ({"n_slices": 26}, {"init": "random"}, {"covariance": "round"}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            Domino(**bad).fit(problem.data)
    with pytest.raises(DataError, match="no labels"):
        Domino().fit(problem.data).score(without_labels(problem.data).val)
    X, Y = np.tile(np.arange(20.0)[:, None], (1, 3)), np.eye(2)[np.arange(20) % 2]
    with pytest.raises(MethodError, match="raise reg_covar"):
        fit_mixture(X, Y, Y, np.ones((20, 1)), y_weight=1, y_hat_weight=1, covariance="full", reg_covar=-1e-9)
