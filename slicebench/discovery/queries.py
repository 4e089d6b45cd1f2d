"""Write a rule as a query that pandas reads, on the user's own table where that is possible.

A rule is made of columns as they were read: text that is dates, fields of dictionaries, the hour of a time. Several forms of a
condition are written, such as `day >= '2024-05-01'` and `day.astype('datetime64[us]') >= '2024-05-01'`, and each is run. Only
one that selects exactly the rows of the condition is kept. Where none does, the query names a column of `Findings.table`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.metadata_codes import MOST_EXACT
from slicebench.discovery.reading.examples import READ
from slicebench.discovery.searches.conditions import QUERY_ERRORS, WORD, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.conditions import Condition, Conjunction

    Bools = NDArray[np.bool_]


YOURS, FOUND = "your table", "found.table"
"""Tables that a query selects from: the user's own, and with it `Findings.table`; or only the latter."""
MOST_LISTED = 20
"""Most values that a query lists."""
_POSITION = "position of the row"
_DERIVED = (
    (r"hour of (.+)", ("{}.dt.hour", "{}.astype('datetime64[us]').dt.hour")),
    (r"month of (.+)", ("{}.dt.month", "{}.astype('datetime64[us]').dt.month")),
    (r"weekday of (.+)", ("{}.dt.day_name()", "{}.astype('datetime64[us]').dt.day_name()")),
    (r"words in (.+)", (r"{}.str.count(r'\S+')",)),
    (r"characters in (.+)", ("{}.str.len()",)),
    (r"lines in (.+)", (r"({}.str.count(r'\n') + 1)",)),
    (r"share of digits in (.+)", (r"({0}.str.count(r'\d') / {0}.str.len())",)),
    (r"share of capitals in (.+)", ("({0}.str.count('[A-Z]') / {0}.str.len())",)),
    (r"share of punctuation in (.+)", (r"({0}.str.count(r'[^\w\s]') / {0}.str.len())",)),
    (r"question marks in (.+)", ("{}.str.count('[?？؟]')",)),
    (r"word in (.+)", ("{}",)),
)
"""Columns that `parts_of` makes of others, by their names, and how pandas makes them."""
_CASTS = {
    "number": ("", ".astype('float64')"),
    "date": ("", ".dt.tz_localize(None)", ".astype('datetime64[us]')"),
    "span": ("", ".astype('timedelta64[us]')"),
}
"""Types in which pandas may compare an ordered column with a bound of the rule, by its unit; the simplest first."""
_CELLS = {"number": ("",), "date": ("", ".astype('str')"), "span": ("", ".astype('str')", ".str.zfill({width})")}
"""Types in which it may compare it with a cell."""


@dataclass(frozen=True, eq=False)
class Given:
    """A table, and the number of its row that each of the n examples is, `rows` (n,)."""

    frame: pd.DataFrame
    rows: NDArray[np.intp]

    @cached_property
    def _numbered(self) -> pd.DataFrame:
        return self.frame.assign(**{_POSITION: np.arange(len(self.frame))})

    def selects(self, query: str, members: Bools, *, among: bool = False) -> bool:
        """Return True if a query selects exactly the rows of the members, (n,) bool.

        With `among`, rows that are no examples do not matter.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self._numbered.query(query, engine="python")[_POSITION].to_numpy()
        except QUERY_ERRORS:
            return False
        found = found[np.isin(found, self.rows)] if among else found
        return np.array_equal(np.sort(found), np.sort(self.rows[members]))


def query_of(rule: Conjunction, examples: Examples, own: Given | None) -> tuple[str | None, str | None]:
    """Return the query of a rule, and what it selects from: `YOURS` or `FOUND`; None and None if there is no query.

    Names with a backtick or a line break cannot be queried.
    """
    if any(set("`\r\n") & set(name) for name in rule.columns):  # they would end the quotes of a name
        return None, None
    writer = _Writer(rule, examples)
    query = " and ".join(writer.condition(one) for one in rule.conditions)
    members = rule.members()
    if not writer.table.selects(query, members):
        return None, None
    return query, YOURS if own is not None and own.selects(query, members) else FOUND


@dataclass(frozen=True, eq=False)
class _Made:
    """An expression, `text`, that makes a column; `base` is missing where the column is, and `values` (n,) are its cells."""

    text: str
    base: str
    values: pd.Series[Any]


def _field(one: _Made, name: str) -> _Made:
    """Return a field of dictionaries."""
    text = f"{one.text}.str.get({name!r})"
    return _Made(text, text, one.values.map(lambda cell: cell.get(name) if isinstance(cell, dict) else None))


class _Writer:
    """Writes the conditions of one rule."""

    def __init__(self, rule: Conjunction, examples: Examples) -> None:
        self.coded, rows = rule.table, np.arange(examples.n)
        self.table = Given(examples.table(rule.columns), rows)
        self.plain = Given(examples.schema.table.frame, rows)

    def condition(self, one: Condition) -> str:
        """Return the first form that selects exactly the rows of a condition from the user's columns, else from those read."""
        column, met = self.coded.columns[one.column], one.meets(self.coded.codes[one.column])
        for form in self._forms(one):
            if self.plain.selects(form, met, among=True):
                return form
        read = column.name + READ
        return self.coded.query(one, read if read in self.table.frame else None)

    def _forms(self, one: Condition) -> Iterator[str]:
        column = self.coded.columns[one.column]
        if column.unit == WORD:
            yield self.coded.query(one)
            return
        listed = one.values or ((one.low,) if one.low == one.high and not column.binned else ())
        raw = self.coded.raw[one.column]
        assert raw is not None
        for made in self._made(column.name, raw):
            for form in self._listed(made, one, listed) if listed else self._ranges(made, one):
                yield form
                yield f"{made.base}.notnull() and {form}"

    def _made(self, name: str, raw: pd.Series[Any]) -> list[_Made]:
        """Return how pandas may make a column, as it was read, of the user's columns, the simplest first.

        `raw` are its values as they were read.
        """
        if name in self.plain.frame:
            return [_Made(quoted(name), quoted(name), self.plain.frame[name])]
        out = []
        for pattern, forms in _DERIVED:
            if found := re.fullmatch(pattern, name):
                inner = self._made(found[1], raw)
                out += [_Made(form.format(one.text), one.text, raw) for one in inner for form in forms]
        for at in [i for i in range(1, len(name)) if name[i] == "."]:
            out += [_field(one, name[at + 1 :]) for one in self._made(name[:at], raw)]
        for at in [found.start() for found in re.finditer(" has ", name)]:
            has, held = _has(name[at + len(" has ") :]), raw.map({"True": True, "False": False})
            inner = self._made(name[:at], raw)
            out += [_Made(f"{one.text}.astype('str').str.contains({has})", one.text, held) for one in inner]
        return out

    def _listed(self, made: _Made, one: Condition, listed: tuple[int, ...]) -> Iterator[str]:
        """Yield conditions that name values one by one, or those of the other rows if these are fewer."""
        expression, values = made.text, made.values
        column, codes = self.coded.columns[one.column], self.coded.codes[one.column]
        inside = np.isin(codes, [code for code in listed if code != column.missing])
        known = values.notna().to_numpy(dtype=bool)
        gaps = [f"{expression}.isnull()"] if column.missing in listed else []
        casts = ("", ".astype('float64')", ".astype('str')") if column.unit == "number" else ("", ".astype('str')")
        for cast in casts:
            cells = _cells(values, cast)
            some, others = _distinct(cells[inside]), _distinct(cells[~inside & known])
            if some is not None and len(some) <= MOST_LISTED:
                parts = ([_among(expression + cast, some)] if some else []) + gaps
                yield parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
            elif others is not None and len(others) <= MOST_LISTED and not gaps:
                yield _among(expression + cast, others, negated=True)

    def _ranges(self, made: _Made, one: Condition) -> Iterator[str]:
        """Yield conditions with bounds: first those of the rule, then the cells of the rows next to them."""
        expression, values = made.text, made.values
        column, codes = self.coded.columns[one.column], self.coded.codes[one.column]
        ends = [(">=", one.low)] if one.low > 1 else []
        ends += [("<", one.high + 1)] if one.high < column.last else []
        # a rule's floats lack digits of larger whole numbers
        exact = column.unit != "number" or max(map(abs, column.levels)) < MOST_EXACT
        for cast in _CASTS[column.unit] if exact else ():
            bounds = (f"{expression}{cast} {sign} {self.coded.bound(column, code)}" for sign, code in ends)
            yield " and ".join(bounds)
        width = int(values.map(lambda value: len(str(value))).max())
        for cast in _CELLS[column.unit]:
            cells = [self._cell(_cells(values, cast, width), one.column, codes >= code) for _, code in ends]
            side = expression + cast.format(width=width)
            yield " and ".join(f"{side} {sign} {cell}" for (sign, _), cell in zip(ends, cells, strict=True))

    def _cell(self, cells: pd.Series[Any], column: int, beyond: Bools) -> str:
        """Return the cell of the smallest value among the rows `beyond` a bound."""
        raw = self.coded.raw[column]
        assert raw is not None
        there = np.flatnonzero(beyond & raw.notna().to_numpy(dtype=bool))
        return literal(cells.iloc[int(there[np.argmin(raw.iloc[there].to_numpy())])])


def _has(tag: str) -> str:
    """Return the parameters with which `str.contains` finds a tag in the text of a list."""
    return f"r'\\b{tag}\\b'" if re.fullmatch(r"\d+", tag) else f"{repr(tag)!r}, regex=False"


def _cells(values: pd.Series[Any], cast: str, width: int = 0) -> pd.Series[Any]:
    """Return values in the type in which pandas compares them after a cast."""
    if "zfill" in cast:
        return values.map(lambda value: str(value).zfill(width))
    if "str" in cast:
        return values.map(str)
    return values.map(float, na_action="ignore") if "float" in cast and _are_numbers(values) else values


def _are_numbers(values: pd.Series[Any]) -> bool:
    from slicebench.data.schema.kinds import numbers_in

    return not numbers_in(values.dropna()).isna().any()


def _distinct(cells: pd.Series[Any]) -> list[Any] | None:
    """Return the different values, sorted; None for lists and dictionaries, which cannot be listed."""
    try:
        values = cells.drop_duplicates().tolist()
        return sorted(values, key=lambda value: (str(type(value)), value))
    except TypeError:
        return None


def _among(expression: str, values: list[Any], *, negated: bool = False) -> str:
    shown = [literal(value) for value in values]
    if len(shown) == 1:
        return f"{expression} {'!=' if negated else '=='} {shown[0]}"
    return f"{expression} {'not in' if negated else 'in'} [{', '.join(shown)}]"
