"""The authors' package in our clothes; all but the refusals need `pip install --no-deps domino==0.1.5`."""

from __future__ import annotations

import doctest
import sys
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.domino_reference as module
from slicebench.errors import ConfigError, DataError, MethodError
from slicebench.testing import assert_contract, example_problem, without_labels
from slicebench_methods import _domino_package
from slicebench_methods.domino import Domino
from slicebench_methods.domino_reference import DominoReference
from tests.support import plants

needs_package = pytest.mark.skipif(_domino_package.missing() is not None, reason=str(_domino_package.missing()))


@pytest.fixture(scope="module")
def example():
    return example_problem()


@needs_package
@pytest.mark.parametrize(
    "parameters", [{"init": "kmeans", "order": "error_rate", "n_pca": 3}, {"init": "random", "covariance": "full"}]
)
def test_contract(parameters):
    assert_contract(DominoReference(n_components=9, max_iter=10, **parameters))


@needs_package
def test_example():
    assert doctest.testmod(module).failed == 0


@needs_package
def test_finds_the_plant_and_nothing_where_there_is_nothing():
    assert plants.found(DominoReference()) > 0.8
    assert plants.false_alarms(DominoReference(n_components=8, max_iter=20)) <= 1


@needs_package
@pytest.mark.parametrize(
    "parameters", [{}, {"y_weight": 1.0, "y_hat_weight": 1.0, "covariance": "spherical"}, {"n_pca": 5, "seed": 3}]
)
def test_parity_with_ours(example, parameters):
    """From the same k-means start: seeds mean the same to both. Ours orders slices by error rate."""
    common = {"init": "kmeans", "n_components": 9, **parameters}
    ours = Domino(**common).fit(example.data)
    theirs = DominoReference(order="error_rate", **common).fit(example.data)
    assert theirs.slicer_.mm.n_iter_ == len(ours.mixture_.lower_bounds)
    assert theirs.slicer_.mm.lower_bound_ == pytest.approx(ours.mixture_.lower_bounds[-1], rel=1e-7)
    np.testing.assert_allclose(theirs.slicer_.mm.means_, ours.mixture_.means, atol=1e-6)
    a, b = ours.score(example.test), theirs.score(example.test)
    np.testing.assert_allclose(a.hardness, b.hardness, atol=1e-6)
    np.testing.assert_allclose(a.membership, b.membership, atol=1e-5)
    np.testing.assert_array_equal(a.flagged, b.flagged)


@needs_package
def test_slices_are_those_of_the_package(example):
    """Its own predict_proba, which wants labels as integers and all classes, gives the same memberships."""
    method, test = DominoReference(n_components=9).fit(example.data), example.test
    fresh = type(method.slicer_)(
        n_mixture_components=9,
        n_pca_components=None,
        y_log_likelihood_weight=10,
        y_hat_log_likelihood_weight=10,
        random_state=0,
    )
    val = example.data.val
    fresh.fit(embeddings=val.embeddings.astype(float), targets=val.labels, pred_probs=val.probs.astype(float))
    expected = fresh.predict_proba(
        embeddings=test.embeddings.astype(float), targets=test.labels, pred_probs=test.probs.astype(float)
    )
    np.testing.assert_allclose(method.score(test).membership, expected, atol=1e-6)
    gaps = (fresh.mm.y_hat_probs - fresh.mm.y_probs).max(axis=1)
    assert (np.diff(np.abs(gaps[method.slices_])) <= 1e-9).all()


@needs_package
def test_hardness_is_the_expected_error_rate(example):
    method = DominoReference(n_components=9, n_slices=9).fit(example.data)
    scores = method.score(example.test)
    np.testing.assert_allclose(scores.hardness, scores.membership @ method.error_rate_[method.slices_], atol=1e-5)
    assert method.mass_.sum() == pytest.approx(example.data.val.n)
    assert method.mass_ @ method.error_rate_ == pytest.approx((~example.data.val.correct).sum())


@needs_package
def test_a_val_split_without_the_last_class(example):
    """Trap 10, with a single example to score."""
    val = example.data.val
    method = DominoReference(n_components=9, n_slices=2).fit(
        replace(example.data, val=val.take(np.flatnonzero(val.labels < 2)))
    )
    whole = method.score(example.test).hardness
    np.testing.assert_allclose(method.score(example.test.take(np.array([7]))).hardness, whole[[7]], atol=1e-9)


@needs_package
def test_nothing_stays_changed(monkeypatch):
    from sklearn.mixture import GaussianMixture, _base

    stranger = type(sys)("meerkat")
    monkeypatch.setitem(sys.modules, "meerkat", stranger)
    before = dict(vars(GaussianMixture)), dict(vars(_base)), hasattr(np, "infty")
    _domino_package.domino_slicer.cache_clear()
    slicer = _domino_package.domino_slicer()
    assert slicer.__name__ == "DominoSlicer"
    assert (dict(vars(GaussianMixture)), dict(vars(_base)), hasattr(np, "infty")) == before
    assert sys.modules["meerkat"] is stranger
    assert not [name for name in sys.modules if name.split(".")[0] == "domino"]


@needs_package
def test_quiet_and_finite(example, capfd, recwarn):
    def changed(split, how):
        return replace(split, embeddings=how(split.embeddings))

    for how in (np.zeros_like, lambda X: X * 1e4, lambda X: X[:, :1]):
        train, val = changed(example.data.train, how), changed(example.data.val, how)
        method = DominoReference(n_components=9, max_iter=2).fit(
            replace(example.data, train=train, val=val, captions=None, pool=None)
        )
        assert np.isfinite(method.score(changed(example.test, how)).hardness).all()
        assert method.notes() in ((), ("EM did not converge in 2 iterations",))
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0


def test_refusals(example, monkeypatch):
    data = example.data
    monkeypatch.setattr(_domino_package, "missing", lambda: None)
    assert "9 for 25" not in str(DominoReference().supports(data))
    assert (
        DominoReference(n_components=8).supports(data)
        == "needs a component for each cell of the confusion matrix: 8 for 9"
    )
    few = replace(data, val=data.val.take(np.arange(10)))
    assert DominoReference().supports(few) == "needs at least as many val examples as components: 10 for 25"
    assert "class labels" in DominoReference().supports(without_labels(data))
    for bad in ({"n_slices": 26}, {"init": "x"}, {"covariance": "x"}, {"order": "x"}, {"n_pca": 0}, {"max_iter": 0}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            DominoReference(**bad).fit(data)
    with pytest.raises(MethodError, match="call fit"):
        DominoReference().score(example.test)


@pytest.mark.parametrize("version", [None, "3.2.0"])
def test_a_missing_package_is_told_how_to_install(example, monkeypatch, version):
    """`pip install domino` cannot work, and other packages have had the name."""

    def distribution(name):
        if version is None:
            raise _domino_package.PackageNotFoundError(name)
        return type("Found", (), {"version": version})

    monkeypatch.setattr(_domino_package, "distribution", distribution)
    assert "pip install --no-deps domino==0.1.5" in DominoReference().supports(example.data)
    with pytest.raises(MethodError, match="no-deps"):
        DominoReference().fit(example.data)


@needs_package
def test_no_labels(example):
    with pytest.raises(DataError, match="no labels"):
        DominoReference(n_components=9).fit(example.data).score(without_labels(example.data).val)
