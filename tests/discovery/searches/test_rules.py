"""Rules: the planted one is found, in words and as a query that selects exactly its rows, for every kind of column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench import discover
from slicebench.discovery.searches.conditions import SameWords, same_words
from slicebench.errors import ConfigError

N = 3000
RNG = np.random.default_rng(0)
CODE = RNG.integers(0, 12, N)
DAYS = pd.Timestamp("2024-01-01") + pd.to_timedelta(CODE, unit="D")


def table(inside, rate=0.6, label=None, **columns):
    """Two classes; the model is wrong at `rate` where `inside`, at .05 elsewhere."""
    y = RNG.integers(2, size=N)
    wrong = RNG.random(N) < np.where(inside, rate, 0.05)
    names = np.array(["no", "yes"])
    frame = pd.DataFrame({"label": names[y], "prediction": names[y ^ wrong], "noise": RNG.normal(size=N), **columns})
    return frame if label is None else frame.rename(columns={"label": label})


def said(found):
    return [(one.class_name, one.name.text) for one in found.standing]


COLUMNS = [
    ("integers", CODE, CODE >= 9, "x >= 9"),
    ("a set of integers", CODE, np.isin(CODE, [3, 7]), "x is 3 or 7"),
    ("floats", CODE + 0.5, CODE < 3, "x < 3.5"),
    ("words", CODE.astype(str), CODE == 4, "x is 4"),
    ("categories", pd.Categorical(CODE.astype(str)), CODE == 4, "x is 4"),
    ("booleans", CODE < 3, CODE < 3, "x is True"),
    (
        "nullable booleans",
        pd.array(np.where(CODE == 0, None, CODE < 3), dtype="boolean"),
        (CODE > 0) & (CODE < 3),
        "x is True",
    ),
    ("nullable integers", pd.array(np.where(CODE == 0, None, CODE), dtype="Int64"), CODE >= 9, "x >= 9"),
    ("missing", np.where(CODE == 4, np.nan, RNG.normal(size=N)), CODE == 4, "x is missing"),
    ("missing words", np.where(CODE == 4, None, "w" + CODE.astype(str).astype(object)), CODE == 4, "x is missing"),
    ("dates", DAYS, CODE >= 9, "x >= 2024-01-10"),
    ("dates as text", DAYS.strftime("%Y-%m-%d"), CODE >= 9, "x >= 2024-01-10"),
    ("dates with a zone", DAYS.tz_localize("Europe/Paris"), CODE >= 9, "x >= "),
    ("spans", pd.to_timedelta(CODE, unit="h"), CODE >= 9, "x >= 9:00"),
    ("an interval", CODE, (CODE >= 4) & (CODE < 7), "4 <= x < 7"),
]


@pytest.mark.parametrize(("column", "inside", "text"), [one[1:] for one in COLUMNS], ids=[one[0] for one in COLUMNS])
def test_a_query_selects_exactly_the_rows_counted(column, inside, text):
    frame = table(inside, x=column)
    found = discover(frame, method="rules")
    one = found.standing[0]
    assert one.name.text.startswith(text)
    own = found.table.query(found.query(0))
    assert np.array_equal(np.sort(one.rows), np.sort(own.index.to_numpy()))
    assert len(own) == one.verdict.size
    assert one.verdict.rate == pytest.approx((own["label"] != own["prediction"]).mean())
    assert np.array_equal(own.index.to_numpy(), np.flatnonzero(inside))


def test_a_cause_in_all_classes_is_one_rule_and_a_cause_in_one_names_it():
    old = RNG.integers(18, 90, N)
    region = RNG.choice(["north", "east", "south"], N)
    inside = (region == "east") & (old > 60)
    assert [set(text.split(" and ")) for _, text in said(discover(table(inside, age=old, region=region)))] == [
        {"age >= 61", "region is east"}
    ]
    frame = table(inside, age=old, region=region)
    frame.loc[frame["label"] == "no", "prediction"] = "no"
    one = discover(frame).standing[0]
    assert one.class_name == "yes"
    assert "label == 'yes'" in one.query


def test_names_that_are_no_identifiers_are_quoted():
    frame = table(CODE >= 9, **{"time of day (h)": CODE})
    one = discover(frame).standing[0]
    assert one.query == "`time of day (h)` >= 9"
    assert len(frame.query(one.query)) == one.size


def test_the_class_is_queried_as_the_table_writes_it():
    frame = table(CODE >= 9, x=CODE)
    frame.loc[frame["label"] == "no", "prediction"] = "no"
    numbers = frame.assign(label=(frame["label"] == "yes") * 1, prediction=(frame["prediction"] == "yes") * 1)
    one = discover(numbers).standing[0]
    assert "label == 1" in one.query
    assert len(numbers.query(one.query)) == one.size


def test_words_of_texts_are_conditions():
    words = np.array(["screen", "battery", "phone", "delivery"])
    texts = [f"the {words[i]} came {RNG.choice(['late', 'soon', 'today'])}" for i in CODE % 4]
    frame = table(CODE % 4 == 2, text=texts)
    one = discover(frame, method="rules").standing[0]
    assert one.name.text == "text has “phone”"
    assert len(frame.query(one.query)) == one.size == (CODE % 4 == 2).sum()


@pytest.mark.parametrize(("gone", "how"), [(0, "the same rows"), (5, "nearly the same rows"), (40, None)])
def test_words_that_the_same_texts_have_are_one_condition(gone, how):
    inside = CODE % 4 == 2
    rows = np.flatnonzero(inside)[:gone]
    texts = [
        f"it rang {'after a phone' if held else 'at the door'} {'x' * int(RNG.integers(1, 400))}" for held in inside
    ]
    texts = [text.replace("after ", "") if i in rows else text for i, text in enumerate(texts)]
    found = discover(table(inside, text=texts), method="rules")
    one = found.standing[0]
    if how is None:
        assert "the same rows" not in one.text
        return
    assert one.text == f"text has “after” ({how}: “phone”)"
    assert (one.text in found.to_html(), found.to_frame()["rule"].iloc[0]) == (True, one.text)
    assert len(found.table.query(one.query)) == one.size == inside.sum() - gone


def test_the_longest_of_equivalent_words_stands_for_them_then_the_rarest():
    from scipy.sparse import csc_array

    held = np.zeros((100, 4), dtype=int)
    held[:40, 0] = held[:41, 1] = held[:40, 2] = held[60:, 3] = 1
    same = same_words(["bbb", "aaa", "cc", "d"], csc_array(held))
    assert same == {0: SameWords(("aaa", "cc"), exact=False), 3: SameWords((), exact=True)}
    many = SameWords(tuple("abcdef"), exact=True)
    assert many.text == "the same rows: “a”, “b”, “c”, “d”, “e”, ..."


def test_conditions_that_add_nothing_are_left_out():
    """The cause is one column; a second one that says nearly the same is not named beside it."""
    frame = table(CODE >= 9, x=CODE, twin=np.where(RNG.random(N) < 0.97, CODE >= 9, CODE < 3))
    assert said(discover(frame)) == [("all", "x >= 9")]


def test_noise_has_no_rule():
    shown = [bool(discover(table(CODE < 0, x=CODE, y=RNG.normal(size=N)), seed=seed).standing) for seed in range(12)]
    assert sum(shown) <= 2


@pytest.mark.parametrize("name", ["class", "None", "a b", "time.of.day", "self", "index", "x'y", "größe"])
def test_columns_of_any_name_are_queried(name):
    frame = table(CODE >= 9, **{name: CODE})
    found = discover(frame)
    assert len(found.table.query(found.query(0))) == found.standing[0].size == (CODE >= 9).sum()


@pytest.mark.parametrize("name", ["a`b", "a\nb", "`.drop('label', axis=1)#"])
def test_names_that_would_end_a_query_are_not_queried(name):
    found = discover(table(CODE >= 9, **{name: CODE}))
    assert found.standing[0].query is None
    assert found.standing[0].size == (CODE >= 9).sum()
    with pytest.raises(ConfigError, match="pandas cannot query its columns"):
        found.query(0)
    assert "S1" in found.to_html()


def test_dates_beyond_nanoseconds_and_long_numbers_are_written_out():
    far = np.where(CODE < 3, "9999-12-31", DAYS.strftime("%Y-%m-%d"))
    found = discover(table(CODE < 3, x=far))
    assert found.standing[0].name.text.startswith(("x >= 9999-12-31", "x is 9999-12-31"))
    assert found.standing[0].query is None or len(found.table.query(found.query(0))) == (CODE < 3).sum()
    found = discover(table(CODE >= 9, x=20240101 + CODE))
    assert found.standing[0].name.text == "x >= 20240110"


def test_words_are_matched_as_they_were_counted():
    """Lower case is that of the counting, not that of a regular expression: there s and ſ are one."""
    words = np.array(["sun", "ſun", "rain", "snow"])
    texts = [f"there was {words[i]} {RNG.choice(['today', 'again'])}" for i in CODE % 4]
    found = discover(table(CODE % 4 == 0, text=texts), method="rules")
    own = found.table.query(found.query(0))
    assert len(own) == found.standing[0].size


def test_columns_backed_by_arrow_are_read():
    pa = pytest.importorskip("pyarrow")
    frame = table(CODE >= 9, x=CODE, day=DAYS.tz_localize("UTC"))
    arrow = frame.astype({"x": pd.ArrowDtype(pa.int64()), "day": pd.ArrowDtype(pa.timestamp("us", "UTC"))})
    one, other = discover(frame), discover(arrow)
    assert one.to_frame()["query"].tolist() == other.to_frame()["query"].tolist()
    assert "S1" in other.to_html()
