"""Dates and spans are cut and shown as such, whole numbers keep their values, and the order of values is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slicebench.data.metadata_codes import ColumnCodes


def test_dates_are_cut_at_dates():
    days = pd.Series(pd.date_range("2024-01-01", periods=100), name="seen")
    coding = ColumnCodes.learnt(days, 4)
    assert [coding.words(code) for code in (1, 2, 4)] == [
        "seen < 2024-01-26", "2024-01-26 <= seen < 2024-02-20", "seen >= 2024-03-16",
    ]  # fmt: skip
    assert coding.codes(pd.Series(pd.to_datetime(["2024-01-05", "2025-01-01", None]))).tolist() == [
        1,
        4,
        coding.missing,
    ]


def test_spans_are_shown_as_clocks():
    hours = pd.Series(pd.to_timedelta(np.arange(48), unit="h"), name="age")
    coding = ColumnCodes.learnt(hours, 4)
    assert coding.words(1) == "age < 12:00"
    assert coding.from_on(4) == "age >= 1 day 12:00"


def test_whole_numbers_of_few_values_keep_them():
    codes = pd.Series([3, 11, 5] * 10, name="code")
    by_value, binned = ColumnCodes.learnt(codes, 2, by_value=50), ColumnCodes.learnt(codes, 2)
    assert by_value.levels == (3, 5, 11)
    assert by_value.words(3) == "code is 11"
    assert binned.binned
    assert by_value.order(pd.Series([3, 4, 11, 12, None, 1])).tolist() == [1, 1, 3, 3, -1, 0]
