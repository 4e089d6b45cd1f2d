"""The family of several blindspots."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench import METHODS, evaluate
from slicebench.errors import ConfigError
from slicebench_datasets.blindspots import Blindspot, Blindspots, have_room

SMALL = {"n_train": 1200, "n_val": 500, "n_test": 800}


def test_blindspots_are_disjoint_and_as_large_as_asked():
    for seed in range(12):
        for split in Blindspots(**SMALL, share=0.1).raw(seed).splits.values():
            assert split.groups.sum(axis=1).max() == 1
            assert np.allclose(split.groups.mean(axis=0), 0.1, atol=0.045)


def test_numbers_of_blindspots_and_conditions_are_drawn():
    drawn = [Blindspots().drawn(np.random.default_rng(seed)) for seed in range(60)]
    assert {len(spots) for spots in drawn} == {1, 2, 3}
    assert {len(spot.attributes) for spots in drawn for spot in spots} == set(range(1, 8))
    assert any(len({spot.label for spot in spots}) < len(spots) for spots in drawn), "several in one class"
    assert all(have_room(spots) for spots in drawn)


def test_a_class_is_never_filled():
    one, opposite = Blindspot(0, (1,), (True,)), Blindspot(0, (1,), (False,))
    assert one.share_of(opposite) == 0
    assert not have_room([one, opposite])
    assert not have_room([one, Blindspot(0, (1, 2), (True, True))])
    assert have_room([one, Blindspot(1, (1,), (False,))])


def test_labels_are_wrong_in_train_only():
    raw = Blindspots(**SMALL, flip=1.0, blindspots=2).raw(3)
    of = [int(name.split(",")[0].removeprefix("class ")) for name in raw.group_names]
    for name, split in raw.splits.items():
        for group, label in zip(split.groups.T, of, strict=True):
            assert ((split.labels[group] == label).all()) == (name != "train")


def test_the_model_fails_there_and_the_oracle_finds_it():
    problem = Blindspots().build(100)
    hard = problem.truth.minority(problem.test.ids)
    assert problem.test.correct[hard].mean() < 0.75 < 0.9 < problem.test.correct[~hard].mean()
    assert evaluate(METHODS.load("oracle")(), problem).record.metrics["namf"] == pytest.approx(1.0)


def test_without_blindspots_there_is_nothing_to_find():
    raw = Blindspots(**SMALL, blindspots=0).raw(0)
    assert list(raw.group_names) == []
    assert raw.splits["test"].groups.shape == (800, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"blindspots": 4}, "blindspots is 4; expected a whole number from 0 to 3"),
        ({"conditions": 1}, "conditions is 1; expected a whole number from 2 to 7"),
        ({"d": 5}, "d is 5; expected a whole number from 12"),
        ({"share": 0.5}, "share is 0.5; expected a number from 0 to 0.25"),
    ],
)
def test_wrong_parameters_are_named(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Blindspots(**wrong).check()
