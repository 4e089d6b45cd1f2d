"""How rows of a pack are dealt, and what each kind of plant does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench.problems.raw import RawSplit
from slicebench_datasets.packs.card import Bounds, Named, Plant
from slicebench_datasets.packs.dataset import pack_class
from slicebench_datasets.packs.models import BoostedTrees
from slicebench_datasets.packs.plants import corrupted, dealt, flipped, kept_in_train
from slicebench_datasets.packs.rules import class_numbers, rows_where

SIZES = {"train": 60, "val": 30, "test": 30}


def rng():
    return np.random.default_rng(0)


def test_units_stay_together_and_classes_are_in_every_split():
    labels = np.repeat([0, 0, 0, 0, 0, 1], 40)
    units = np.repeat(np.arange(48), 5)
    parts = dealt(np.arange(240), units, labels, {"train": 120, "val": 60, "test": 60}, rng())
    seen = [set(units[rows].tolist()) for rows in parts.values()]
    assert len(set.union(*seen)) == sum(map(len, seen))
    assert all(1 in labels[rows] for rows in parts.values())


def test_without_units_sizes_are_exact_and_rows_distinct():
    parts = dealt(np.arange(10, 130), None, np.zeros(130, np.int64), SIZES, rng())
    assert {name: len(rows) for name, rows in parts.items()} == SIZES
    assert sorted(np.concatenate([*parts.values()])) == [*range(10, 130)]
    with pytest.raises(ConfigError, match="add up to 120; there are 50 examples"):
        dealt(np.arange(50), None, np.zeros(50, np.int64), SIZES, rng())


def test_rare_rows_are_thinned_in_train_only():
    hard = np.arange(120) < 60
    parts = {"train": np.arange(0, 100), "test": np.arange(50, 120)}
    kept = kept_in_train(parts, hard, Plant(kind="rare", strength=0.25))
    assert hard[kept["train"]].sum() == 15
    assert (~hard[kept["train"]]).sum() == 40
    assert np.array_equal(kept["test"], parts["test"])


def test_labels_are_replaced_in_the_group_only():
    labels, hard = np.zeros(1000, np.int64), np.arange(1000) < 500
    found = flipped(labels, hard, 3, Plant(kind="label_noise", strength=0.4), rng())
    assert not found[500:].any()
    assert 0.35 < (found[:500] > 0).mean() < 0.45
    assert set(found) == {0, 1, 2}


@pytest.mark.parametrize("images", [True, False])
def test_noise_is_added_to_the_group_alone_and_shows_in_the_embeddings(images):
    inputs = np.full((400, 8, 8), 128, np.uint8) if images else rng().normal(size=(400, 5)).astype(np.float32)
    split = RawSplit(
        ids=np.arange(400).astype(str), inputs=inputs, labels=np.zeros(400, np.int64),
        groups=np.zeros((400, 0), bool), embeddings=None if images else inputs,
    )  # fmt: skip
    plant = Plant(kind="corruption", strength=0.5, train_share=0.1, share=0.3)
    found = corrupted("test", split, plant, split, rng())
    changed = (found.inputs != inputs).reshape(400, -1).any(axis=1)
    assert np.array_equal(changed, found.groups[:, 0])
    assert found.inputs.dtype == inputs.dtype
    assert 0.2 < changed.mean() < 0.4
    assert corrupted("train", split, plant, split, rng()).groups.mean() < 0.2
    assert images or found.embeddings is found.inputs


def test_rules_select_values_ranges_and_what_is_not_missing():
    table = pd.DataFrame({"kind": ["a", "b", "c", "a"], "age": [1.0, 5.0, np.nan, 9.0]})
    assert rows_where(table, {"kind": ("a", "b")}).tolist() == [True, True, False, True]
    assert rows_where(table, {"age": Bounds(at_least=2, below=9)}).tolist() == [False, True, False, False]
    assert rows_where(table, {"kind": Bounds(none_of=("a",)), "age": Bounds(below=9)}).tolist() == [
        False,
        True,
        False,
        False,
    ]
    with pytest.raises(DataError, match="row 0 is in the classes 'x' and 'y'; their rules must not overlap"):
        class_numbers(table, [Named(name="x", where={"kind": ("a",)}), Named(name="y", where={"age": Bounds(below=5)})])


def test_trees_return_probabilities_of_all_classes():
    x, y = rng().normal(size=(200, 3)).astype(np.float32), np.repeat([0, 2], 100)
    probs = BoostedTrees({"max_iter": 5}).fit(x, y, 3, seed=0).predict(x)
    assert probs.shape == (200, 3)
    assert np.allclose(probs.sum(axis=1), 1, atol=1e-5)
    assert not probs[:, 1].any()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"problem": "satimage-stuble"}, "problem is 'satimage-stuble'; .*satimage-stubble"),
        ({"strength": 0.5}, "strength is given, but 'satimage-stubble' is natural"),
        ({"problem": "satimage-damp", "strength": 2}, "strength is 2; expected a number from 0 to 1"),
        ({"model": "small_cnn"}, "model is 'small_cnn', which cannot read columns"),
        ({"vectors": "clip"}, "vectors is 'clip'"),
        ({"vectors": "columns", "encoder": "identity"}, "vectors and encoder are given; expected one of them"),
        ({"n_train": 1}, "n_train is 1; expected a whole number"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(params, message):
    with pytest.raises(ConfigError, match=message):
        pack_class("satimage")(**params).check()


def test_other_models_and_encoders_can_be_chosen():
    small = {"n_train": 300, "n_val": 100, "n_test": 200}
    trees = pack_class("satimage")(model="hist_gradient_boosting", **small).build(0)
    assert trees.data.trainer is None
    other = pack_class("fashion_mnist")(encoder="pixels-pca", **small).build(0)
    assert other.encoder == "pixels-pca"
    assert pack_class("fashion_mnist")(**small).build(0).encoder == "efficientnet-lite0"
