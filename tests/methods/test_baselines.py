"""The baselines that read nothing but what the base model said: margin, entropy, loss."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from slicebench.data.split import Split
from slicebench.testing import example_problem
from slicebench_methods.confidence import Confidence
from slicebench_methods.entropy import Entropy
from slicebench_methods.loss import Loss
from slicebench_methods.margin import Margin
from tests.support import plants


def order(method, split):
    return np.argsort(method.score(split).hardness, kind="stable").tolist()


@pytest.mark.parametrize("name", ["margin", "entropy", "loss"])
def test_example(name):
    assert doctest.testmod(importlib.import_module(f"slicebench_methods.{name}")).failed == 0


@pytest.mark.parametrize(("method", "bar"), [(Margin(), 0.6), (Entropy(), 0.35), (Loss(), 0.6)])
def test_finds_what_the_model_is_unsure_of(method, bar):
    assert plants.found(method) > bar


@pytest.mark.parametrize("method", [Margin(), Entropy(), Loss()])
def test_declares_nothing_where_there_is_nothing(method):
    assert plants.false_alarms(method) <= 1


def test_with_two_classes_margin_and_loss_rank_as_confidence():
    test = plants.planted()[1]
    assert order(Margin(), test) == order(Loss(), test) == order(Confidence(), test)


def test_with_more_classes_margin_asks_where_the_rest_went():
    probs = [[0.4, 0.55, 0.05], [0.4, 0.3, 0.3]]
    split = Split.from_probs(ids=["rival", "spread"], embeddings=np.eye(2), labels=[0, 0], probs=probs)
    assert np.ptp(Confidence().score(split).hardness) == 0
    assert Margin().score(split).hardness[0] > 0 > Margin().score(split).hardness[1]


def test_margin_is_above_0_exactly_where_the_model_is_wrong():
    test = example_problem().test
    scores = Margin().score(test)
    assert ((scores.hardness > 0) == ~test.correct).all()
    assert (scores.flagged == ~test.correct).all()


def test_a_probability_of_0_is_finite():
    split = Split.from_probs(ids=["a"], embeddings=np.ones((1, 1)), labels=[0], probs=[[0.0, 1.0]])
    assert np.isfinite(Margin().score(split).hardness).all()
    assert Entropy().score(split).hardness == pytest.approx(0)


def test_entropy_sees_no_label():
    test = plants.planted()[1]
    flipped = Split.from_probs(ids=test.ids, embeddings=test.embeddings, labels=1 - test.labels, probs=test.probs)
    np.testing.assert_array_equal(Entropy().score(test).hardness, Entropy().score(flipped).hardness)
