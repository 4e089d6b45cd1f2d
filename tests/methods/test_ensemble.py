from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

import slicebench_methods.ensemble as module
from slicebench.errors import ConfigError, MethodError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench.plugins.registry import METHODS
from slicebench.testing import assert_contract, without_labels
from slicebench_methods.confidence import Confidence
from slicebench_methods.ensemble import Ensemble
from slicebench_methods.svm_directions import SVMDirections
from tests.support import plants

FAST = ("confidence", "svm_directions")


class Constant(SliceMethod):
    """All alike, and flags as told; seeded, and with something to say."""

    requires = frozenset({"losses"})
    flags: bool | None = True

    def __init__(self, seed: int = 5) -> None:
        self.seed = seed

    def fit(self, data):
        return self

    def score(self, split):
        flagged = None if self.flags is None else np.full(split.n, self.flags)
        return SliceScores(hardness=np.full(split.n, float(self.seed)), flagged=flagged)

    def notes(self):
        return ("all alike",)


class Never(Constant):
    flags = False


class Silent(Constant):
    flags = None


@pytest.fixture
def constants(monkeypatch):
    """Members 'constant', which flags all, 'never' and 'silent' beside the registered ones."""
    load, names = METHODS.load, METHODS.names()
    own = {"constant": Constant, "never": Never, "silent": Silent}
    monkeypatch.setattr(METHODS, "load", lambda name: own[name] if name in own else load(name))
    monkeypatch.setattr(METHODS, "names", lambda: [*names, *own])


@pytest.mark.parametrize("methods", [FAST, ["random"]])
def test_contract(methods):
    assert_contract(Ensemble(methods=methods, seed=2))


def test_example():
    assert doctest.testmod(module).failed == 0


def test_finds_the_plant_and_nothing_where_there_is_nothing():
    assert plants.found(Ensemble(methods=FAST)) > 0.85
    assert plants.declared(Ensemble(methods=("svm_directions",))) < 1e-4
    assert plants.false_alarms(Ensemble(methods=FAST)) <= 1


def test_hardness_is_the_mean_rank_share_within_the_class_of_val():
    """Written otherwise: of val itself the midrank minus a half, over the number of the class."""
    data, _, _ = plants.planted(n=80)
    ours = Ensemble(methods=FAST).fit(data).score(data.val)
    expected = np.zeros(data.val.n)
    for member in (Confidence(), SVMDirections()):
        hardness = member.fit(data).score(data.val).hardness
        for _, rows in data.val.by_class():
            expected[rows] += (rankdata(hardness[rows]) - 0.5) / len(rows) / 2
    np.testing.assert_allclose(ours.hardness, expected, atol=1e-9)


def test_hardness_does_not_depend_on_who_else_is_there():
    data, test, _ = plants.planted(n=80)
    method = Ensemble(methods=FAST).fit(data)
    whole = method.score(test).hardness
    for rows in (np.array([3]), np.flatnonzero(test.labels == 1)[::-1]):
        np.testing.assert_allclose(method.score(test.take(rows)).hardness, whole[rows], atol=1e-9)


def test_one_member_alone_keeps_its_order():
    data, test, _ = plants.planted()
    alone, member = Ensemble(methods=("svm_directions",)).fit(data).score(test), SVMDirections().fit(data).score(test)
    for _, rows in test.by_class():
        assert spearmanr(alone.hardness[rows], member.hardness[rows]).statistic > 0.999
    np.testing.assert_array_equal(alone.flagged, member.flagged)


def test_more_than_half_of_those_that_flag(constants):
    data, test, _ = plants.planted(n=80)

    def flagged(*methods):
        return Ensemble(methods=methods).fit(data).score(test).flagged

    assert flagged("constant").all()
    assert not flagged("constant", "never").any()
    assert flagged("constant", "silent").all()
    assert flagged("silent") is None
    np.testing.assert_array_equal(flagged("constant", "never", "confidence"), ~test.correct)


def test_seed_notes_and_ties(constants):
    data, test, _ = plants.planted(n=80)
    method = Ensemble(methods=("constant", "confidence"), seed=7).fit(data)
    assert method.members_["constant"].seed == 7
    assert method.notes() == ("constant: all alike",)
    np.testing.assert_array_equal(Ensemble(methods=("constant",)).fit(data).score(test).hardness, 0.5)


def test_a_class_that_val_has_not_is_ranked_against_all_of_val(constants):
    data, test, _ = plants.planted(n=80)
    data = replace(data, val=data.val.take(np.flatnonzero(data.val.labels == 0)))
    scores = Ensemble(methods=("confidence",)).fit(data).score(test)
    val, ones = np.sort(Confidence().score(data.val).hardness), np.flatnonzero(test.labels == 1)
    expected = [(val < h).mean() for h in Confidence().score(test).hardness[ones]]
    np.testing.assert_allclose(scores.hardness[ones], expected)


def test_refusals():
    data, test, _ = plants.planted(n=80)
    wrong = {
        ("ensemble",): "cannot be a member of itself",
        ("confidense",): "'confidense', which is not registered; did you mean 'confidence'",
        ("confidence", "confidence"): "each name once",
        ("oracle",): "given the planted truth",
        (): "one or more",
        "confidence": "expected the names",
    }
    for methods, message in wrong.items():
        for act in (Ensemble(methods=methods).supports, Ensemble(methods=methods).fit):
            with pytest.raises(ConfigError, match=message):
                act(data)
    bare = without_labels(data)
    assert (
        Ensemble(methods=("spotlight", "confidence"))
        .supports(bare)
        .startswith("its member confidence needs class labels")
    )
    assert Ensemble(methods=("spotlight",)).supports(bare) is None
    with pytest.raises(MethodError, match="call fit"):
        Ensemble(methods=FAST).score(test)


def test_a_class_that_val_has_not_is_told_of():
    data, test, _ = plants.planted(n=200)
    cats = data.val.take(np.flatnonzero(data.val.labels == 0))
    method = Ensemble(methods=("confidence", "margin")).fit(replace(data, val=cats))
    assert method.notes()[0] == "class 1 has no validation examples; ranked against all of val"
    assert np.isfinite(method.score(test).hardness).all()
