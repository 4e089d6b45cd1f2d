"""Every kind of column is recognised, and what is made of it has the right values."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

from slicebench.data.schema.kinds import KINDS, dates_in, kind_of
from slicebench.data.schema.parts import parts_of

N = 300
RNG = np.random.default_rng(0)
DAYS = pd.date_range("2024-01-01", periods=N, freq="7h")

COLUMNS = {
    "numbers": RNG.normal(size=N),
    "numbers with infinity": np.where(RNG.random(N) < 0.1, np.inf, RNG.normal(size=N)),
    "numbers as text": [f"{x:.3f}" for x in RNG.random(N)],
    "numbers, decimals": [decimal.Decimal(i) / 7 for i in range(N)],
    "numbers, nullable": pd.array([None, *RNG.normal(size=N - 1)], dtype="Float64"),
    "whole numbers": np.arange(N) % 14,
    "whole numbers as floats": (np.arange(N) % 14).astype(float),
    "whole numbers, nullable": pd.array([None, *np.arange(N - 1) % 14], dtype="Int64"),
    "yes or no": np.arange(N) % 2 == 0,
    "yes or no, gaps": [None, *([True, False, False] * N)[: N - 1]],
    "yes or no, nullable": pd.array([None, *([True, False] * N)[: N - 1]], dtype="boolean"),
    "words": ["night", "day", "dusk"] * (N // 3),
    "words of a category": pd.Categorical(["night", "day", "dusk"] * (N // 3)),
    "words of a category of numbers": pd.Categorical(np.arange(N) % 3 + 7),
    "words, intervals": pd.cut(np.arange(N), [-1, 100, 1000]),
    "words, codes with zeros in front": [f"0{i % 70}" for i in range(N)],
    "words, few whole numbers as text": [str(i % 3) for i in range(N)],
    "words, mixed": [1, "unknown", 2.5] * (N // 3),
    "dates": DAYS,
    "dates, zone": DAYS.tz_localize("Europe/Berlin", ambiguous="NaT", nonexistent="NaT"),
    "dates as text": [str(d) for d in DAYS],
    "dates as text, ISO with zone": [f"{d.isoformat()}+02:00" for d in DAYS],
    "dates as text, German": [d.strftime("%d.%m.%Y") for d in DAYS],
    "dates, datetime.date": [d.date() for d in DAYS],
    "dates, periods": pd.period_range("2024-01", periods=N, freq="D"),
    "times of day": [dt.time(i % 24, 30) for i in range(N)],
    "times of day as text": [f"{i % 24:02d}:15" for i in range(N)],
    "time spans": pd.to_timedelta(np.arange(N), unit="h"),
    "tags": [["dark", "cold"] if i % 3 else ["light"] for i in range(N)],
    "tags, sets": [{"dark"} if i % 3 else {"light"} for i in range(N)],
    "structures": [{"place": "road" if i % 2 else "sea", "depth": i % 5} for i in range(N)],
    "numbers and words": ["unknown" if i % 10 == 0 else f"{i / 7:.2f}" for i in range(N)],
    "bytes": [b"dark" if i % 3 else b"light" for i in range(N)],
    "images": [f"photos/{i}.JPG" for i in range(N)],
    "images, Hugging Face": [{"bytes": b"\x89PNG", "path": None}] * N,
    "free text": [f"a sentence of several words, number {i}" for i in range(N)],
    "vectors": [*RNG.normal(size=(N, 4))],
    "vectors, lists": RNG.normal(size=(N, 4)).tolist(),
    "empty": [None] * N,
    "empty, NaN": [np.nan] * N,
    "constant": ["same"] * N,
    "constant number": [7.0] * N,
    "row numbers": np.arange(N),
    "row numbers from 1": np.arange(1, N + 1),
    "ids": [f"patient-{i:04d}" for i in range(N)],
    "complex numbers": RNG.normal(size=N) * 1j,
    "other objects": [object() for _ in range(N)],
    "other objects, bytes": [bytes([200, i % 256, 201]) for i in range(N)],
}


@pytest.mark.parametrize("what", COLUMNS)
def test_a_column_is_of_its_kind(what):
    kinds = sorted((kind for kind in KINDS if what.startswith(kind)), key=len)
    column = pd.Series(COLUMNS[what], name="x")
    assert kind_of(column) == kinds[-1]
    made = parts_of("x", column, kinds[-1])
    assert bool(made) == (KINDS[kinds[-1]].used and kinds[-1] != "images")
    assert all(len(part) == N and part.index.equals(column.index) for part in made.values())


def test_row_numbers_and_ids_go_by_their_names():
    shuffled = np.random.default_rng(0).permutation(N) * 3
    assert kind_of(pd.Series(shuffled, name="Unnamed: 0")) == "row numbers"
    assert kind_of(pd.Series(shuffled, name="patient_id")) == "ids"
    assert kind_of(pd.Series(shuffled, name="price")) == "numbers"


def test_dates_give_hour_weekday_and_month_where_they_vary():
    made = parts_of("seen", pd.Series(DAYS), "dates")
    assert [*made] == ["seen", "hour of seen", "weekday of seen", "month of seen"]
    assert made["hour of seen"].iloc[3] == 21
    assert made["weekday of seen"].iloc[0] == "Monday"
    midnights = pd.Series(pd.date_range("2024-01-01", periods=3))
    assert [*parts_of("seen", midnights, "dates")] == ["seen"]


def test_the_first_of_two_numbers_is_the_day_where_it_must_be():
    assert dates_in(pd.Series(["01.03.2024", "02.03.2024"])).dt.month.tolist() == [3, 3]
    assert dates_in(pd.Series(["01/03/2024", "31/03/2024"])).dt.month.tolist() == [3, 3]
    assert dates_in(pd.Series(["01/03/2024", "02/03/2024"])).dt.month.tolist() == [1, 2]


def test_rare_words_are_one_value_and_frequent_ones_keep_theirs():
    words = ["cause"] * 25 + [f"word{i}" for i in range(500)] + ["usual"] * 475
    made = parts_of("x", pd.Series(words), "words")["x"]
    assert made.value_counts().to_dict() == {"other": 500, "usual": 475, "cause": 25}


def test_missing_values_stay_missing():
    assert parts_of("x", pd.Series(["a", None]), "words")["x"].tolist() == ["a", None]
    assert np.isnan(parts_of("x", pd.Series([1, None]), "numbers")["x"].iloc[1])
    assert parts_of("x", pd.Series([True, None]), "yes or no")["x"].tolist() == ["True", None]
    tags = parts_of("x", pd.Series([["a"], None] + [["a"], ["b"]] * 30), "tags")["x has a"]
    assert tags.tolist()[:2] == ["True", None]


def test_structures_in_structures_are_flattened_too():
    cells = [{"hour": i % 24, "camera": {"iso": i % 3}} for i in range(N)]
    assert [*parts_of("meta", pd.Series(cells), "structures")] == ["meta.hour", "meta.camera.iso"]


def test_structures_are_flattened_and_numbers_among_words_are_numbers():
    made = parts_of("doc", pd.Series(COLUMNS["structures"]), "structures")
    assert made["doc.place"].tolist()[:2] == ["sea", "road"]
    assert made["doc.depth"].tolist()[:3] == [0, 1, 2]
    mixed = parts_of("x", pd.Series(["unknown", "1.5"]), "numbers and words")
    assert np.isnan(mixed["x"].iloc[0])
    assert mixed["x"].iloc[1] == 1.5
    assert mixed["word in x"].tolist() == ["unknown", None]


def test_what_can_be_counted_in_a_text():
    made = parts_of("x", pd.Series(["Is it 12?", "no"]), "free text")
    assert made["words in x"].tolist() == [3, 1]
    assert made["characters in x"].tolist() == [9, 2]
    assert made["share of digits in x"].tolist() == [2 / 9, 0]
    assert made["question marks in x"].tolist() == [1, 0]
