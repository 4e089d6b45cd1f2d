from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.multiaccuracy as module
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, DataError
from slicebench.testing import assert_contract
from slicebench_methods.multiaccuracy import Multiaccuracy
from tests.support import plants


def test_contract():
    assert_contract(Multiaccuracy(ridge=0.1, eta=0.5, max_rounds=3))


def test_example():
    assert doctest.testmod(module).failed == 0


def test_finds_the_plant_and_declares_nothing_where_there_is_nothing():
    assert plants.found(Multiaccuracy()) > 0.5
    assert plants.false_alarms(Multiaccuracy()) <= 1


def test_without_anything_to_find_no_auditor_passes():
    """Labels that no embedding tells, and probabilities that say so."""
    rng, silent = np.random.default_rng(0), 0
    test = plants.planted()[1]
    for _ in range(8):
        y = rng.integers(0, 2, 600)
        probs = np.where(np.eye(2)[rng.integers(0, 2, 600)] == 1, 0.51, 0.49)
        val = Split.from_probs(
            ids=np.arange(600).astype(str), embeddings=rng.normal(size=(600, 8)), labels=y, probs=probs
        )
        method = Multiaccuracy().fit(AuditData(train=plants.planted()[0].train, val=val, class_names=plants.CLASSES))
        if not method.auditors_:
            silent += 1
            scores = method.score(test)
            assert not scores.hardness.any()
            assert not scores.flagged.any()
            assert method.notes() == ("no auditor correlates with the residuals: all hardness is 0",)
    assert silent >= 6


def test_corrections_make_the_model_better():
    """The paper's guarantee, on new data: the corrected probabilities have the lower squared error."""
    data, test, _ = plants.planted(n=2000)
    method = Multiaccuracy().fit(data)
    X, predicted, log_p = method._arrays(test)
    for auditor in method.auditors_:
        log_p = module._normalised(log_p + method.eta * module._audited(auditor, X, predicted))
    truth = np.eye(2)[test.labels]
    assert len(method.auditors_) >= 1
    assert np.square(np.exp(log_p) - truth).mean() < 0.95 * np.square(test.probs - truth).mean()
    moved = np.abs(np.exp(log_p) - test.probs).sum(axis=1) / 2
    np.testing.assert_allclose(method.score(test).hardness, moved, atol=1e-6)


def test_an_auditor_is_a_ridge_regression_scaled():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    X, r = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    found = module._ridge(np.column_stack([X, np.ones(50)]), 0.4) @ r
    theirs = Ridge(alpha=0.4 * 50).fit(X, r)
    np.testing.assert_allclose(found[:3], theirs.coef_.T, rtol=1e-5)
    np.testing.assert_allclose(found[3], theirs.intercept_, rtol=1e-4, atol=1e-7)


def test_a_split_of_other_classes_is_refused():
    data, test, _ = plants.planted()
    method = Multiaccuracy().fit(data)
    probs = np.column_stack([test.probs, np.zeros(test.n)])
    with pytest.raises(DataError, match="3 columns; this method was fitted on 2"):
        method.score(replace(test, probs=probs))


def test_a_tiny_val_is_no_reason_to_crash():
    data, test, _ = plants.planted()
    for n in (1, 2, 5):
        tiny = AuditData(train=data.train, val=data.val.take(np.arange(n)), class_names=plants.CLASSES)
        assert np.isfinite(Multiaccuracy().fit(tiny).score(test).hardness).all()


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (Multiaccuracy(alpha=-1), "alpha is -1"),
        (Multiaccuracy(eta=0), "eta is 0"),
        (Multiaccuracy(ridge=0), "ridge is 0"),
        (Multiaccuracy(max_rounds=0), "max_rounds is 0"),
    ],
)
def test_parameters_that_cannot_be(method, said):
    with pytest.raises(ConfigError, match=said):
        method.fit(plants.planted(n=50)[0])
