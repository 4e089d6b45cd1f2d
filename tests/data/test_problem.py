"""The data types validate once, name what is wrong, and keep the truth out of reach."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest

from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.errors import DataError


def arrays(n=6, d=3, C=2, **changes):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(C), size=n).astype(np.float32)
    base = {
        "ids": [f"x{i}" for i in range(n)],
        "embeddings": rng.normal(size=(n, d)).astype(np.float32),
        "losses": rng.random(n).astype(np.float32),
        "labels": np.arange(n) % C,
        "probs": probs,
    }
    return {**base, **changes}


def with_value(shape, at, value):
    out = np.ones(shape)
    out[at] = value
    return out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": ["a", "b", "a", "c", "d", "e"]}, r"ids has 'a' at rows 0 and 2"),
        ({"ids": ["a", "", "b", "c", "d", "e"]}, r"ids is empty at row 1"),
        ({"ids": []}, r"ids has shape \(0,\).*at least one"),
        ({"ids": np.array([1.5] * 6)}, r"ids has dtype float64; expected strings"),
        ({"embeddings": np.ones((5, 3))}, r"embeddings has 5 rows; expected 6"),
        ({"embeddings": np.ones(6)}, r"embeddings has shape \(6,\); expected 2 axes"),
        ({"embeddings": np.ones((6, 0))}, r"embeddings has no columns"),
        ({"embeddings": with_value((6, 3), (4, 1), np.nan)}, r"embeddings is nan at row 4, column 1"),
        ({"embeddings": with_value((6, 3), (2, 0), 1e300)}, r"embeddings is 1e\+300 at row 2, column 0"),
        ({"losses": with_value(6, 3, np.inf)}, r"losses is inf at row 3"),
        ({"losses": ["a"] * 6}, r"losses has dtype <U1; expected numbers"),
        ({"labels": [0, 1, 0, -1, 0, 1]}, r"labels is -1 at row 3"),
        ({"labels": np.array([0.0, 1, 0, 1, 0, 1])}, r"labels has dtype float64; expected integers"),
        ({"labels": [0, 1, 2, 0, 1, 0]}, r"labels is 2 at row 2, but probs has 2 columns"),
        (
            {"probs": np.full((6, 2), 0.6)},
            r"probs: the probabilities of row 0 sum to 1.2; .*divide each row by its sum",
        ),
        ({"probs": np.ones((6, 1))}, r"probs has 1 columns; expected one per class, two or more"),
        ({"correct": np.full(6, 2)}, r"correct has dtype int64; expected booleans"),
        ({"inputs": np.zeros((5, 2))}, r"inputs has 5 rows; expected 6"),
        ({"metadata": pd.DataFrame({"a": [1]})}, r"metadata has 1 rows; expected 6"),
    ],
)
def test_split_names_field_row_and_expectation(changes, message):
    with pytest.raises(DataError, match=message):
        Split(**arrays(**changes))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, ">f4", ">f8"])
def test_split_takes_any_numeric_dtype_and_layout(dtype):
    wide = np.arange(36).reshape(6, 6).astype(dtype)
    split = Split(**arrays(embeddings=wide[:, ::2], labels=np.array([0, 1] * 3, dtype=np.int32)))
    assert split.embeddings.dtype == np.float32
    assert split.embeddings.dtype.isnative
    assert split.labels.dtype == np.int64
    np.testing.assert_array_equal(split.embeddings, wide[:, ::2].astype(np.float32))


def test_split_is_frozen_and_its_arrays_read_only():
    split = Split(**arrays())
    with pytest.raises(FrozenInstanceError):
        split.losses = split.losses
    for name in ("embeddings", "losses", "labels", "probs", "correct"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(split, name)[0] = 0


def test_correct_follows_from_labels_and_probs_unless_given():
    given = arrays()
    split = Split(**given)
    np.testing.assert_array_equal(split.correct, given["probs"].argmax(axis=1) == given["labels"])
    assert Split(**arrays(correct=np.zeros(6, bool))).correct.sum() == 0
    assert Split(**arrays(labels=None, probs=None)).correct is None


def test_losses_only_is_one_class():
    split = Split(**arrays(labels=None, probs=None))
    ((c, rows),) = split.by_class()
    assert c == 0
    np.testing.assert_array_equal(rows, np.arange(6))


def test_from_probs_gives_cross_entropy():
    given = arrays()
    del given["losses"]
    split = Split.from_probs(**given)
    expected = -np.log(given["probs"][np.arange(6), given["labels"]])
    np.testing.assert_allclose(split.losses, expected, rtol=1e-6)


def test_take_keeps_everything_aligned():
    table = pd.DataFrame({"k": range(6)})
    split = Split(**arrays(inputs=[f"text {i}" for i in range(6)], metadata=table))
    part = split.take(np.array([4, 1]))
    assert part.ids.tolist() == ["x4", "x1"]
    assert list(part.inputs) == ["text 4", "text 1"]
    assert part.metadata["k"].tolist() == [4, 1]
    np.testing.assert_array_equal(part.probs, split.probs[[4, 1]])


def test_audit_data_rejects_overlap_and_unequal_spaces():
    train, val = Split(**arrays()), Split(**arrays(ids=[f"v{i}" for i in range(6)]))
    AuditData(train=train, val=val, class_names=("a", "b"))
    with pytest.raises(DataError, match=r"id 'x0' is in both train and val"):
        AuditData(train=train, val=Split(**arrays()), class_names=("a", "b"))
    wide = Split(**arrays(ids=val.ids, embeddings=np.ones((6, 4))))
    with pytest.raises(DataError, match=r"val.embeddings has 4 columns, train.embeddings 3"):
        AuditData(train=train, val=wide, class_names=("a", "b"))
    with pytest.raises(DataError, match=r"class_names has 1 names"):
        AuditData(train=train, val=val, class_names=("a",))


def test_truth_is_checked_and_joined_by_id():
    ids = {"test": np.array(["a", "b", "c"])}
    truth = PlantedTruth(ids=ids, groups={"test": [[1, 0], [0, 0], [1, 1]]}, group_names=("g", "h"))
    assert truth.minority(np.array(["c", "b"])).tolist() == [True, False]
    with pytest.raises(DataError, match="no example with id 'z'"):
        truth.minority(np.array(["z"]))
    with pytest.raises(DataError, match="2 columns for 1 group names"):
        PlantedTruth(ids=ids, groups={"test": [[1, 0]] * 3}, group_names=("g",))
    with pytest.raises(DataError, match=r"captions names the groups \['x'\]"):
        PlantedTruth(ids=ids, groups={"test": [[1]] * 3}, group_names=("g",), captions={"x": ("y",)})


def test_problem_rejects_truth_in_another_order(problem):
    ids = {name: keys[::-1] for name, keys in problem.truth.ids.items()}
    with pytest.raises(DataError, match=r"truth.ids\['train'\] differs from train.ids"):
        replace(problem, truth=replace(problem.truth, ids=ids))


def test_truth_cannot_be_reached_from_what_a_method_is_given(problem, reachable):
    found = reachable(problem.data, problem.test)
    assert id(problem.data.val.embeddings) in found, "the walk sees nothing"
    assert not [x for x in found.values() if isinstance(x, PlantedTruth)]
    truths = {id(groups) for groups in problem.truth.groups.values()}
    truths |= {id(groups.base) for groups in problem.truth.groups.values() if groups.base is not None}
    assert not truths & set(found)


def test_the_walk_would_find_a_leak(problem, reachable):
    leaky = replace(problem.data, class_names=problem.data.class_names)
    object.__setattr__(leaky, "class_names", (problem.truth,))
    assert any(isinstance(x, PlantedTruth) for x in reachable(leaky).values())
