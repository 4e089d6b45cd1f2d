"""Conditions on columns, in words and as a query of the user's table."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.metadata_codes import ColumnCodes, learnt_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Integers = NDArray[np.int64]


N_BINS = 20
"""Number of quantile bins of a numeric column; conditions cut at their edges."""
BY_VALUE = 100
"""Most whole numbers of a column that are looked at one by one."""
QUERY_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""Errors with which pandas refuses to read or to answer a query."""
WORD = "word"
"""Unit of a column that says which texts have a word."""
MOST_WORDS, LEAST_TEXTS = 300, 20
RARE, COMMON = 0.005, 0.5
"""Shares of texts between which a word must be."""


@dataclass(frozen=True)
class Condition:
    """That a column, `column` by number, has one of `values`, or that its code lies from `low` to `high`; all are codes."""

    column: int
    values: tuple[int, ...] = ()
    low: int = 0
    high: int = 0

    def meets(self, codes: Integers) -> Bools:
        """Mark the examples that meet the condition, by the codes of its column (n,)."""
        met: Bools = np.isin(codes, self.values) if self.values else (codes >= self.low) & (codes <= self.high)
        return met


@dataclass(frozen=True, eq=False)
class Coded:
    """The columns of a table as codes; `codes` are (n,) each, and `raw` has the values as the user wrote them.

    A word of a text is a column, too: its code is 1 in texts that have it, else 2, and its raw values are None.
    """

    columns: tuple[ColumnCodes, ...]
    codes: tuple[Integers, ...]
    raw: tuple[pd.Series[Any] | None, ...]
    n: int

    @classmethod
    def of(cls, metadata: pd.DataFrame, n_bins: int = N_BINS, by_value: int = BY_VALUE) -> Coded:
        """Code the columns of metadata.

        Words and whole numbers of few values keep their values, other numbers and dates are cut at their quantiles.
        """
        columns = learnt_codes(metadata, n_bins, by_value)
        raw = tuple(metadata[name] for name in metadata)
        codes = tuple(one.codes(column) for one, column in zip(columns, raw, strict=True))
        return cls(columns, codes, raw, len(metadata))

    def and_column(self, column: pd.Series[Any], raw: pd.Series[Any]) -> Coded:
        """Return these columns and one more, whose conditions are queried in `raw`."""
        one = ColumnCodes.learnt(column, N_BINS, BY_VALUE)
        return Coded((*self.columns, one), (*self.codes, one.codes(column)), (*self.raw, raw), self.n)

    def and_words(self, name: str, texts: Sequence[str]) -> Coded:
        """Return these columns and one for each of the most frequent words of the texts in column `name`."""
        from sklearn.feature_extraction.text import CountVectorizer

        least = max(LEAST_TEXTS, round(RARE * len(texts)))
        counter = CountVectorizer(binary=True, min_df=min(least, len(texts)), max_df=COMMON, max_features=MOST_WORDS)
        try:
            held = counter.fit_transform(texts).tocsc()
        except ValueError:  # no word is in enough texts
            return self
        words = counter.get_feature_names_out().tolist()
        columns = tuple(ColumnCodes(name, (word,), WORD, binned=False) for word in words)
        codes = []
        for j in range(len(words)):
            own = np.full(self.n, 2, dtype=np.int64)
            own[held.indices[held.indptr[j] : held.indptr[j + 1]]] = 1
            codes.append(own)
        return Coded((*self.columns, *columns), (*self.codes, *codes), (*self.raw, *[None] * len(words)), self.n)

    def words(self, condition: Condition) -> str:
        """Return a condition in words, such as "time is night" or "46 <= age < 60"."""
        column = self.columns[condition.column]
        if column.unit == WORD:
            return f"{column.name} has {'' if condition.values == (1,) else 'no '}“{column.levels[0]}”"
        if condition.values:
            first, *more = condition.values
            if not more:
                return column.words(first)
            listed = [column.shown(code - 1) if code <= len(column.levels) else "missing" for code in condition.values]
            return f"{column.name} is {', '.join(listed[:-1])} or {listed[-1]}"
        low, high = condition.low, condition.high
        if low <= 1:
            return column.below(high + 1)
        if high >= column.last:
            return column.from_on(low)
        if low == high:
            return column.words(low)
        return f"{column.from_on(low).split(' >= ')[1]} <= {column.name} < {column.below(high + 1).split(' < ')[1]}"

    def query(self, condition: Condition) -> str:
        """Return a condition as pandas reads it in `DataFrame.query`, with values as the table holds them."""
        column, codes = self.columns[condition.column], self.codes[condition.column]
        plain = column.name.isidentifier() and not keyword.iskeyword(column.name)
        name = column.name if plain else f"`{column.name}`"
        if column.unit == WORD:
            has = rf"{name}.fillna('').str.lower().str.contains(r'(?<!\w){column.levels[0]}(?!\w)')"
            return has if condition.values == (1,) else f"not {has}"
        one = condition.low == condition.high and not column.binned
        if listed := condition.values or ((condition.low,) if one else ()):
            raw = self.raw[condition.column]
            assert raw is not None
            missing = column.missing in listed
            met = np.isin(codes, [code for code in listed if code != column.missing])
            values = raw[met].drop_duplicates().tolist()
            parts = []
            if values:
                shown = [_literal(value) for value in sorted(values, key=lambda value: (str(type(value)), value))]
                parts.append(f"{name} == {shown[0]}" if len(shown) == 1 else f"{name} in [{', '.join(shown)}]")
            if missing:
                parts.append(f"{name}.isnull()")
            return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
        bounds = []
        if condition.low > 1:
            bounds.append(f"{name} >= {self._bound(column, condition.low)}")
        if condition.high < column.last:
            bounds.append(f"{name} < {self._bound(column, condition.high + 1)}")
        return " and ".join(bounds)

    def _bound(self, column: ColumnCodes, code: int) -> str:
        level = column.levels[code - 2 if column.binned else code - 1]
        if column.unit == "number":
            return repr(int(level) if float(level).is_integer() else float(level))
        return repr(f"{level!r} s" if column.unit == "span" else str(np.datetime64(round(level * 1e6), "us")))


def _literal(value: Any) -> str:
    """Return a value as Python reads it."""
    plain = value.item() if isinstance(value, np.generic) else value
    return repr(plain) if isinstance(plain, bool | int | float | str) else repr(str(plain))


@dataclass(frozen=True, eq=False)
class Conjunction:
    """Conditions that are all met, on the columns of `table`."""

    conditions: tuple[Condition, ...]
    table: Coded

    @property
    def text(self) -> str:
        """The conditions in words."""
        return " and ".join(self.table.words(one) for one in self.conditions)

    @property
    def query(self) -> str:
        """The conditions as pandas reads them in `DataFrame.query`."""
        return " and ".join(self.table.query(one) for one in self.conditions)

    def exact_query(self, table: pd.DataFrame) -> str | None:
        """Return the query if it selects exactly the members from `table`; None if pandas cannot read or answer it.

        Names with a backtick or a line break cannot be queried, and some values have no form that a query takes.
        """
        if any(set("`\r\n") & set(name) for name in self.columns):  # they would end the quotes of a name
            return None
        try:
            found = table.query(self.query, engine="python").index
        except QUERY_ERRORS:
            return None
        return self.query if np.array_equal(table.index.get_indexer(found), np.flatnonzero(self.members())) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the conditions."""
        return tuple(self.table.columns[one.column].name for one in self.conditions)

    def members(self) -> Bools:
        """Mark the examples that meet all conditions, (n,)."""
        met = np.ones(self.table.n, dtype=bool)
        for one in self.conditions:
            met &= one.meets(self.table.codes[one.column])
        return met
