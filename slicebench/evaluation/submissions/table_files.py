"""Read submissions from a table with a row per example, or per example and slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError
from slicebench.evaluation.submissions.column_names import MARK, NUMBERS, chosen_columns
from slicebench.evaluation.submissions.contents import (
    VERSION,
    Members,
    Submission,
    check_version,
    the_ids,
    twice,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


LONGEST_ID = 10_000


def submissions_of_table(
    table: Any, where: str, default: str, notes: tuple[str, ...] | None = None
) -> list[Submission]:
    """Read the submissions of an Arrow table, one for each method.

    `default` is the method's name if no column names it. `notes` are those on the columns of a file of which `table` has only
    some.

    Raises
    ------
    DataError
        that names `where` and the invalid column, id or slice.

    """
    chosen = chosen_columns(table.column_names, where)
    if not table.num_rows:
        raise DataError(f"{where} has no rows; expected one for each test example")
    _check_version(table, where)
    table = table.select([*chosen.by_name.values()]).rename_columns([*chosen.by_name])
    rows, notes = _Rows(table, where, chosen.by_name), chosen.notes() if notes is None else notes
    positions: dict[str, list[int]] = {}
    for row, name in enumerate(rows.words("method") or [default] * rows.n):
        positions.setdefault(name or default, []).append(row)
    return [_submission(rows, name, np.asarray(at), notes) for name, at in positions.items()]


def _check_version(table: Any, where: str) -> None:
    """Check the version, in a column or in the metadata of the file's schema."""
    noted = (table.schema.metadata or {}).get(MARK.encode())
    if noted is not None:
        text = noted.decode("utf-8", "replace")
        check_version(where, int(text) if text.isdecimal() and len(text) < 10 else text)
    if MARK in table.column_names:
        for value in table[MARK].unique().to_pylist():
            check_version(where, VERSION if value is None else value)


class _Rows:
    """Columns of a table as lists of words and arrays of numbers; errors name file, column (as the file does) and row."""

    def __init__(self, table: Any, where: str, names: Mapping[str, str]) -> None:
        self.table, self.where, self.names, self.n = table, where, names, table.num_rows
        self.ids = self._ids()
        self.slices = [name or None for name in self.words("slice") or [None] * self.n]
        self.numbers = {name: self._numbers(name) for name in NUMBERS if name in table.column_names}

    def words(self, name: str) -> list[str | None] | None:
        """Return a column of strings, integers in decimal form; None if there is no such column."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self.table.column_names:
            return None
        column = self.table[name]
        plain = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_null(plain):
            return [None] * self.n
        if pa.types.is_string_view(plain):  # as Polars writes it
            column, plain = column.cast(pa.large_string()), pa.large_string()
        if not (pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_integer(plain)):
            raise DataError(
                f"{self.where}: column {self.names[name]!r} has the type {plain}; expected strings or integers"
            )
        distinct, codes = _coded(column)
        if not pa.types.is_integer(plain) and len(distinct):
            longest = pc.max(pc.binary_length(distinct)).as_py() or 0
            if longest > LONGEST_ID:
                raise DataError(
                    f"{self.where}: column {self.names[name]!r} contains a text of {longest:,} bytes; "
                    f"expected at most {LONGEST_ID:,}"
                )
        known = [None if value is None else str(value) for value in distinct.to_pylist()]
        return [None if code is None else known[code] for code in codes]

    def _ids(self) -> list[str]:
        ids = self.words("id")
        assert ids is not None
        if not all(ids):
            row = next(row for row, key in enumerate(ids) if not key)
            raise DataError(
                f"{self.where}: column {self.names['id']!r} has no value at row {row}; every row needs an id"
            )
        return [key for key in ids if key is not None]

    def _numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers, NaN for missing values; NaN in the file itself is an error."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.table[name]
        if pa.types.is_null(column.type):
            return np.full(self.n, np.nan)
        if not any(is_one(column.type) for is_one in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)):
            raise DataError(f"{self.where}: column {self.names[name]!r} has the type {column.type}; expected numbers")
        floats = pc.cast(column, pa.float64(), safe=False)
        values: NDArray[np.float64] = floats.to_numpy()
        bad = ~np.isfinite(values) & ~np.asarray(floats.is_null())
        if bad.any():
            keys = [self.ids[row] for row in np.flatnonzero(bad)]
            raise DataError(
                f"{self.where}: {self.names[name]} is {values[bad][0]} for {the_ids(keys)}; expected finite numbers"
            )
        return values


def _coded(column: Any) -> tuple[Any, list[int | None]]:
    """Return the distinct values of a column, and the position of each row's value among them."""
    import pyarrow as pa

    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    chunks = coded.unify_dictionaries().chunks
    codes: list[int | None] = [code for chunk in chunks for code in chunk.indices.to_pylist()]
    return chunks[0].dictionary, codes


def _submission(rows: _Rows, method: str, at: NDArray[np.intp], notes: tuple[str, ...]) -> Submission:
    """Return the submission in the rows `at` of the table, all of one method."""
    where = f"{rows.where}, method {method!r}"
    slices = _slices(rows, where, at)
    name = "score" if "score" in rows.numbers else "hardness"
    scores = _scores(rows, where, name, at) if name in rows.numbers else None
    told_of_members = name == "hardness" and bool(slices)
    return Submission(
        where=rows.where,
        method=method,
        scores=None if told_of_members else scores,
        partial=scores if told_of_members else None,
        slices=slices,
        notes=notes,
    )


def _scores(rows: _Rows, where: str, name: str, at: NDArray[np.intp]) -> dict[str, float] | None:
    """Return the score of each id, None if the method has none.

    An id in several slices has its score in each row.
    """
    values, ids = rows.numbers[name][at].tolist(), [rows.ids[row] for row in at]
    missing = [key for key, value in zip(ids, values, strict=True) if value != value]
    if len(missing) == len(ids):
        return None
    if missing:
        raise DataError(f"{where}: {name} has no value for {the_ids(missing)}; expected a number for each test example")
    if "slice" not in rows.table.column_names and (again := twice(ids)):
        raise DataError(f"{where} has more than one row for {the_ids(again)}; expected one for each id")
    scores = dict(zip(ids, values, strict=True))
    differing = [key for key, value in zip(ids, values, strict=True) if scores[key] != value]
    if differing:
        raise DataError(
            f"{where} has different values of {name} for {the_ids(differing)}; all rows of an id must agree"
        )
    return scores


def _slices(rows: _Rows, where: str, at: NDArray[np.intp]) -> dict[str, Members]:
    """Return the slices in the order of their first rows in the table."""
    members: dict[str, list[int]] = {}
    for row in at.tolist():
        name = rows.slices[row]
        if name is not None:
            members.setdefault(name, []).append(row)
    return {name: _members(rows, f"{where}: slice {name!r}", np.asarray(found)) for name, found in members.items()}


def _members(rows: _Rows, where: str, at: NDArray[np.intp]) -> Members:
    """Return the rows of a slice by rank, else by membership, else in the order of the table.

    Memberships make it a soft slice, unless there are ranks.
    """
    rank, membership = (_all_or_none(rows, where, name, at) for name in ("rank", "membership"))
    if rank is not None:
        at = at[np.argsort(rank, kind="stable")]
    elif membership is not None:
        order = np.argsort(-membership, kind="stable")
        return Members(tuple(rows.ids[row] for row in at[order]), tuple(membership[order].tolist()))
    return Members(tuple(rows.ids[row] for row in at))


def _all_or_none(rows: _Rows, where: str, name: str, at: NDArray[np.intp]) -> NDArray[np.float64] | None:
    if name not in rows.numbers:
        return None
    values = rows.numbers[name][at]
    missing = np.isnan(values)
    if missing.all():
        return None
    if missing.any():
        lacking: Sequence[str] = [rows.ids[row] for row in at[missing]]
        raise DataError(f"{where} has no {name} for {the_ids(lacking)}; expected one for all members or for none")
    return values
