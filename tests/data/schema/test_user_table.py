"""The one reader of users' tables, and the one step that says which column plays which part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import slicebench
from slicebench import Columns
from slicebench.data.columns import columns_given
from slicebench.data.schema.user_table import UserTable
from slicebench.discovery.selection import select
from slicebench.errors import ConfigError, DataError


def table(**columns):
    return UserTable(pd.DataFrame(columns), "table")


def test_words_may_be_missing_and_all_words_may_not():
    mine = table(label=["cat", None, " ", "dog"], number=[1.0, 2.0, np.nan, 3.5])
    assert mine.words("label").fillna("?").tolist() == ["cat", "?", "?", "dog"]
    assert mine.words("number").fillna("?").tolist() == ["1.0", "2.0", "?", "3.5"]
    with pytest.raises(DataError, match=r"'label' of the table has no value at row 1 \(1 such row\)"):
        mine.all_words("label")


def test_truths_as_booleans_and_as_words():
    mine = table(a=[True, False], b=[1, 0], c=["Yes", "no"], d=["perhaps", "no"])
    assert [mine.yes_or_no(name).tolist() for name in "abc"] == [[True, False]] * 3
    assert [mine.booleans(name).tolist() for name in "ab"] == [[True, False]] * 2
    with pytest.raises(DataError, match="expected true or false"):
        mine.yes_or_no("d")
    with pytest.raises(DataError, match="expected booleans"):
        mine.booleans("c")


WHOLE = {
    "label": ["cat", "dog"],
    "prediction": ["cat", "cat"],
    "p_cat": [0.5, 0.5],
    "p_dog": [0.5, 0.5],
    "embedding": [[1.0], [2.0]],
    "age": [3.0, 4.0],
    "gap": [np.nan, 4.0],
    "constant": [1, 1],
}


def test_a_field_of_no_use_is_refused():
    assert columns_given({"label": "y"}, "select", ("label",)) == Columns(label="y")
    with pytest.raises(ConfigError, match="select has no parameter 'lable'; did you mean 'label'"):
        columns_given({"lable": "y"}, "select", ("label",))
    with pytest.raises(
        ConfigError, match="select does not use 'image'; it takes label, prediction, probs, class_names, score"
    ):
        select(None, pd.DataFrame(WHOLE), image="photo")


def test_a_column_of_probability_vectors_serves_everywhere():
    rng = np.random.default_rng(0)
    p = rng.random(200).astype(np.float32)
    frame = pd.DataFrame({"label": np.where(rng.random(200) < p, "dog", "cat"), "x": rng.normal(size=200)})
    frame = frame.assign(p_cat=1 - p, p_dog=p, both=list(np.stack([1 - p, p], axis=1)))
    one, other = (
        slicebench.from_frame(frame, label="label", features=["x"], probs=probs).test for probs in ("p_", "both")
    )
    np.testing.assert_array_equal(one.probs, other.probs)
    chosen = [
        select(frame[:120], frame[120:].drop(columns="label"), features=["x"], probs=probs, k=5).table
        for probs in ("p_", "both")
    ]
    pd.testing.assert_frame_equal(*chosen)
