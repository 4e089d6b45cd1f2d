"""`logistic_directions` and `error_mlp`: what they share with `svm_directions` is tested there."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import slicebench_methods.error_mlp
import slicebench_methods.logistic_directions
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError
from slicebench.testing import assert_contract
from slicebench_methods.error_mlp import ErrorMLP
from slicebench_methods.logistic_directions import LogisticDirections
from slicebench_methods.svm_directions import SVMDirections
from tests.support import plants


def xor_split(name, n=800):
    """Of each class the examples in two opposite quadrants are the subgroup: no direction tells them from the others."""
    rng = np.random.default_rng([7, *name.encode()])
    X, y = rng.normal(size=(n, 3)), np.arange(n) % 2
    group = X[:, 0] * X[:, 1] > 0
    wrong = rng.random(n) < np.where(group, 0.45, 0.05)
    probs = np.where(np.eye(2)[np.where(wrong, 1 - y, y)] == 1, 0.8, 0.2)
    return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=X, labels=y, probs=probs), group


def xor_data():
    return AuditData(train=xor_split("train")[0], val=xor_split("val")[0], class_names=plants.CLASSES)


@pytest.mark.parametrize("method", [LogisticDirections(C=1.0, cv=3), ErrorMLP(width=1, steps=2, cv=3)])
def test_contract(method):
    assert_contract(method)


@pytest.mark.parametrize("module", [slicebench_methods.error_mlp, slicebench_methods.logistic_directions])
def test_example(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("method", [LogisticDirections(), ErrorMLP(steps=40)])
def test_finds_the_plant_and_nothing_else(method):
    assert plants.found(method) > 0.9
    assert plants.declared(method) < 1e-4
    assert plants.false_alarms(method, n=300) <= 1


def test_a_network_follows_what_no_direction_does():
    data, (test, group) = xor_data(), xor_split("test")
    straight = plants.namf(SVMDirections().fit(data).score(test), test, group)
    logistic = plants.namf(LogisticDirections().fit(data).score(test), test, group)
    curved = plants.namf(ErrorMLP().fit(data).score(test), test, group)
    assert max(straight, logistic) < 0.3
    assert curved > 0.7


def test_logistic_hardness_is_minus_the_log_odds_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    data, test, _ = plants.planted()
    method = LogisticDirections(C=0.5).fit(data)
    Z, Zt = method._preprocess(data.val.embeddings), method._preprocess(test.embeddings)
    for c in range(2):
        rows = data.val.labels == c
        model = LogisticRegression(C=0.5, class_weight="balanced").fit(Z[rows], data.val.correct[rows])
        expected = -model.decision_function(Zt[test.labels == c])
        np.testing.assert_allclose(method.score(test).hardness[test.labels == c], expected, atol=1e-3)


def test_a_strong_penalty_points_from_mean_to_mean():
    data = plants.planted()[0]
    method = LogisticDirections(C=1e-6).fit(data)
    Z = method._preprocess(data.val.embeddings)
    for c in range(2):
        rows, right = data.val.labels == c, data.val.correct
        apart = Z[rows & right].mean(axis=0) - Z[rows & ~right].mean(axis=0)
        cosine = apart @ method.directions_[c] / np.linalg.norm(apart) / np.linalg.norm(method.directions_[c])
        assert cosine > 0.999


@pytest.mark.parametrize("method", [LogisticDirections(), ErrorMLP(steps=50)])
def test_strength_sees_the_plant(method):
    assert (method.fit(plants.planted()[0]).strength() > 0.6).all()


def test_a_seed_is_a_seed():
    data, test, _ = plants.planted(n=200)
    one, same, other = (ErrorMLP(steps=20, seed=seed).fit(data).score(test).hardness for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (LogisticDirections(C=0), "C is 0"),
        (LogisticDirections(C=float("nan")), "C is nan"),
        (LogisticDirections(cv=1), "cv is 1"),
        (SVMDirections(cv=1), "cv is 1"),
        (ErrorMLP(width=0), "width is 0"),
        (ErrorMLP(steps=0), "steps is 0"),
        (ErrorMLP(weight_decay=-1), "weight_decay is -1"),
        (ErrorMLP(cv=1), "cv is 1"),
    ],
)
def test_parameters_that_cannot_be(method, said):
    with pytest.raises(ConfigError, match=said):
        method.fit(plants.planted(n=50)[0])
