"""Say what a column holds: numbers, words, dates, tags, vectors and so on.

To add a kind, add a row to `_TABLE`, recognise it in `kind_of`, and say in `parts` what is made of it.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Kind:
    """A kind of column: how it is recognised, and what methods and rules get of it.

    `used` is False for a kind that is listed as unused.
    """

    name: str
    recognised: str
    features: str
    rules: str

    @property
    def used(self) -> bool:
        """True if something is made of such a column."""
        return self.rules != NOTHING


NOTHING = "–"
FEW = 50
"""Most values that whole numbers may have to be looked at one by one."""
LEAST_ROWS = 20
"""Rows that a word or tag needs for a rule to name it: fewer cannot be tested."""
MOST_TAGS = 50
"""Tags of one column that are looked at, the most frequent ones."""
SAMPLE = 1000
"""Values that are looked at before all of them are."""
MOSTLY = 0.95
"""Share of the values of a column that must be dates, or numbers, for the column to count as that."""

_TABLE = (
    Kind("numbers", "numbers, decimals, text that is numbers", "standardised", "x < 3, x >= 3 at quantiles"),
    Kind("whole numbers", f"at most {FEW} different whole numbers", "standardised", "x is 3, x is 3 or 11, x >= 3"),
    Kind("yes or no", "booleans, also with gaps", "one column per value", "x is True"),
    Kind("words", "text, categories, intervals", "one column per frequent value", "x is night, x is dusk or night"),
    Kind("dates", "dates, time stamps, periods, also as text", "standardised; hour, weekday, month",
         "x >= 2024-05-01, hour of x >= 22"),
    Kind("times of day", "datetime.time, or text like 22:15", "standardised", "x >= 22:00"),
    Kind("time spans", "timedeltas", "standardised", "x >= 1 days"),
    Kind("tags", "lists, tuples or sets of words", "one column per frequent tag", "x has dark"),
    Kind("structures", "dictionaries; each field is a column of its own", "as its fields", "as its fields"),
    Kind("numbers and words", "mostly numbers, with words such as unknown", "numbers; words as values",
         "x >= 3, word in x is unknown"),
    Kind("bytes", "encoded text", "as words", "as words"),
    Kind("images", "encoded images, or paths of images", "by an encoder; brightness, size and others",
         "brightness of x < 40"),
    Kind("free text", "text of which nearly every row has its own", "by an encoder, or frequent words",
         "words in x >= 200"),
    Kind("vectors", "lists or arrays of numbers of one length", "as they are, if they are the embedding", NOTHING),
    Kind("empty", "no value in any row", NOTHING, NOTHING),
    Kind("constant", "one value in all rows", NOTHING, NOTHING),
    Kind("row numbers", "0, 1, 2 … in the order of the rows, or a column that pandas made of them", NOTHING, NOTHING),
    Kind("ids", "a value of its own in every row", NOTHING, NOTHING),
    Kind("complex numbers", "numbers with an imaginary part", NOTHING, NOTHING),
    Kind("other objects", "anything else", NOTHING, NOTHING),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.name: kind for kind in _TABLE}
"""Every kind of column and its treatment, by name."""

WHY = {
    "empty": "it has no values",
    "constant": "it has the same value in all rows",
    "row numbers": "it numbers the rows",
    "ids": "(nearly) every row has its own value",
    "vectors": "it holds vectors",
    "complex numbers": "it holds complex numbers",
    "other objects": "it holds objects that slicebench cannot read",
}
"""Reasons for which columns of a kind are not used."""

ROW_NUMBER_NAMES = re.compile(
    r"unnamed: ?\d+|index|level_0|row|row_?(id|number|index)|__index_level_0__", re.IGNORECASE
)
ID_NAMES = re.compile(r"(.*[_. -])?(id|ids|uid|uuid|guid|key|hash|md5|sha\d*|url|uri|link)|.*Id|idx", re.ASCII)
IMAGE_NAMES = re.compile(r".*\.(png|jpe?g|gif|bmp|tiff?|webp)", re.IGNORECASE | re.DOTALL)
IMAGE_BYTES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
DATE = re.compile(r"\s*\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)|\s*\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?!\d)|\s*\d{8}T\d{4}")
TIME = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*")


def kind_of(column: pd.Series[Any]) -> str:
    """Return the name of the kind of a column, by its values and its name."""
    from pandas.api.types import infer_dtype

    known = column.dropna()
    if not len(known):
        return "empty"
    if isinstance(column.dtype, _categorical()):
        known = known.astype(column.cat.categories.dtype)
        held = infer_dtype(known, skipna=True)
        return "words" if held not in _BY_DTYPE or _BY_DTYPE[held] in ("numbers", "words") else _BY_DTYPE[held]
    held = infer_dtype(known, skipna=True)
    if held in ("mixed-integer", "mixed"):
        return _kind_of_objects(known)
    found = _BY_DTYPE.get(held, "other objects")
    if found == "words":
        return _kind_of_text(column, known)
    if found == "numbers":
        return _kind_of_numbers(column, known)
    if found == "bytes":
        return _kind_of_bytes(known)
    return found if len(known) < len(column) or _distinct(known) > 1 else "constant"


_BY_DTYPE = {
    "string": "words",
    "categorical": "words",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "boolean": "yes or no",
    "datetime64": "dates",
    "datetime": "dates",
    "date": "dates",
    "period": "dates",
    "time": "times of day",
    "timedelta64": "time spans",
    "timedelta": "time spans",
    "interval": "words",
    "bytes": "bytes",
    "complex": "complex numbers",
}


def _categorical() -> Any:
    import pandas as pd

    return pd.CategoricalDtype


def _distinct(known: pd.Series[Any]) -> int:
    try:
        return int(known.nunique())
    except TypeError:  # lists and dictionaries have no hash
        return int(known.astype(str).nunique())


def _kind_of_numbers(column: pd.Series[Any], known: pd.Series[Any]) -> str:
    exact = known.dtype.kind in "iu"  # as floats, large numbers lose digits
    values = known.to_numpy(dtype=np.int64 if known.dtype.kind == "i" else np.uint64) if exact else _floats(known)
    whole = bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    if whole and len(known) == len(column) and len(column) > 1:
        if values[0] in (0, 1) and (np.diff(values) == 1).all():
            return "row numbers"
        if ROW_NUMBER_NAMES.fullmatch(str(column.name)) and len(np.unique(values)) == len(values):
            return "row numbers"
        if ID_NAMES.fullmatch(str(column.name)) and len(np.unique(values)) == len(values):
            return "ids"
    distinct = len(np.unique(values[:SAMPLE]))
    distinct = distinct if distinct > FEW else len(np.unique(values))
    if distinct == 1 and len(known) == len(column):
        return "constant"
    return "whole numbers" if whole and distinct <= FEW else "numbers"


def _floats(known: pd.Series[Any]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = known.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _kind_of_text(column: pd.Series[Any], known: pd.Series[Any]) -> str:
    distinct = _distinct(known)
    if distinct == 1 and len(known) == len(column):
        return "constant"
    some = known.iloc[:SAMPLE].astype(str)
    if _mostly(some, IMAGE_NAMES):
        return "images"
    if _mostly(some, TIME):
        return "times of day"
    if _mostly(some, DATE) and dates_in(some).notna().mean() >= MOSTLY:
        return "dates"
    if (found := _kind_of_number_text(known, some)) is not None:
        return found
    if distinct > 0.5 * len(known) and distinct > FEW:
        words = some.str.count(r"\S+").mean()
        return "free text" if words >= 3 else "ids" if distinct >= MOSTLY * len(known) else "words"
    return "words"


def _kind_of_number_text(known: pd.Series[Any], some: pd.Series[Any]) -> str | None:
    """Return the kind of text in which some values are numbers; None for words."""
    share = float(numbers_in(some).notna().mean())
    if share < 0.5:
        return None
    numbers = numbers_in(known)
    share = float(numbers.notna().mean())
    if share == 1:
        values = numbers.to_numpy(dtype=np.float64)
        codes = known.astype(str).str.fullmatch(r"0\d+").any()  # "007" is a code, not 7
        few = len(np.unique(values)) <= FEW and bool((values == np.floor(values)).all())
        return "words" if codes or few else "numbers"
    words = int(known[numbers.isna()].nunique())
    return "numbers and words" if words <= FEW and int(known.nunique()) > FEW else None


def _kind_of_bytes(known: pd.Series[Any]) -> str:
    some = known.iloc[:SAMPLE].tolist()
    if all(bytes(cell).startswith(IMAGE_BYTES) for cell in some):
        return "images"
    try:
        for cell in some:
            bytes(cell).decode()
    except UnicodeDecodeError:
        return "other objects"
    return "bytes" if 1 < int(known.nunique()) <= 0.5 * len(known) + FEW else "other objects"


def _kind_of_objects(known: pd.Series[Any]) -> str:
    some = known.iloc[:SAMPLE].tolist()
    if all(isinstance(cell, dict) for cell in some):
        return "images" if all({"bytes", "path"} & cell.keys() for cell in some) else "structures"
    if all(isinstance(cell, list | tuple | set | frozenset | np.ndarray) for cell in some):
        return _kind_of_lists(some)
    if any(type(cell).__module__.startswith("PIL.") for cell in some):
        return "images"
    if all(isinstance(cell, str | int | float | bool | np.generic | dt.date) for cell in some):
        numbers = numbers_in(known)
        share, distinct = float(numbers.notna().mean()), _distinct(known.astype(str))
        return "numbers and words" if share >= 0.5 and distinct > FEW else "words"
    try:
        distinct = int(known.nunique())
    except TypeError:  # they have no hash
        return "other objects"
    return "constant" if distinct == 1 else "words" if distinct <= FEW else "other objects"


def _kind_of_lists(some: list[Any]) -> str:
    lengths = {len(cell) for cell in some}
    flat = [one for cell in some[:100] for one in (cell if isinstance(cell, set | frozenset) else list(cell))]
    if flat and all(isinstance(one, str) for one in flat):
        return "tags"
    number = all(isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in flat)
    if len(lengths) == 1 and flat and number and lengths != {0}:
        return "vectors"
    whole = all(isinstance(one, int | np.integer) for one in flat)
    return "tags" if flat and whole else "other objects"


def _mostly(some: pd.Series[Any], pattern: re.Pattern[str]) -> bool:
    matched = [pattern.match(text) is not None for text in some]
    return bool(np.mean(matched) >= MOSTLY)


def numbers_in(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the values as float64 numbers; NaN for what is none."""
    import pandas as pd

    if column.dtype.kind in "iuf":
        numbers: pd.Series[Any] = column.astype(np.float64)
        return numbers
    try:
        codes, values = pd.factorize(column)  # text is parsed once per value
    except TypeError:  # lists have no hash
        return pd.to_numeric(column, errors="coerce").astype(np.float64)
    parsed = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(np.append(parsed, np.nan)[codes], index=column.index)


def dates_in(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return text, dates, time stamps or periods as time stamps without a zone; NaT for what is none.

    Times with a zone keep the clock of that zone if all rows share it; otherwise they are in UTC.
    """
    import pandas as pd

    if isinstance(column.dtype, pd.PeriodDtype):
        stamps: pd.Series[Any] = column.dt.to_timestamp()
        return stamps
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        local: pd.Series[Any] = column.dt.tz_localize(None)
        return local
    if column.dtype.kind == "M":
        return column
    if len(known := column.dropna()) and isinstance(known.iloc[0], pd.Period):
        return column.map(lambda cell: cell.to_timestamp(), na_action="ignore").astype("datetime64[us]")
    codes, values = pd.factorize(column)  # text is parsed once per value
    parsed = _parsed_dates(pd.Series(values, dtype=object))
    return pd.Series(parsed.array.take(codes, allow_fill=True), index=column.index)


def _parsed_dates(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return dates and text as time stamps without a zone, those with one in UTC; NaT for what is none."""
    import pandas as pd

    parsed = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
    if parsed.isna().any():
        mixed = pd.to_datetime(values, errors="coerce", format="mixed", utc=True, dayfirst=_day_first(values))
        parsed = parsed.fillna(mixed)
    local: pd.Series[Any] = parsed.dt.tz_localize(None)
    return local


def _day_first(text: pd.Series[Any]) -> bool:
    """Return True for dates such as 31.12.2024, and where a first number is too large for a month."""
    first = text.astype("string").str.extract(r"^\s*(\d{1,2})([-/.])\d{1,2}[-/.]\d{4}").dropna()
    return bool(len(first) and ((first[1] == ".").all() or (first[0].astype(int) > 12).any()))
