"""Conditions on columns, in words and as a query of the user's table."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.metadata_codes import ColumnCodes, learnt_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
SAME, MOST_SAME = 0.95, 5
"""Share of texts in common (intersection over union) from which on words count as one, and how many of them are named."""
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


@dataclass(frozen=True)
class SameWords:
    """Words that the texts with another word have; `exact` is true if these are all of their texts, and no others."""

    words: tuple[str, ...]
    exact: bool

    @property
    def text(self) -> str:
        """The words in a phrase; of many, the first ones."""
        more = ", ..." if len(self.words) > MOST_SAME else ""
        return f"{'' if self.exact else 'nearly '}the same rows: {', '.join(f'“{w}”' for w in self.words[:MOST_SAME])}{more}"


def same_words(words: Sequence[str], held: Any) -> dict[int, SameWords]:
    """Group words that (nearly) the same texts have, `held` (n, v) sparse; the keys are the words that stand for a group.

    That is the longest word of a group, which says most; of equally long ones the rarest, then the first of the alphabet.
    """
    both = (held.T @ held).toarray().astype(np.float64)
    counts = np.diag(both)
    shares = both / (counts[:, None] + counts - both)
    left, groups = set(range(len(words))), dict[int, SameWords]()
    for j in sorted(left, key=lambda j: (-len(words[j]), counts[j], words[j])):
        if j in left:
            own = sorted(k for k in left if k != j and shares[j, k] >= SAME)
            groups[j] = SameWords(tuple(words[k] for k in own), exact=all(shares[j, k] == 1 for k in own))
            left -= {j, *own}
    return dict(sorted(groups.items()))


@dataclass(frozen=True, eq=False)
class Coded:
    """The columns of a table as codes; `codes` are (n,) each, and `raw` has the values as the user wrote them.

    A word of a text is a column, too: its code is 1 in texts that have it, else 2, and its raw values are None. `same` has, for
    the number of such a column, the other words that (nearly) the same texts have.
    """

    columns: tuple[ColumnCodes, ...]
    codes: tuple[Integers, ...]
    raw: tuple[pd.Series[Any] | None, ...]
    n: int
    same: Mapping[int, SameWords] = field(default_factory=dict)

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
        return Coded((*self.columns, one), (*self.codes, one.codes(column)), (*self.raw, raw), self.n, self.same)

    def and_words(self, name: str, texts: Sequence[str]) -> Coded:
        """Return these columns and one for each of the most frequent words of the texts in column `name`.

        Of words that (nearly) the same texts have, one gets a column.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        least = max(LEAST_TEXTS, round(RARE * len(texts)))
        counter = CountVectorizer(binary=True, min_df=min(least, len(texts)), max_df=COMMON, max_features=MOST_WORDS)
        try:
            held = counter.fit_transform(texts).tocsc()
        except ValueError:  # no word is in enough texts
            return self
        words = counter.get_feature_names_out().tolist()
        groups = same_words(words, held)
        columns = tuple(ColumnCodes(name, (words[j],), WORD, binned=False) for j in groups)
        codes = []
        for j in groups:
            own = np.full(self.n, 2, dtype=np.int64)
            own[held.indices[held.indptr[j] : held.indptr[j + 1]]] = 1
            codes.append(own)
        same = {len(self.columns) + i: group for i, group in enumerate(groups.values()) if group.words}
        return Coded((*self.columns, *columns), (*self.codes, *codes), (*self.raw, *[None] * len(groups)), self.n, same)

    def words(self, condition: Condition) -> str:
        """Return a condition in words, such as "time is night" or "46 <= age < 60"."""
        column = self.columns[condition.column]
        if column.unit == WORD:
            same = self.same.get(condition.column)
            has = f"{column.name} has {'' if condition.values == (1,) else 'no '}“{column.levels[0]}”"
            return has if same is None else f"{has} ({same.text})"
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

    def query(self, condition: Condition, name: str | None = None) -> str:
        """Return a condition for `DataFrame.query` on the column as it was read, which may be called `name`."""
        column, codes = self.columns[condition.column], self.codes[condition.column]
        name = quoted(column.name if name is None else name)
        if column.unit == WORD:
            has = rf"{name}.fillna('').str.lower().str.contains(r'{word_pattern(column.levels[0])}')"
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
                shown = [literal(value) for value in sorted(values, key=lambda value: (str(type(value)), value))]
                parts.append(f"{name} == {shown[0]}" if len(shown) == 1 else f"{name} in [{', '.join(shown)}]")
            if missing:
                parts.append(f"{name}.isnull()")
            return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
        bounds = []
        if condition.low > 1:
            bounds.append(f"{name} >= {self.bound(column, condition.low)}")
        if condition.high < column.last:
            bounds.append(f"{name} < {self.bound(column, condition.high + 1)}")
        return " and ".join(bounds)

    def bound(self, column: ColumnCodes, code: int) -> str:
        """Return the least value that has a code or a larger one, as pandas reads it."""
        level = column.levels[code - 2 if column.binned else code - 1]
        if column.unit == "number":
            return repr(int(level) if float(level).is_integer() else float(level))
        if column.unit == "span":
            return repr(f"{level!r} s")
        return repr(str(np.datetime64(round(level * 1e6), "us")).removesuffix(".000000").removesuffix("T00:00:00"))


def quoted(name: str) -> str:
    """Return the name of a column as a query has it."""
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"`{name}`"


def literal(value: Any) -> str:
    """Return a value as Python reads it."""
    plain = value.item() if isinstance(value, np.generic) else value
    return repr(plain) if isinstance(plain, bool | int | float | str | bytes) else repr(str(plain))


def word_pattern(word: str) -> str:
    """Return the regular expression of a whole word."""
    return rf"(?<!\w){word}(?!\w)"


def meeting_all(conditions: Sequence[Condition], codes: Mapping[int, Integers] | Sequence[Integers], n: int) -> Bools:
    """Mark the examples that meet all conditions, (n,), by the codes (n,) of each column by its number."""
    met = np.ones(n, dtype=bool)
    for one in conditions:
        met &= one.meets(codes[one.column])
    return met


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
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the conditions."""
        return tuple(self.table.columns[one.column].name for one in self.conditions)

    def members(self) -> Bools:
        """Mark the examples that meet all conditions, (n,)."""
        return meeting_all(self.conditions, self.table.codes, self.table.n)
