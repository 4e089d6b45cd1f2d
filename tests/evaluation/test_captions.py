"""From a method's caption hardness to the outcome in the record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.captions import accuracy_near, class_gaps, hard_and_easy, measure_captions, naming
from slicebench.evaluation.cell import evaluate
from slicebench.metrics.captions import naming_chance
from slicebench.plugins.registry import METHODS

N = 400


@pytest.fixture(scope="module")
def planted():
    """Two classes; in each, examples with a positive feature 1 are the group and all errors are theirs."""
    rng = np.random.default_rng(0)
    splits, groups = {}, {}
    for name in ("train", "val", "test"):
        X, y = rng.normal(size=(N, 3)).astype(np.float32), np.arange(N) % 2
        hard = X[:, 1] > 0.5
        p = np.where(hard, 0.2, 0.9)
        probs = np.where(np.eye(2)[y] == 1, p[:, None], 1 - p[:, None])
        ids = [f"{name}{i}" for i in range(N)]
        splits[name] = Split.from_probs(ids=ids, embeddings=X, labels=y, probs=probs)
        groups[name] = np.stack([hard & (y == 0), hard & (y == 1)], axis=1)
    captions = Captions(
        texts=("up", "down", "right", "only of b"),
        embeddings=np.array([[0, 1, 0], [0, -1, 0], [1, 0, 0], [0, 3, 1]], dtype=np.float32),
        candidates=np.array([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=bool),
        reference_texts=("a", "b"),
        references=np.zeros((2, 3)),
    )
    truth = PlantedTruth(
        ids={name: split.ids for name, split in splits.items()},
        groups=groups,
        group_names=("a up", "b up"),
        captions={"a up": ("up", "not a candidate"), "b up": ("only of b",)},
    )
    data = AuditData(train=splits["train"], val=splits["val"], class_names=("a", "b"), captions=captions)
    return data, splits["test"], truth


def hardness_of(*texts):
    return np.array([[texts.index(t) if t in texts else -1 for t in ("up", "down", "right", "only of b")]] * 2, float)


def test_a_caption_names_a_group_of_its_own_class_only(planted):
    data, test, truth = planted
    assert naming(data.captions, truth, test, 0).tolist() == [True, False, False, False]
    assert naming(data.captions, truth, test, 1).tolist() == [False, False, False, True]


def test_outcome_counts_hits_beside_chance(planted):
    data, test, truth = planted
    hardness = np.array([[2.0, 0, 1, 9], [3, 0, 1, 2]])  # 9 is of no candidate
    out = measure_captions(hardness, data.captions, data.class_names, test, truth)
    assert out.per_class["a"].hardest == ("up", "right", "down")
    assert out.per_class["a"].easiest == ("down", "right", "up")
    assert out.per_class["b"].hardest[:2] == ("up", "only of b")
    assert out.metrics["hit_at_1"] == 0.5
    assert out.metrics["hit_at_2"] == 1
    assert out.metrics["mrr"] == 0.75
    assert out.chance["hit_at_1"] == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert out.per_class["b"].chance["mrr"] == pytest.approx(naming_chance(4, 1)["mrr"])
    assert out.p["hit_at_2"] == pytest.approx(2 / 3 * 2 / 4)


def test_gap_is_large_for_the_planted_direction_and_0_for_equal_captions(planted):
    data, test, truth = planted
    out = measure_captions(np.array([[1.0, 0, 0.5, 0]] * 2), data.captions, data.class_names, test, truth)
    assert out.metrics["gap"] > 0.25, "at K = 195 of 200 images both accuracies are the class's"
    assert 0.2 < out.metrics["gap_low"] < out.metrics["gap"] < out.metrics["gap_high"]
    near = class_gaps(np.array([[1.0, 0, 0.5, 0]] * 2), data.captions, test, ks=lambda _: (20,))
    assert near[0].area > 0.9
    flat = measure_captions(np.zeros((2, 4)), data.captions, data.class_names, test, truth)
    assert flat.metrics["gap"] is None
    assert hard_and_easy(np.zeros(4), data.captions, 0) is None
    assert flat.metrics["mrr"] == pytest.approx(flat.chance["mrr"])


def test_gap_of_another_model_uses_its_answers(planted):
    data, test, _ = planted
    hardness = np.array([[1.0, 0, 0.5, 0]] * 2)
    always = class_gaps(hardness, data.captions, test, correct=np.ones(N, dtype=bool))
    assert [gap.area for gap in always.values()] == [0, 0]
    few = class_gaps(hardness, data.captions, test, ks=lambda n: (n // 20,))
    assert few[0].ks == (10,)


def test_no_captions_no_outcome(planted):
    data, test, truth = planted
    assert measure_captions(None, data.captions, data.class_names, test, truth) is None


def test_nothing_planted_still_lists_captions(planted):
    data, test, truth = planted
    clean = replace(truth, groups={k: np.zeros((N, 0), bool) for k in truth.groups}, group_names=(), captions={})
    out = measure_captions(np.array([[1.0, 0, 0.5, 0]] * 2), data.captions, data.class_names, test, clean)
    assert out.metrics["hit_at_1"] is None
    assert out.p == {}
    assert out.per_class["a"].hardest[0] == "up"


@pytest.mark.parametrize("name", ["confidence", "svm_directions", "domino", "spotlight", "oracle"])
def test_methods_name_the_plant(planted, name):
    data, test, truth = planted
    method = METHODS.load(name)(**({"n_components": 10} if name == "domino" else {}))
    if name == "oracle":
        method.reveal(truth)
    hardness = method.fit(data).caption_hardness(data)
    out = measure_captions(hardness, data.captions, data.class_names, test, truth)
    assert out.metrics["hit_at_2"] == 1, out.per_class


def test_a_record_holds_the_outcome(problem):
    record = evaluate(METHODS.load("svm_directions")(), problem).record
    assert set(record.captions.per_class) == {"cat", "dog", "owl"}
    assert record.cost.caption_s > 0
    back = type(record).model_validate_json(record.model_dump_json())
    assert back.captions == record.captions


def test_accuracy_near_a_caption_is_that_of_the_nearest_images(planted):
    data, test, _ = planted
    near = accuracy_near(data.captions, test, 0)
    assert set(near) == {"up", "down", "right"}
    rows = np.flatnonzero(test.labels == 0)
    units = test.embeddings[rows] / np.linalg.norm(test.embeddings[rows], axis=1, keepdims=True)
    for text, along in {"up": units[:, 1], "down": -units[:, 1], "right": units[:, 0]}.items():
        assert near[text] == pytest.approx(test.correct[rows][np.argsort(-along)[: len(rows) // 10]].mean())
    assert near["up"] < 0.1 < 0.9 < near["down"]
    assert accuracy_near(data.captions, replace(test, labels=None, probs=None, correct=None), 0) == {}
