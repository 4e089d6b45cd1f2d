"""Options that have no use are checked and told of; numbers keep their digits and do not overflow; copies are noticed."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from slicebench import discover
from slicebench.data.schema.classes import class_called
from slicebench.errors import ConfigError, PluginError

N = 600
RNG = np.random.default_rng(0)
K = RNG.integers(0, 12, N)


def table(names=("no", "yes"), inside=K > 8, **columns):
    """Two classes; the model is wrong at .6 where `inside`, at .05 elsewhere."""
    y = RNG.integers(2, size=N)
    wrong = RNG.random(N) < np.where(inside, 0.6, 0.05)
    own = np.array(names)
    return pd.DataFrame({"label": own[y], "prediction": own[y ^ wrong], "noise": RNG.normal(size=N), **columns})


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"encoder": "nope"}, PluginError, "no plugin named 'nope'"),
        ({"error": "foo"}, ConfigError, "error is 'foo'; expected absolute, squared, over, under"),
        ({"positive": "maybe"}, ConfigError, "positive is 'maybe'; expected one of the classes no, yes"),
    ],
)
def test_an_option_without_use_must_still_be_right(options, error, said):
    with pytest.raises(error, match=said):
        discover(table(x=K), method="rules", **options)


def test_a_right_option_without_use_is_told_of():
    found = discover(
        table(x=K), method="rules", encoder="tfidf", error="over", positive="yes", threshold=0.3, image_root="photos"
    )
    for name, why in [
        ("encoder", "the vectors are 2 columns (noise, x)"),
        ("error", "it is for regressions"),
        ("positive", "no column is the score of one class"),
        ("threshold", "no score decides what is predicted"),
        ("image_root", "no column holds images"),
    ]:
        assert f"{name} is not used: {why}." in found.notes
    assert not any("is not used:" in note for note in discover(table(x=K), method="rules").notes)


@pytest.mark.parametrize("positive", [True, np.True_, 1, np.int64(1), 1.0, "1", "1.0"])
def test_the_positive_class_may_be_written_in_any_way(positive):
    frame = table(names=(0, 1), x=K)
    found = discover(frame, method="rules", measure="fnr", positive=positive)
    assert found.examples.n == (frame["label"] == 1).sum()
    scored = frame.assign(score=np.where(frame["prediction"] == 1, 0.9, 0.1)).drop(columns="prediction")
    found = discover(scored, method="rules", positive=positive)
    assert found.facts.rate == pytest.approx((frame["label"] != frame["prediction"]).mean())


def test_a_class_is_named_by_its_word_or_its_meaning():
    assert class_called(["False", "True"], 1) == 1
    assert class_called(["no", "yes"], False) == 0
    assert class_called(["1", "true"], True) is None or class_called(["1", "true"], True) == 1
    assert class_called(["Cat", "cat"], "CAT") is None
    assert class_called([1, 2], "x") is None


def test_large_whole_numbers_keep_their_digits():
    names = (2**60 + 1, 2**60 + 2)
    frame = table(names=names, x=2**60 + K)
    found = discover(frame, method="rules")
    one = found.standing[0]
    assert found.examples.class_names == tuple(map(str, names))
    assert one.query == one.text == f"x >= {2**60 + 9}"
    assert len(frame.query(one.query)) == one.size == (K >= 9).sum()
    nullable = discover(frame.astype({"x": "Int64", "label": "Int64"}), method="rules").standing[0]
    assert nullable.query == one.query
    own = frame.assign(prediction=np.where(frame["label"] == names[1], frame["prediction"], names[0]))
    assert f"label == {names[1]}" in discover(own, method="rules").standing[0].query


@pytest.mark.parametrize("size", [1e300, 1.7e308])
@pytest.mark.parametrize("values", [np.where(K > 8, 1, -1), np.where(K > 8, 1, -1) * RNG.random(N)], ids=["two", "all"])
def test_huge_numbers_do_not_overflow(values, size):
    frame = table(x=values * size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = discover(frame, method=["rules", "regions"])
        page = found.to_html()
    one = found.standing[0]
    assert len(frame.query(one.query)) == one.size
    assert "nan" not in page.split("<script")[0].split("</style>")[1].replace("nano", "")


def test_copies_are_noticed_with_two_columns_too():
    once = table(z=RNG.normal(size=N))
    said = "of the rows have the same values as another row"
    assert any(said in note for note in discover(pd.concat([once] * 5, ignore_index=True), method="rules").notes)
    assert not any(said in note for note in discover(once, method="rules").notes)


@pytest.mark.parametrize(
    "columns",
    [
        {"a": RNG.integers(0, 300, 5 * N) / 7, "b": None},
        {"a": RNG.integers(0, 90, 5 * N) / 7, "b": RNG.integers(0, 9, 5 * N)},
    ],
    ids=["a number and its cube", "few values"],
)
def test_rows_that_agree_by_chance_are_no_copies(columns):
    a, b = columns["a"], columns["b"]
    frame = pd.DataFrame({"correct": RNG.random(5 * N) < 0.9, "a": a, "b": a**3 if b is None else b})
    assert not any("the same values" in note for note in discover(frame, method="rules").notes)
