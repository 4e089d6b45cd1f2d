"""Queries of rules: each selects exactly the members from the table as the user gave it, or says that it cannot."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from slicebench import discover

N = 1200
RNG = np.random.default_rng(0)
K = RNG.integers(0, 12, N)
SOME = RNG.normal(size=N)
HOUR = RNG.integers(0, 24, N)
STAMPS = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 300, N) * 24 + HOUR, unit="h")
DAYS = pd.Timestamp("2024-01-01") + pd.to_timedelta(K, unit="D")
PERIODS = pd.PeriodIndex([pd.Period("2024-01-01", "D") + int(k) for k in K])


def objects(values):
    return pd.Series([*values], dtype=object)


def table(inside, **columns):
    """Two classes; the model is wrong at .6 where `inside`, at .05 elsewhere."""
    y = RNG.integers(2, size=N)
    wrong = RNG.random(N) < np.where(inside, 0.6, 0.05)
    names = np.array(["no", "yes"])
    return pd.DataFrame({"label": names[y], "prediction": names[y ^ wrong], "noise": RNG.normal(size=N), **columns})


YOURS = {
    "booleans with gaps": (objects(None if k == 0 else bool(k < 3) for k in K), (K > 0) & (K < 3), "x == True"),
    "nullable booleans": (
        pd.array([None if k == 0 else bool(k < 3) for k in K], dtype="boolean"),
        (K > 0) & (K < 3),
        "x == True",
    ),
    "categories of whole numbers": (pd.Categorical(K), K == 4, "x == 4"),
    "categories of fractions": (pd.Categorical(K / 2), K == 4, "x == 2.0"),
    "categories of words": (pd.Categorical(K.astype(str)), np.isin(K, [4, 7]), "x in ['4', '7']"),
    "categories of booleans": (pd.Categorical(K < 3), K < 3, "x == True"),
    "nullable integers": (pd.array([None if k == 0 else k for k in K], dtype="Int64"), K >= 9, "x >= 9"),
    "dates with a zone": (
        DAYS.tz_localize("Europe/Paris"),
        K >= 9,
        "x.dt.tz_localize(None) >= '2024-01-10'",
    ),
    "dates as text": (DAYS.strftime("%Y-%m-%d"), K >= 9, "x >= '2024-01-10'"),
    "dates as objects": (
        [None if k == 0 else dt.date(2024, 1, k + 1) for k in K],
        K >= 9,
        "x.astype('datetime64[us]') >= '2024-01-10'",
    ),
    "hours of dates as text": (
        STAMPS.strftime("%Y-%m-%d %H:%M"),
        HOUR >= 20,
        "x.astype('datetime64[us]').dt.hour >= 20",
    ),
    "times as text": ([f"{k + 8}:05" for k in K], K >= 9, "x.str.zfill(5) >= '17:05'"),
    "times as objects": ([dt.time(int(k) + 8) for k in K], K < 3, "x.astype('str') < '11:00:00'"),
    "decimals": ([Decimal(int(k)) / 10 for k in K], K == 3, "x.astype('float64') == 0.3"),
    "decimals with gaps": (
        [None if k == 0 else Decimal(int(k)) / 10 for k in K],
        K >= 9,
        "x.astype('float64') >= 0.9",
    ),
    "periods": (PERIODS, K >= 9, "x >= '2024-01-10'"),
    "spans": (pd.to_timedelta(K, unit="h"), K >= 9, "x >= '32400.0 s'"),
    "spans as objects": (
        objects(dt.timedelta(hours=int(k)) for k in K),
        K >= 9,
        "x.astype('timedelta64[us]') >= '32400.0 s'",
    ),
    "tags": (
        [["a", "b"] if k > 8 else ["c"] if k else None for k in K],
        K > 8,
        "x.notnull() and x.astype('str').str.contains(\"'c'\", regex=False) == False",
    ),
    "fields of dictionaries": (
        [{"a": {"b": f"w{k}"}, "c": 1} for k in K],
        K == 4,
        "x.str.get('a').str.get('b') == 'w4'",
    ),
    "intervals": (pd.cut(K, [-1, 1, 3, 5, 12]), (K > 1) & (K <= 3), "x.astype('str') == '(1, 3]'"),
    "numbers as text": ([f"{x:.4f}" for x in SOME], SOME > 1, "x.astype('float64') >= "),
    "large whole numbers": (2**60 + 1000 * K, K >= 9, f"x >= {2**60 + 9000}"),
    "rare words": (
        np.where(K < 6, np.where(SOME > 0, "one", "two"), [f"r{i}" for i in RNG.integers(0, 300, N)]),
        K >= 6,
        "x not in ['one', 'two']",
    ),
}


@pytest.mark.parametrize(("column", "inside", "query"), [*YOURS.values()], ids=[*YOURS])
def test_a_query_selects_the_slice_from_the_users_own_table(column, inside, query):
    frame = table(inside, x=column).set_index(pd.Index(np.arange(N) * 10 + 3))
    found = discover(frame, method="rules")
    one = found.standing[0]
    assert one.query.startswith(query)
    assert one.query_from == "your table"
    for own in (frame.reset_index(drop=True), found.table):
        assert sorted(one.rows.tolist()) == own.query(one.query).index.tolist()
    assert len(frame.query(one.query)) == one.size
    assert inside[one.rows].mean() > 0.9


@pytest.mark.parametrize(
    ("column", "inside", "query"),
    [
        ([f"{x:.4f}" if x > -1 else "unknown" for x in SOME], SOME > 1, "`x (as read)` >= "),
        ([f"{k + 1}.1.2024" for k in K], K >= 9, "`x (as read)` >= '2024-01-10'"),
    ],
    ids=["numbers and words", "dates with the day first"],
)
def test_where_pandas_cannot_say_it_the_query_is_for_the_table_of_the_result(column, inside, query):
    found = discover(table(inside, x=column), method="rules")
    one = found.standing[0]
    assert one.query.startswith(query)
    assert one.query_from == "found.table"
    assert sorted(one.rows.tolist()) == found.table.query(found.query(0)).index.tolist()
    assert "for <code>findings.table</code>, not your own table" in found.to_html()
    assert found.to_frame()["query_from"].iloc[0] == "found.table"


def test_a_measure_of_some_rows_selects_from_them_alone():
    frame = table(K < 3, x=K)
    found = discover(frame, method="rules", measure="fpr", positive="yes")
    one = found.standing[0]
    assert one.query_from == "found.table"
    assert len(found.table.query(one.query)) == one.size < len(frame.query(one.query))
