"""Turn a user's column into the columns that rules are made of and that describe an example: numbers, dates, spans, words.

A column may give several: a date also its hour, weekday and month, a list of tags one per tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.kinds import FEW, LEAST_ROWS, MOST_TAGS, dates_in, kind_of, numbers_in
from slicebench.data.schema.user_table import in_text

if TYPE_CHECKING:
    import pandas as pd


OTHER = "other"
"""Value that stands for all words that are too rare for a rule."""
_AS_THEY_ARE = {*map(np.dtype, ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"))}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def parts_of(name: str, column: pd.Series[Any], kind: str) -> dict[str, pd.Series[Any]]:
    """Return the columns that are made of one, by name; none for a kind that is not used.

    They hold numbers (NaN is missing), booleans, datetime64 and timedelta64 (NaT is missing), or text and categories (None is
    missing).
    Numbers and booleans without gaps stay as they are.
    """
    maker = _MAKERS.get(kind)
    return {} if maker is None else maker(name, column)


def _numbers(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    if column.dtype not in _AS_THEY_ARE and column.dtype.kind in "iu" and not column.isna().any():
        # as floats, large whole numbers would lose digits
        return {name: column.astype(np.int64 if column.dtype.kind == "i" else np.uint64)}
    return {name: column if column.dtype in _AS_THEY_ARE else numbers_in(column)}


def _yes_or_no(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    if column.dtype == np.bool_:
        return {name: column}
    return {name: column.map({True: "True", False: "False"}).astype(object).where(column.notna(), None)}


def _words(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return words, the rare ones of many as one."""
    import pandas as pd

    codes, values = pd.factorize(column)
    words = np.array([*map(in_words, values), None], dtype=object)  # the last one is for -1, missing
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    if len(values) > FEW:
        rare = counts < LEAST_ROWS
        other = OTHER if OTHER not in words[:-1][~rare] else f"({OTHER})"
        words[:-1][rare] = other
    return {name: pd.Series(words[codes], index=column.index, dtype=object)}


def in_words(value: Any) -> str:
    """Return a value as text, 1.0 as "1"."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _dates(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return dates, and those of hour, weekday and month that vary."""
    found = on_the_calendar(name, column)
    dates = found[name]
    varies = {
        f"hour of {name}": dates.dt.hour.nunique() > 1,
        f"weekday of {name}": dates.dt.day_of_week.nunique() > 1 and dates.dt.normalize().nunique() > len(WEEKDAYS),
        f"month of {name}": dates.dt.month.nunique() > 1,
    }
    return {part: values for part, values in found.items() if varies.get(part, True)}


def on_the_calendar(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return dates, and hour, weekday and month of each."""
    import pandas as pd

    dates = dates_in(column)
    weekdays = pd.Categorical.from_codes(dates.dt.day_of_week.fillna(-1).to_numpy(np.int8), pd.Index(WEEKDAYS))
    return {
        name: dates,
        f"hour of {name}": dates.dt.hour.astype(np.float32),
        f"weekday of {name}": pd.Series(weekdays, index=dates.index),
        f"month of {name}": dates.dt.month.astype(np.float32),
    }


def _times(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return times of day as spans since midnight."""
    import pandas as pd

    text = column.astype("string").str.strip()
    text = text.where(text.str.count(":") != 1, text + ":00")
    return {name: pd.to_timedelta(text, errors="coerce")}


def _spans(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    import pandas as pd

    return {name: pd.to_timedelta(column)}


def _tags(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return a column of yes and no for each frequent tag."""
    exploded = column.map(lambda cell: [*map(str, cell)], na_action="ignore").explode()
    counts = exploded.value_counts()
    found = {}
    for tag in counts.index[(counts >= LEAST_ROWS) & (counts <= len(column) - LEAST_ROWS)][:MOST_TAGS]:
        having = exploded.index[exploded == tag].unique()
        held = column.index.isin(having)
        found[f"{name} has {tag}"] = _text(np.where(held, "True", "False"), column)
    return found


def _structures(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return what the fields of dictionaries give, also of dictionaries in them."""
    import pandas as pd

    fields = pd.DataFrame([cell if isinstance(cell, dict) else {} for cell in column], index=column.index)
    found: dict[str, pd.Series[Any]] = {}
    for field in fields:
        inner = fields[field].rename(f"{name}.{field}")
        found |= parts_of(f"{name}.{field}", inner, kind_of(inner))
    return found


def _numbers_and_words(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    numbers = numbers_in(column)
    words = column.where(numbers.isna(), None)
    return {name: numbers, **_words(f"word in {name}", words)}


def _free_text(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    return {key: values for key, values in counted_in(name, column).items() if values.nunique() > 1}


def counted_in(name: str, column: pd.Series[Any]) -> dict[str, pd.Series[Any]]:
    """Return what can be counted in a text of any language."""
    text = in_text(column)
    length = _floats(text.str.len())
    per = length.where(length > 0)
    return {
        f"words in {name}": _floats(text.str.count(r"\S+")),
        f"characters in {name}": length,
        f"lines in {name}": _floats(text.str.count("\n")) + 1,
        f"share of digits in {name}": _floats(text.str.count(r"\d")) / per,
        f"share of capitals in {name}": _floats(text.str.count(r"[A-Z]")) / per,
        f"share of punctuation in {name}": _floats(text.str.count(r"[^\w\s]")) / per,
        f"question marks in {name}": _floats(text.str.count(r"[?？؟]")),
    }


def _floats(numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Return nullable numbers as float64, NaN where they are missing."""
    import pandas as pd

    return pd.Series(numbers.to_numpy(dtype=np.float64, na_value=np.nan), index=numbers.index)


def _text(values: Any, column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(values, index=column.index, dtype=object).where(column.notna(), None)


_MAKERS = {
    "numbers": _numbers,
    "whole numbers": _numbers,
    "yes or no": _yes_or_no,
    "words": _words,
    "bytes": _words,
    "dates": _dates,
    "times of day": _times,
    "time spans": _spans,
    "tags": _tags,
    "structures": _structures,
    "numbers and words": _numbers_and_words,
    "free text": _free_text,
}
