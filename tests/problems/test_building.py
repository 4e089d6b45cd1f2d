"""The builder: trains, embeds, assembles, and lets no truth through."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slicebench.data.problem import Provenance
from slicebench.errors import ConfigError, PluginError
from slicebench.models.training import Recipe
from slicebench.plugins.dataset import DatasetAdapter
from slicebench.problems.building import build_problem
from slicebench.problems.frozen import load_problem, save_problem
from slicebench.problems.raw import RawProblem, RawSplit


class Toy(DatasetAdapter):
    family = "toy"
    modality = "vector"

    def __init__(self, n=120):
        self.n = n


def raw(name, n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    secret = rng.random(n) < 0.25
    x = rng.standard_normal((n, 4)).astype(np.float32)
    x[:, 0] += np.where(secret, 0.2, 3) * labels
    table = pd.DataFrame({"secret": secret.astype(float), "shade": rng.random(n)})
    return RawSplit.shuffled(
        name, rng, inputs=x, labels=labels, groups=secret[:, None], metadata=table.drop(columns="secret")
    )


def splits(n=120):
    return {name: raw(name, n, seed) for seed, name in enumerate(("train", "val", "test"))}


def build(parts=None, encoder="identity", classes=("a", "b"), seed=0):
    raw_problem = RawProblem(
        name="toy-problem",
        splits=parts or splits(),
        base_model=Recipe(arch="linear", epochs=6, batch_size=20, peak_lr=0.1, peak_epoch=1),
        encoder=encoder,
        class_names=classes,
        group_names=("weak",),
        how="by hand",
        provenance=Provenance(source="here", licence="none"),
        captions_for_groups={"weak": ("a weak one",)},
    )
    return build_problem(Toy(), raw_problem, seed)


def test_everything_stands_in_its_place():
    parts = splits()
    problem = build(parts)
    assert (problem.name, problem.family, problem.dataset, problem.encoder, problem.params) == (
        "toy-problem", "toy", "toy", "identity", {"n": 120},
    )  # fmt: skip
    np.testing.assert_array_equal(problem.test.labels, parts["test"].labels)
    np.testing.assert_array_equal(problem.test.embeddings, parts["test"].inputs)
    np.testing.assert_array_equal(problem.truth.groups["val"], parts["val"].groups)
    assert problem.provenance.planted_rate == parts["test"].groups.mean()
    assert problem.test.correct[~parts["test"].groups[:, 0]].mean() > 0.85
    assert problem.truth.captions == {"weak": ("a weak one",)}


def test_the_same_seed_gives_the_same_problem_and_another_seed_another_model():
    one, two, other = build(seed=3), build(seed=3), build(seed=4)
    np.testing.assert_array_equal(one.test.probs, two.test.probs)
    assert not np.array_equal(one.test.probs, other.test.probs)


def test_the_base_model_is_the_trainers_own_default():
    problem = build(seed=5)
    assert problem.data.trainer.recipe.seed == 5
    again = problem.data.trainer.fit().predict(problem.test.inputs)
    np.testing.assert_array_equal(again, problem.test.probs)


def test_the_snapshot_at_a_third_is_in_the_cache(own_cache):
    problem = build()
    before = set((own_cache / "models").iterdir())
    problem.data.trainer.fit(stop_epoch=2)
    assert set((own_cache / "models").iterdir()) == before


def test_ids_tell_only_split_and_position():
    problem = build()
    assert problem.test.ids.tolist() == [f"test-{i:05d}" for i in range(120)]


def test_shuffling_moves_rows_together_and_spreads_the_group():
    n = 400
    groups = np.arange(n)[:, None] < 100
    x = np.arange(n, dtype=np.float32)[:, None]
    part = RawSplit.shuffled(
        "val",
        np.random.default_rng(0),
        inputs=x,
        labels=np.arange(n) % 3,
        groups=groups,
        metadata=pd.DataFrame({"x": x[:, 0]}),
    )
    np.testing.assert_array_equal(part.groups[:, 0], part.inputs[:, 0] < 100)
    np.testing.assert_array_equal(part.metadata["x"], part.inputs[:, 0])
    np.testing.assert_array_equal(part.labels, part.inputs[:, 0] % 3)
    assert 30 < part.groups[:200].sum() < 70


def test_no_array_equal_to_the_truth_is_reachable_from_what_methods_get():
    """Walk the reference graph from data and test split: no array of n values may equal the group column."""
    problem = build()
    secrets = [groups[:, 0] for groups in problem.truth.groups.values()]
    seen, todo, arrays = set(), [problem.data, problem.test], 0
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type) or type(thing).__name__ in ("module", "function"):
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            arrays += 1
            columns = thing.reshape(len(thing), -1) if thing.ndim else thing.reshape(1, 1)
            for secret in (s for s in secrets if len(s) == len(columns)):
                numeric = columns.dtype.kind in "biuf"
                assert not (numeric and (columns == secret[:, None]).all(axis=0).any())
            if thing.base is not None:
                todo.append(thing.base)
        todo.extend(gc.get_referents(thing))
    assert arrays > 10


def test_what_cannot_be_built_is_said_before_training():
    with pytest.raises(ConfigError, match="val missing"):
        build({name: part for name, part in splits().items() if name != "val"})
    with pytest.raises(ConfigError, match="no example of the classes c"):
        build(classes=("a", "b", "c"))
    with pytest.raises(PluginError, match=r"slicebench\.encoders has no plugin named 'pixel'"):
        build(encoder="pixel")


def test_pool_and_own_latent(tmp_path):
    parts = splits() | {"pool": raw("pool", 50, 9)}
    problem = build(parts, encoder="own-latent")
    assert problem.data.pool.n == 50
    assert problem.data.pool.d == problem.test.d
    save_problem(problem, tmp_path / "frozen")
    loaded = load_problem(tmp_path / "frozen")
    np.testing.assert_array_equal(loaded.test.probs, problem.test.probs)
    np.testing.assert_array_equal(loaded.truth.groups["pool"], parts["pool"].groups)


def test_raw_split_without_metadata_stays_without():
    assert replace(raw("val", 10, 0), metadata=None).metadata is None
    rng = np.random.default_rng(0)
    part = RawSplit.shuffled("v", rng, inputs=np.eye(3), labels=np.arange(3), groups=np.zeros((3, 0), bool))
    assert part.metadata is None
