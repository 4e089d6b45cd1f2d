from __future__ import annotations

import numpy as np
import pytest

from slicebench.errors import ConfigError
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench.problems.frozen import load_problem, save_problem
from slicebench_datasets.prototypes import Prototypes


@pytest.fixture(scope="module")
def problem():
    return Prototypes(n_train=6000, n_val=4000, n_test=4000, d=32, classes=5).build(0)


def test_errors_are_as_frequent_as_asked_for(problem):
    test, minority = problem.test, problem.truth.minority(problem.test.ids)
    assert minority.mean() == pytest.approx(0.2, abs=0.03)
    assert (~test.correct[~minority]).mean() == pytest.approx(0.08, abs=0.02)
    assert (~test.correct[minority]).mean() > 0.4
    assert (~problem.data.train.correct).mean() == pytest.approx((~test.correct).mean(), abs=0.03)


def test_train_has_no_probabilities_but_losses(problem):
    train, blocks = (
        problem.data.train,
        Prototypes(n_train=6000, n_val=4000, n_test=4000, d=32, classes=5).blocks(0, "train"),
    )
    assert train.probs is None
    whole, minority = next(iter(blocks))
    np.testing.assert_array_equal(train.losses, whole.losses)
    np.testing.assert_array_equal(train.embeddings, whole.embeddings)
    np.testing.assert_array_equal(problem.truth.minority(train.ids), minority)


def test_classes_may_outnumber_dimensions():
    small = Prototypes(n_train=300, n_val=300, n_test=300, d=8, classes=40).build(0)
    assert small.test.probs.shape == (300, 40)


def test_survives_freezing(problem, tmp_path):
    save_problem(problem, tmp_path / "p")
    again = load_problem(tmp_path / "p")
    np.testing.assert_array_equal(again.test.probs, problem.test.probs)
    np.testing.assert_array_equal(again.data.train.inputs, problem.data.train.embeddings)
    assert again.data.trainer.recipe == problem.data.trainer.recipe


def test_methods_that_train_can(problem):
    found = METHODS.load("early_stopping")().fit(problem.data).score(problem.test)
    assert np.isfinite(found.hardness).all()
    assert found.flagged.mean() < 0.5, "it has learnt something"


def test_blocks_are_drawn_alike_whatever_else_is(problem):
    again = Prototypes(n_train=5, n_val=4000, n_test=9, d=32, classes=5).build(0)
    np.testing.assert_array_equal(again.data.val.embeddings, problem.data.val.embeddings)
    other = Prototypes(n_train=5, n_val=4000, n_test=9, d=32, classes=5).build(1)
    assert not np.array_equal(other.data.val.labels, problem.data.val.labels)


def test_is_registered_and_says_what_it_refuses():
    assert DATASETS.load("prototypes") is Prototypes
    for bad in ({"classes": 1}, {"error": 0.7}, {"pull": 2}, {"n_val": 3}, {"epochs": 0}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            Prototypes(**bad).check()
