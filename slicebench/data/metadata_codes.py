"""Code metadata columns as small integers, and describe each code in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


MOST_EXACT = 2**53
"""Size up to which whole numbers are exact as floats."""
WHOLE = 1e15
"""Size below which whole numbers are written with all their digits."""
UNSEEN = 0
"""Code of a category that val does not have; no condition matches it."""


@dataclass(frozen=True, eq=False)
class ColumnCodes:
    """Coding of one column: `levels[i]` is coded as i + 1, and a missing value as the number after the last.

    `unit` says what levels are: "words", "number", "date" (seconds since 1970) or "span" (seconds). With `binned`, levels are the
    ascending cuts between intervals: a value below the first is coded as 1, one below the second as 2, and so on.
    """

    name: str
    levels: tuple[Any, ...]
    unit: str
    binned: bool

    @classmethod
    def learnt(cls, column: pd.Series[Any], n_bins: int, by_value: int = 0) -> ColumnCodes:
        """Learn the coding from a column of val.

        Numbers, dates and spans with more than `n_bins` values are cut at their quantiles; whole numbers only if they have more
        than `by_value` values, too. Other columns are categories.
        """
        unit = _unit(column)
        known = column.dropna()
        if unit == "words":
            return cls(
                str(column.name), tuple(np.unique(known.astype(str).to_numpy(dtype=str)).tolist()), unit, binned=False
            )
        numbers = _numbers(known)
        values = np.unique(numbers)
        whole = len(values) <= by_value and bool((values == np.floor(values)).all()) and unit == "number"
        if whole or len(values) <= n_bins:
            return cls(str(column.name), tuple(values.tolist()), unit, binned=False)
        # cuts are values of val, so that there is no arithmetic on infinities
        shares = np.arange(1, n_bins) / n_bins
        cuts = np.unique(np.quantile(numbers, shares, method="higher"))
        return cls(str(column.name), tuple(cuts[cuts > values[0]].tolist()), unit, binned=True)

    @property
    def missing(self) -> int:
        """Code of a missing value."""
        return self.last + 1

    @property
    def last(self) -> int:
        """Code of the last level or interval."""
        return len(self.levels) + int(self.binned)

    @property
    def ordered(self) -> bool:
        """True for numbers, dates and spans, of which a condition may say "at least" and "below"."""
        return self.unit != "words"

    @property
    def nameable(self) -> NDArray[np.int64]:
        """Codes that a condition may name one by one."""
        return np.array([self.missing]) if self.binned else np.arange(1, self.missing + 1)

    def values(self, count: NDArray[Any]) -> NDArray[np.int64]:
        """Return the codes of `nameable` that occur, by how often each code does, `count` (last + 2,)."""
        there: NDArray[np.int64] = self.nameable[count[self.nameable] > 0]
        return there

    def codes(self, column: pd.Series[Any]) -> NDArray[np.int64]:
        """Return the codes of any examples, shape (n,)."""
        import pandas as pd

        if self.unit == "number":
            column = pd.to_numeric(column, errors="coerce")
        missing = column.isna().to_numpy()
        if self.ordered:
            known = _numbers(column[~missing])
            levels = np.array(self.levels)
            values = np.zeros(len(column), dtype=known.dtype)
            values[~missing] = known
        else:
            levels = np.array(self.levels, dtype=str)
            values = column.astype(object).where(~missing, "").to_numpy(dtype=str)
        if self.binned:
            codes = np.searchsorted(levels, values, side="right") + 1
        else:
            codes = np.searchsorted(levels, values) + 1
            seen = np.append(levels, values[:1])[np.minimum(codes, len(levels) + 1) - 1] == values
            codes = np.where(seen & (codes <= len(levels)), codes, UNSEEN)
        return np.where(missing, self.missing, codes).astype(np.int64)

    def order(self, column: pd.Series[Any]) -> NDArray[np.int64]:
        """Return how many levels are not above each value of an ordered column, (n,); -1 where it is missing.

        A level counts itself, so this is its code; a value between two levels has that of the lower one.
        """
        missing = column.isna().to_numpy()
        order = np.full(len(column), -1, dtype=np.int64)
        order[~missing] = np.searchsorted(np.array(self.levels), _numbers(column[~missing]), side="right")
        return order

    def words(self, code: int) -> str:
        """Return the condition of `code`, such as "time is night" or "3 <= length < 5"."""
        if code == self.missing:
            return f"{self.name} is missing"
        if not self.binned:
            return f"{self.name} is {self.shown(code - 1)}"
        if code == 1:
            return self.below(2)
        if code == self.last:
            return self.from_on(code)
        return f"{self.shown(code - 2)} <= {self.name} < {self.shown(code - 1)}"

    def from_on(self, code: int) -> str:
        """Return the condition that an ordered value has this code or a larger one."""
        return f"{self.name} >= {self.shown(code - 2 if self.binned else code - 1)}"

    def below(self, code: int) -> str:
        """Return the condition that an ordered value has a smaller code."""
        return f"{self.name} < {self.shown(code - 2 if self.binned else code - 1)}"

    def shown(self, level: int) -> str:
        """Return a level as text."""
        value = self.levels[level]
        if self.unit == "number":
            if isinstance(value, int):
                return str(value)
            return f"{int(value)}" if abs(value) < WHOLE and float(value).is_integer() else f"{value:g}"
        return _SHOWN[self.unit](value) if self.ordered else str(value)


def _unit(column: pd.Series[Any]) -> str:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if column.dtype.kind in "Mm":
        return "date" if column.dtype.kind == "M" else "span"
    return "number" if is_numeric_dtype(column) and not is_bool_dtype(column) else "words"


def _numbers(known: pd.Series[Any]) -> NDArray[np.float64 | np.int64 | np.uint64]:
    """Return known numbers as float64, dates and spans in seconds; whole numbers stay exact if floats would not be."""
    if known.dtype.kind in "Mm":
        unit = np.datetime_data(known.to_numpy().dtype)[0]
        per_second = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
        seconds: NDArray[np.float64] = known.to_numpy().astype(np.int64) / per_second
        return seconds
    if known.dtype.kind in "iu" and len(known) and max(abs(int(known.min())), int(known.max())) > MOST_EXACT:
        return known.to_numpy(np.int64 if known.dtype.kind == "i" else np.uint64)
    return known.to_numpy(np.float64)


def _date(seconds: float) -> str:
    """Return a time stamp as text, without the time at midnight.

    >>> _date(86400), _date(86460)
    ('1970-01-02', '1970-01-02 00:01')
    """
    whole = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    if whole.hour or whole.minute or whole.second:
        return whole.strftime("%Y-%m-%d %H:%M:%S" if whole.second else "%Y-%m-%d %H:%M")
    return whole.strftime("%Y-%m-%d")


def _span(seconds: float) -> str:
    """Return a time span as text: 22:30 for less than a day, else days and hours.

    >>> _span(81000), _span(90000), _span(5.5)
    ('22:30', '1 day 1:00', '0:00:05.5')
    """
    sign, rest = "-" if seconds < 0 else "", abs(seconds)
    days, rest = divmod(rest, 24 * 3600)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    clock = f"{int(hours)}:{int(minutes):02d}" + (f":{f'{rest:g}'.zfill(2 if rest >= 10 else 1)}" if rest else "")
    if rest and rest < 10:
        clock = f"{int(hours)}:{int(minutes):02d}:0{rest:g}"
    in_days = f"{int(days)} day{'s'[: days != 1]}"
    if not days:
        return sign + clock
    return sign + (f"{in_days} {clock}" if hours or minutes or rest else in_days)


_SHOWN = {"date": _date, "span": _span}


def learnt_codes(metadata: pd.DataFrame, n_bins: int, by_value: int = 0) -> tuple[ColumnCodes, ...]:
    """Learn the coding of every column of val's metadata."""
    return tuple(ColumnCodes.learnt(metadata[name], n_bins, by_value) for name in metadata.columns)


def coded(metadata: pd.DataFrame, columns: tuple[ColumnCodes, ...]) -> NDArray[np.int64]:
    """Return the codes of `columns` of any examples, shape (n, m).

    Raises
    ------
    DataError
        if a column of val is missing.

    """
    by_name = {str(name): name for name in metadata.columns}
    missing = [column.name for column in columns if column.name not in by_name]
    if missing:
        raise DataError(
            f"metadata has no column {missing[0]!r}; expected the columns of val: {[c.name for c in columns]}"
        )
    if not columns:
        return np.empty((len(metadata), 0), dtype=np.int64)
    return np.column_stack([column.codes(metadata[by_name[column.name]]) for column in columns])
