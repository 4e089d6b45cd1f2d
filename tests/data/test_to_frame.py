"""Tables of splits and problems, there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slicebench
from slicebench import METHODS, evaluate
from slicebench.data.split import Split
from slicebench.data.to_frame import frame_to_split, problem_columns, problem_to_frame, split_to_frame
from slicebench.errors import DataError

NAMES = ("cat", "dog", "owl")


def same(one, other):
    for field in ("ids", "embeddings", "losses", "labels", "probs", "correct"):
        a, b = getattr(one, field), getattr(other, field)
        assert (a is None) == (b is None), field
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg=field)
            assert a.dtype == b.dtype or field == "ids"


def test_a_split_comes_back(problem):
    frame = split_to_frame(problem.test, NAMES)
    assert list(frame.columns[:5]) == ["id", "label", "prediction", "correct", "loss"]
    assert set(frame["label"]) == set(NAMES)
    again = frame_to_split(frame, NAMES)
    same(problem.test, again)
    assert list(again.metadata.columns) == ["meta_night", "meta_length"]
    same(problem.test, frame_to_split(frame))  # the names are in the order of the alphabet


def test_a_problem_comes_back_and_methods_score_it_alike(problem):
    frame = problem_to_frame(problem, groups=True)
    again = slicebench.from_frame(frame, **problem_columns(frame))
    same(problem.test, again.test)
    same(problem.data.val, again.data.val)
    same(problem.data.pool, again.data.pool)
    assert again.truth.group_names == ("apart",)
    own, theirs = (evaluate(METHODS.load("confidence")(), one).record for one in (problem, again))
    assert own.metrics == theirs.metrics


def test_the_truth_stays_out_unless_asked_for(problem):
    frame = problem_to_frame(problem)
    assert not [name for name in frame if name.startswith("group_")]
    assert "groups" not in problem_columns(frame)
    assert frame["split"].value_counts().to_dict() == dict.fromkeys(("train", "val", "pool", "test"), 150)


def test_a_rule_of_its_own_shows_in_the_prediction(problem):
    """Where not the most probable class decides, prediction agrees with correct."""
    correct = np.random.default_rng(0).random(150) < 0.5
    frame = split_to_frame(replace(problem.test, correct=correct), NAMES)
    assert ((frame["label"] == frame["prediction"]) == correct).all()
    most = problem.test.probs.argmax(axis=1)
    usual = split_to_frame(problem.test, NAMES)
    assert usual["prediction"].tolist() == [NAMES[c] for c in most]


def test_losses_alone_and_texts():
    split = Split(ids=["a", "b"], embeddings=np.eye(2), losses=[0.5, 1], inputs=["one", "two"])
    frame = split_to_frame(split)
    assert list(frame.columns) == ["id", "loss", "text", "embedding"]
    again = frame_to_split(frame)
    same(split, again)
    assert again.inputs == ["one", "two"]


def test_losses_follow_from_labels_and_probabilities(problem):
    frame = split_to_frame(problem.test, NAMES)
    same(problem.test, frame_to_split(frame.drop(columns=["loss", "correct"]), NAMES))
    assert frame_to_split(frame.assign(mine=7.0), NAMES, loss="mine").losses.tolist() == [7.0] * 150


def test_what_does_not_fit_is_said(problem):
    frame = split_to_frame(problem.test, NAMES)
    for bad, names, says in [
        (frame.drop(columns=["loss", "label"]), (), "does not say where the model errs"),
        (frame.drop(columns="embedding"), NAMES, "has no column 'embedding'"),
        (
            frame.assign(label="cow"),
            NAMES,
            "'label' of the table is 'cow' at row 0 .*; expected one of the classes cat, ",
        ),
        (frame.assign(label=None), NAMES, "column 'label' of the table has no value at row 0"),
        (frame.drop(columns="p_cat"), NAMES, "the table has no column 'p_cat'"),
        (frame.assign(loss=np.nan), NAMES, "column 'loss' of the table has no value at row 0"),
        (frame.assign(p_cat=3.0), NAMES, "probs of the table: row 0 has numbers from .* to 3; .* softmax"),
        (pd.concat([frame, frame]), NAMES, "ids must be distinct"),
    ]:
        with pytest.raises(DataError, match=says):
            frame_to_split(bad, names)
    with pytest.raises(DataError, match="2 names for 3 classes"):
        split_to_frame(problem.test, ("cat", "dog"))
    with pytest.raises(DataError, match="repeats a name"):
        split_to_frame(problem.test, ("cat", "cat", "dog"))


WORDS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=6).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_split_comes_back(data):
    """Whatever ids and classes are called, also where a class has no example."""
    names = data.draw(st.lists(WORDS, min_size=2, max_size=4, unique=True))
    ids = data.draw(st.lists(WORDS, min_size=1, max_size=8, unique=True))
    n, rng = len(ids), np.random.default_rng(data.draw(st.integers(0, 99)))
    split = Split.from_probs(
        ids=ids,
        embeddings=rng.normal(size=(n, 2)).astype(np.float32),
        labels=rng.integers(len(names), size=n),
        probs=rng.dirichlet(np.ones(len(names)), size=n),
    )
    same(split, frame_to_split(split_to_frame(split, names), names))
