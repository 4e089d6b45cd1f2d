"""The contract checks pass for every method of ours and catch what they are there to catch."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench.plugins.registry import METHODS
from slicebench.testing import CHECKS, assert_contract, check_method

OURS = [p.name for p in METHODS.describe() if p.distribution == "slicebench"]
FEW_STEPS = {"error_mlp": {"steps": 30}, "spotlight": {"steps": 100}, "sparse_layer": {"n_lambdas": 20}}
"""Parameters of methods that take seconds for each of the many fits of the contract."""


@pytest.mark.parametrize("name", OURS)
def test_our_methods_keep_the_contract(name):
    """With few steps: the contract is about shapes, seeds and special inputs, not about how well a method learns."""
    kind = METHODS.load(name)
    kind()
    assert_contract(kind(**FEW_STEPS[name]) if name in FEW_STEPS else kind)


class Good(SliceMethod):
    requires = frozenset({"losses"})

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def fit(self, data):
        self.mean_ = float(data.val.losses.mean())
        return self

    def score(self, split):
        return SliceScores(hardness=self.scale * (split.losses - self._fitted("mean_")))


class NeedsArgument(Good):
    def __init__(self, scale):
        self.scale = scale


class ChangesParameter(Good):
    def __init__(self, scale=1.0):
        self.scale = scale + 1


class UnknownWord(Good):
    requires = frozenset({"luck"})


class ReturnsNothing(Good):
    def fit(self, data):
        super().fit(data)


class BareName(Good):
    def fit(self, data):
        self.mean = 0
        return super().fit(data)


class TooShort(Good):
    def score(self, split):
        return SliceScores(hardness=split.losses[: split.n // 2])


class AttributeErrorBeforeFit(Good):
    def score(self, split):
        return SliceScores(hardness=split.losses - self.mean_)


class Unseeded(Good):
    def fit(self, data):
        self.noise_ = np.random.default_rng().random()
        return super().fit(data)

    def score(self, split):
        return SliceScores(hardness=split.losses * self._fitted("noise_"))


class Positional(Good):
    def score(self, split):
        self._fitted("mean_")
        return SliceScores(hardness=np.arange(split.n, dtype=float))


class NeedsErrors(Good):
    def fit(self, data):
        for _, rows in data.val.by_class():
            if data.val.correct is not None and data.val.correct[rows].all():
                raise ZeroDivisionError
        return super().fit(data)


class NeedsEveryClass(Good):
    def score(self, split):
        super().score(split)
        if split.n > 1 and split.labels is not None and split.labels.max() < 2:
            raise IndexError
        return super().score(split)


class DividesByStd(Good):
    def score(self, split):
        return SliceScores(hardness=super().score(split).hardness / split.embeddings.std())


class AssumesLabels(Good):
    def fit(self, data):
        self.most_ = data.val.labels.max()
        return super().fit(data)


class ScalarStrength(Good):
    def strength(self):
        return 0.5


def test_a_good_method_passes():
    assert {r.status for r in check_method(Good)} == {"passed", "skipped"}
    assert len(check_method(Good(scale=2.0))) == len(CHECKS)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("method", "check"),
    [
        (NeedsArgument, "constructs"),
        (ChangesParameter, "constructor_stores_parameters"),
        (UnknownWord, "requires_known_words"),
        (ReturnsNothing, "fit_returns_self"),
        (BareName, "fit_returns_self"),
        (TooShort, "one_finite_score_per_example"),
        (AttributeErrorBeforeFit, "score_before_fit_raises"),
        (Unseeded, "same_seed_same_scores"),
        (Positional, "row_order_does_not_matter"),
        (NeedsErrors, "class_without_errors"),
        (NeedsEveryClass, "absent_class"),
        (DividesByStd, "constant_embeddings"),
        (AssumesLabels, "losses_only"),
        (ScalarStrength, "strength_per_class"),
    ],
)
def test_each_check_catches_its_fault(method, check):
    failed = {r.name: r.message for r in check_method(method) if r.status == "failed"}
    assert check in failed
    assert failed[check]
