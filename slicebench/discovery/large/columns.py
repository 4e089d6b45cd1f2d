"""Make of the columns of any rows what was made of them in the sample: dates, words, tags and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.kinds import numbers_in
from slicebench.data.schema.parts import OTHER, counted_in, in_words, on_the_calendar, parts_of
from slicebench.data.schema.roles import parameter
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from slicebench.data.schema import Schema


SEVERAL: dict[str, Callable[[str, pd.Series[Any]], dict[str, pd.Series[Any]]]] = {
    "dates": on_the_calendar,
    "free text": counted_in,
    "tags": lambda name, column: parts_of(name, column, "tags"),
    "numbers and words": lambda name, column: parts_of(name, column, "numbers and words"),
}
"""Kinds of columns of which several are made, and what makes them."""


@dataclass(frozen=True, eq=False)
class Source:
    """Where a column `part` for rules or features comes from: a column of the table, and its kind.

    `words` are the words that the sample has in it.
    """

    part: str
    column: str
    kind: str
    words: frozenset[str]

    def made(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Return the part that is made of the values of any rows.

        A word that the sample does not have is one of its rare ones, if it has such; else no condition names it.
        """
        if self.kind in ("words", "bytes"):
            return self._words(column)
        if self.kind == "tags":
            tag = self.part.removeprefix(f"{self.column} has ")
            held = column.map(lambda cell: str(tag in map(str, cell)), na_action="ignore")
            return held.astype(object).where(column.notna(), None)
        if self.kind == "numbers and words" and self.part != self.column:
            return self._words(column.where(numbers_in(column).isna(), None))
        maker = SEVERAL.get(self.kind)
        found = parts_of(self.column, column, self.kind) if maker is None else maker(self.column, column)
        return found[self.part]

    def _words(self, column: pd.Series[Any]) -> pd.Series[Any]:
        import pandas as pd

        codes, values = pd.factorize(column)
        other = next((word for word in (OTHER, f"({OTHER})") if word in self.words), None)
        words = [in_words(value) for value in values]
        kept = [word if word in self.words or other is None else other for word in words]
        return pd.Series(np.array([*kept, None], dtype=object)[codes], index=column.index, dtype=object)


def sources_of(schema: Schema, parts: pd.DataFrame, wanted: Iterable[str]) -> dict[str, Source]:
    """Return the source of each of the columns `wanted` among `parts`, columns that the schema made for rules or features.

    Raises `ConfigError` for fields of dictionaries, which are not looked up row by row.
    """
    owner = _owners(schema)
    out = {}
    for name in wanted:
        column, kind = owner[name]
        if kind == "structures":
            raise ConfigError(
                f"column {column!r} holds dictionaries, which are not read in large tables; leave it out "
                f"({parameter('ignore', column)}), or write its fields as columns"
            )
        values = parts[name]
        words = frozenset(map(str, values.dropna().unique())) if values.dtype.kind not in "iufbmM" else frozenset()
        out[name] = Source(name, column, kind, words)
    return out


def _owners(schema: Schema) -> dict[str, tuple[str, str]]:
    """Return the column of the table, and its kind, that each part is made of."""
    out: dict[str, tuple[str, str]] = {}
    for use in schema.uses:
        kind = "free text" if use.use == "text" else _FORCED.get(use.kind, use.kind)
        own = {use.column}
        if kind in SEVERAL:
            own = {*SEVERAL[kind](use.column, schema.table.frame[use.column])}
        elif kind == "structures":
            own = {*parts_of(use.column, schema.table.frame[use.column], kind)}
        out |= dict.fromkeys(own, (use.column, kind))
    return out


_FORCED = {"row numbers": "numbers", "ids": "words", "constant": "words"}
"""Kinds as which a column is read that the caller names although it is usually not used."""
