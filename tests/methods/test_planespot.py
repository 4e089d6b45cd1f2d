from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.planespot as module
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, DataError
from slicebench.testing import assert_contract, without_labels
from slicebench_methods.planespot import PlaneSpot
from tests.support import plants


def three_blobs(name, n=240, hard_rate=0.6):
    """One class in three blobs, equally sure everywhere; the model is wrong in the third, and in one of twenty elsewhere."""
    blob = np.arange(n) % 3
    wrong = np.where(blob == 2, np.arange(n) % 10 < 10 * hard_rate, np.arange(n) % 20 == 0)
    X = np.random.default_rng(len(name)).normal(size=(n, 5)) + np.eye(3, 5)[blob] * 12
    probs = np.where(wrong[:, None], [0.2, 0.8], [0.8, 0.2])
    ids = [f"{name}{i}" for i in range(n)]
    return Split.from_probs(ids=ids, embeddings=X, labels=np.zeros(n, int), probs=probs), blob


def audit(val):
    train = replace(val, ids=np.char.add("train-", val.ids))
    return AuditData(train=train, val=val, class_names=("a", "b"))


@pytest.fixture(scope="module")
def fitted():
    val, blob = three_blobs("val")
    return PlaneSpot().fit(audit(val)), val, blob


def test_contract_and_example():
    assert_contract(PlaneSpot(n_slices=1, weight=0.0, max_components=2, seed=2))
    assert doctest.testmod(module).failed == 0


def test_finds_the_plant():
    assert plants.found(PlaneSpot(max_components=4)) > 0.9
    assert plants.declared(PlaneSpot(max_components=4)) < 1e-6


def test_declares_nothing_where_there_is_nothing():
    assert plants.false_alarms(PlaneSpot(max_components=4), n=400) <= 1


def test_bic_finds_the_blobs_and_the_worst_is_the_slice(fitted):
    method, val, blob = fitted
    assert len(method.planes_[0].mass) == 3
    scores = method.score(val)
    assert scores.membership.shape[1] == 1
    np.testing.assert_array_equal(scores.flagged, blob == 2)
    np.testing.assert_allclose(scores.membership[:, 0], blob == 2, atol=1e-6)
    # blobs are far apart: the expected error rate is the blob's own
    rates = np.array([(~val.correct)[blob == b].mean() for b in range(3)])
    np.testing.assert_allclose(scores.hardness, rates[blob], atol=1e-6)


def test_importance_is_size_times_squared_error_rate():
    data, _, _ = plants.planted(n=300)
    method = PlaneSpot(max_components=4).fit(data)
    planes = method.planes_.values()
    for plane in planes:
        np.testing.assert_allclose(plane.importance, plane.mass * plane.error_rate**2)
    assert sum(plane.mass.sum() for plane in planes) == pytest.approx(data.val.n)
    importance = [method.planes_[c].importance[k] for c, k in method.slices_]
    assert len(importance) == 2  # the blob of each class
    assert importance == sorted(importance, reverse=True)
    assert PlaneSpot(max_components=4, n_slices=1).fit(data).slices_ == method.slices_[:1]


def test_points_are_principal_components_and_confidence(fitted):
    method, val, _ = fitted
    points = method.planes_[0]._points(val.embeddings, np.full(val.n, 0.8))
    X = val.embeddings.astype(np.float64)
    U, s, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    for j in range(2):
        assert abs(np.corrcoef(points[:, j], U[:, j] * s[j])[0, 1]) == pytest.approx(1)
        assert points[:, j].min() == pytest.approx(0, abs=1e-12)
        assert points[:, j].max() == pytest.approx(1)
    np.testing.assert_allclose(points[:, 2], 0.025 * 0.8)


def test_true_outcomes_of_what_is_scored_are_not_used(fitted):
    """Confidence is that of the predicted class: swapping the two probabilities changes right and wrong, and nothing else."""
    method, val, _ = fitted
    swapped = replace(val, probs=val.probs[:, ::-1].copy(), correct=None)
    assert (swapped.correct != val.correct).all()
    np.testing.assert_allclose(method.score(swapped).hardness, method.score(val).hardness, atol=1e-12)
    np.testing.assert_array_equal(method.score(swapped).flagged, method.score(val).flagged)


def test_confidence_alone_can_tell():
    """Equal embeddings: what is left is how sure the model is."""
    n, rng = 200, np.random.default_rng(0)
    unsure = np.arange(n) % 2 == 0
    wrong = unsure & (np.arange(n) % 4 == 0)
    sure = np.where(unsure, 0.6, 0.95) + rng.uniform(-0.03, 0.03, n)
    probs = np.stack([np.where(wrong, 1 - sure, sure), np.where(wrong, sure, 1 - sure)], axis=1)
    val = Split.from_probs(ids=np.arange(n), embeddings=np.ones((n, 3)) * 1e4, labels=np.zeros(n, int), probs=probs)
    scores = PlaneSpot(weight=1.0).fit(audit(val)).score(val)
    assert scores.hardness[unsure].min() > scores.hardness[~unsure].max() + 0.3


def test_class_without_errors_falls_back_and_says_so(fitted):
    method, val, _ = fitted
    assert [note[:7] for note in method.notes()] == ["class 1"]
    other = replace(val, labels=np.ones(val.n, int), correct=None)
    scores = method.score(other)
    np.testing.assert_allclose(scores.hardness, 0.5 - other.probs[:, 1].astype(float))
    assert not scores.membership.any()
    np.testing.assert_array_equal(scores.flagged, ~other.correct)
    perfect = val.take(np.flatnonzero(val.correct))
    assert len(PlaneSpot().fit(audit(perfect)).notes()) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X[:, :1],
        lambda X: X * 1e30 + 1e31,
        lambda X: np.full_like(X, 1e36),
        lambda X: np.repeat(X[:3], 80, axis=0),
    ],
)
def test_degenerate_embeddings(fitted, change):
    _, val, _ = fitted
    split = replace(val, embeddings=change(val.embeddings))
    method = PlaneSpot(max_components=3).fit(audit(split))
    scores = method.score(split)
    assert np.isfinite(scores.hardness).all()
    assert 0 <= scores.hardness.min() <= scores.hardness.max() <= 1 + 1e-9
    some = np.array([7, 3, 9])
    np.testing.assert_allclose(method.score(split.take(some)).hardness, scores.hardness[some], atol=1e-9)


def test_a_handful_of_val_examples():
    val, _ = three_blobs("val", n=9)
    for n in (1, 3, 9):
        few = val.take(np.flatnonzero(~val.correct)[:1] if n == 1 else np.arange(n))
        scores = PlaneSpot().fit(audit(few)).score(val)
        assert np.isfinite(scores.hardness).all()
        assert scores.membership.shape == (9, 0)  # too few to bear a slice out


def test_refusals(fitted):
    method, val, _ = fitted
    for bad in ({"n_slices": 0}, {"max_components": 0}, {"weight": -1.0}, {"weight": float("nan")}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            PlaneSpot(**bad).fit(audit(val))
    assert "class labels" in PlaneSpot().supports(without_labels(audit(val)))
    with pytest.raises(DataError, match="no labels"):
        method.score(replace(val, labels=None))
