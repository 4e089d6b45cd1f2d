"""Find the columns of a submission in a table: by the names of the format, else by the field's usual names.

To add a usual name, add it to `USUAL_NAMES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slicebench.data.schema.roles import USUAL, plain
from slicebench.errors import DataError, did_you_mean
from slicebench.evaluation.submissions.contents import shown, twice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


STRINGS = ("id", "slice", "method")
NUMBERS = ("score", "hardness", "rank", "membership")
MARK = "slicebench_submission"
WANTED = (*STRINGS, *NUMBERS, MARK)
USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": USUAL["id"],
    "slice": ("slice", "slice_name", "slice_id", "subgroup", "group"),
    "score": (
        "score", "scores", "difficulty", "suspicion", "error_score", "error_probability", "uncertainty", *USUAL["loss"],
    ),
    "hardness": ("hardness",),
    "rank": ("rank",),
    "membership": ("membership",),
    "method": ("method", "method_name"),
}  # fmt: skip
"""Names under which other tools write a column of the format, in the order in which columns are looked for.

Of scores there are only those of which higher is harder; beside slices only "score" itself, since there it must cover all
examples.
"""
MOST = 30
"""Columns that are not used and that a note lists."""


@dataclass(frozen=True)
class Chosen:
    """The column of each name of the format (`by_name`), and the columns that are not used, in the order of the table."""

    by_name: Mapping[str, str]
    unused: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """Return sentences on columns of other names and on those that are not used."""
        renamed = [f"{column!r} is read as {name}" for name, column in self.by_name.items() if name != column]
        found = (f"by the usual names: {', '.join(renamed)}",) if renamed else ()
        if not self.unused:
            return found
        listed = ", ".join(map(_with_hint, self.unused[:MOST]))
        more = f" and {len(self.unused) - MOST:,} more" if len(self.unused) > MOST else ""
        return (*found, f"columns that are not used: {listed}{more}")


def _with_hint(column: str) -> str:
    meant = plain(column)
    return f"{column!r} (the format calls it {meant!r})" if meant in WANTED and meant != column else repr(column)


def chosen_columns(names: Sequence[str], where: str) -> Chosen:
    """Return which column of a table is which of the format.

    A table with an id and a score or slice under the names of the format is read by these names alone. Otherwise usual names
    count too; case, blanks, dots and hyphens do not matter.

    Raises
    ------
    DataError
        unless there are an id and a score or slice, each once.

    """
    by_name = {name: name for name in WANTED if name in names}
    if not _is_complete(by_name):
        for name in [name for name in USUAL_NAMES if name not in by_name]:
            usual = (name,) if name == "score" and "slice" in by_name else USUAL_NAMES[name]
            if column := _usual(usual, names, where):
                by_name[name] = column
    if again := twice([name for name in names if name in by_name.values()]):
        raise DataError(f"{where} has the column {shown(again)} more than once")
    if "id" not in by_name:
        raise DataError(f"{where} has no column 'id'; {did_you_mean('id', [*names])}")
    if not _is_complete(by_name):
        hint = did_you_mean("score", [name for name in names if name != by_name["id"]])
        raise DataError(f"{where} has no column 'score' or 'slice'; expected one of them, or both; {hint}")
    if {"score", "hardness"} <= by_name.keys():
        both = f"{by_name['score']!r} and {by_name['hardness']!r}"
        raise DataError(f"{where} has the columns {both}, which mean the same; drop one of them")
    used = {*by_name.values()}
    return Chosen(by_name, tuple(name for name in names if name not in used))


def is_string(column: str) -> bool:
    """Return True for a column that may be an id or a name by its own name."""
    return any(plain(column) in USUAL_NAMES[name] for name in STRINGS)


def _is_complete(by_name: Mapping[str, str]) -> bool:
    return "id" in by_name and not by_name.keys().isdisjoint(("score", "hardness", "slice"))


def _usual(usual: Sequence[str], names: Sequence[str], where: str) -> str | None:
    """Return the column with one of the usual names; the first of them counts.

    Raises `DataError` if several columns are scores by their names: a submission has one.
    """
    found = sorted((usual.index(plain(one)), one) for one in names if plain(one) in usual)
    if len(found) > 1 and "score" in usual:
        listed = " and ".join(repr(one) for _, one in found)
        raise DataError(f"{where} has the columns {listed}, which may all be the score; call one of them 'score'")
    return found[0][1] if found else None
