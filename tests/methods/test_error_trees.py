"""`barlow` and `tree_rules`, and the trees that both grow."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import slicebench_methods.barlow
import slicebench_methods.tree_rules
from slicebench.errors import ConfigError, DataError
from slicebench.testing import assert_contract
from slicebench_methods import _error_trees as module
from slicebench_methods._error_trees import grown, leaf_rates
from slicebench_methods.barlow import Barlow
from slicebench_methods.tree_rules import TreeRules
from tests.support import plants


@pytest.mark.parametrize("method", [Barlow(n_features=1, depth=1), TreeRules(depth=1, min_leaf=0.2, n_bins=2)])
def test_contract(method):
    assert_contract(method)


@pytest.mark.parametrize("module", [slicebench_methods.barlow, slicebench_methods.tree_rules])
def test_example(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("method", [Barlow(), TreeRules()])
def test_finds_the_plant_and_nothing_else(method):
    assert plants.found(method) > 0.8
    assert plants.declared(method) < 1e-4
    assert plants.false_alarms(method) <= 1


def test_leaves_and_rates_are_scikit_learns():
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    wrong = rng.random(300) < np.where(X[:, 1] > 0.5, 0.7, 0.1)
    tree = grown(X, wrong, depth=3, least=15, seed=0)
    least = module.SPLIT_G / (2 * np.log(2) * 300)
    theirs = DecisionTreeClassifier(
        criterion="entropy", max_depth=3, min_samples_leaf=15, min_impurity_decrease=least, random_state=0
    ).fit(X, wrong)
    leaves, nodes = tree.leaf_of(X.astype(np.float32).astype(np.float64)), theirs.apply(X)
    assert len({*zip(leaves.tolist(), nodes.tolist(), strict=True)}) == len(set(nodes.tolist())) == len(tree.rates)
    for j in range(len(tree.rates)):
        inside = leaves == j
        assert inside.sum() >= 15
        assert tree.rates[j] == pytest.approx((wrong[inside].sum() + wrong.mean()) / (inside.sum() + 1))


def test_a_split_that_chance_explains_is_not_made():
    rng, leaves = np.random.default_rng(0), 0
    for _ in range(20):
        tree = grown(rng.normal(size=(200, 3)), rng.random(200) < 0.3, depth=3, least=20, seed=0)
        leaves += len(tree.rates)
    assert leaves <= 24


def test_an_empty_leaf_has_the_rate_of_all():
    assert leaf_rates(np.zeros(4, int), np.array([1, 0, 0, 0], bool), 2)[1] == 0.25


def test_barlow_names_the_features_that_tell():
    data, test, _ = plants.planted(n=1200)
    scores = Barlow(n_features=3).fit(data).score(test)
    assert scores.names
    assert all("feature 1 >" in name for name in scores.names)
    assert {name.partition(":")[0] for name in scores.names} == {"cat", "dog"}


def test_barlow_keeps_the_most_informative():
    data = plants.planted()[0]
    method = Barlow(n_features=2).fit(data)
    assert all(len(kept) == 2 and kept[0] == 1 for kept in method.features_.values())


def test_rules_say_what_the_plant_is():
    data, test, _ = plants.planted(n=1200)
    assert set(TreeRules().fit(data).score(test).names) == {"cat: time is night", "dog: time is night"}


def with_metadata(split, columns):
    return replace(split, metadata=pd.DataFrame(columns))


def test_metadata_as_it_comes():
    """Missing values, mixed types, dates, constants, categories that val lacks: scored, and the plant still found."""
    data, test, group = plants.planted()
    rng = np.random.default_rng(0)

    def messy(split, n):
        night = split.metadata["time"].eq("night")
        return with_metadata(
            split,
            {
                "time": night.map({True: None, False: "day"}),
                "mixed": [1, "a", None] * (n // 3),
                "date": pd.date_range("2020-01-01", periods=n),
                "constant": np.zeros(n),
                "number": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
                "flag": rng.random(n) < 0.5,
            },
        )

    method = TreeRules().fit(replace(data, val=messy(data.val, 600)))
    scores = method.score(messy(test, 600))
    assert plants.namf(scores, test, group) > 0.8
    assert all("time is missing" in name or "not time is day" in name for name in scores.names)
    strange = messy(test, 600)
    strange.metadata["time"] = "noon"
    assert np.isfinite(method.score(strange).hardness).all()
    with pytest.raises(DataError, match="no column 'time'"):
        method.score(with_metadata(test, {"other": np.zeros(600)}))
    empty = replace(data, val=replace(data.val, metadata=pd.DataFrame(index=range(600))))
    assert TreeRules().supports(empty) == "needs a metadata column"


def test_a_class_with_nothing_to_learn_is_ranked_by_confidence():
    data, test, _ = plants.planted()
    val = data.val.take(np.flatnonzero((data.val.labels == 0) | data.val.correct))
    for method in (Barlow(), TreeRules()):
        scores = method.fit(replace(data, val=val)).score(test)
        dogs = test.labels == 1
        np.testing.assert_allclose(scores.hardness[dogs], 0.5 - test.probs[dogs, 1])
        assert method.notes() == ("class 1 has no errors to learn from; ranked by confidence",)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (Barlow(n_features=0), "n_features is 0"),
        (Barlow(depth=0), "depth is 0"),
        (TreeRules(min_leaf=0.5), "min_leaf is 0.5"),
        (TreeRules(n_bins=1), "n_bins is 1"),
    ],
)
def test_parameters_that_cannot_be(method, said):
    with pytest.raises(ConfigError, match=said):
        method.fit(plants.planted(n=60)[0])
