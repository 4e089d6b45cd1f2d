"""Read and check the columns of a user's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from slicebench.data.checks import array_of, ids_of
from slicebench.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray


T = TypeVar("T")
CHUNK = 4096
"""How many vectors are read at a time."""
YES_OR_NO = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "right", "correct"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "wrong", "incorrect"), False),
}
FILL = "drop or fill such rows"


class UserTable:
    """A user's table, and readers of its columns.

    Every error names the table, the column and the row.

    Parameters
    ----------
    frame : DataFrame
        The user's table, unchanged.
    name : str
        What the user calls these rows: "pool table", "train and val rows".
    advice : str
        What to do about rows without a value.
    rows : (n,) int, optional
        Numbers of the rows in messages, for a part of a larger table.

    """

    def __init__(
        self, frame: pd.DataFrame, name: str, advice: str = FILL, rows: NDArray[np.integer] | None = None
    ) -> None:
        if not len(frame):
            raise DataError(f"the {name} has no rows; expected one per example")
        self.frame, self.name, self.advice = named_by_text(frame, name).reset_index(drop=True), name, advice
        self.rows = rows

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return [str(name) for name in self.frame.columns]

    def where(self, column: str) -> str:
        """Return how messages name a column; where they count the rows of a part of a table, they say so."""
        return f"{self._named(column)}{self._counted()}"

    def number(self, row: int) -> int:
        """Return the number of a row in the whole table."""
        return row if self.rows is None else int(self.rows[row])

    def _named(self, column: str) -> str:
        return f"column {column!r} of the {self.name}"

    def _counted(self) -> str:
        if self.rows is None or not len(self.rows):
            return ""
        whole = self.rows[-1] - self.rows[0] + 1 == len(self.rows)
        return f" (row 0 being row {self.rows[0]:,})" if whole else " (rows being counted in a sample of it)"

    def refuse(self, column: str, bad: NDArray[np.bool_], advice: str) -> None:
        """Raise `DataError` if `bad` marks any row."""
        import pandas as pd

        if not bad.any():
            return
        row = int(np.argmax(bad))
        value = self.frame[column].iloc[row]
        said = "has no value" if np.all(pd.isna(value)) or not str(value).strip() else f"is {str(value)[:100]!r}"
        count = int(bad.sum())
        such = "1 such row" if count == 1 else f"{count:,} such rows"
        raise DataError(f"{self._named(column)} {said} at row {self.number(row)} ({such}); {advice}")

    def column(self, name: str) -> pd.Series[Any]:
        """Return a column, which must have no missing values."""
        self.refuse(self.known(name), self.frame[name].isna().to_numpy(), self.advice)
        return self.frame[name]

    def known(self, name: str) -> str:
        """Return `name` if the table has such a column."""
        if name not in self.frame:
            raise DataError(f"the {self.name} has no column {name!r}; {did_you_mean(name, [*map(str, self.frame)])}")
        return name

    def holds_numbers(self, name: str) -> bool:
        """Return True if a column holds numbers, one in each row."""
        return _numeric(self.frame[self.known(name)])

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of finite numbers; text that is numbers is read as such."""
        import pandas as pd

        column = self.column(name)
        if not _numeric(column):
            text = in_text(column) if column.dtype.kind not in "mM" else column.astype("string")
            values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)
            self.refuse(name, np.isnan(values), "expected a number")
        else:
            values = column.to_numpy(np.float64)
        numbers: NDArray[np.float64] = array_of(self.where(name), values, np.float64, 1)
        return numbers

    def vectors(self, name: str) -> NDArray[np.float32]:
        """Return a column of finite vectors of one length."""
        column = self.column(name)
        if isinstance(column.iloc[0], str):
            raise DataError(
                f"{self.where(name)} holds text; expected a vector of numbers in each row. A .csv file cannot "
                "hold vectors: use a .parquet file, or a column for each number"
            )
        vectors: NDArray[np.float32] = array_of(self.where(name), _stacked(self.where(name), column), np.float32, 2)
        return vectors

    def metadata(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the columns that methods and rules may see, as they are."""
        return self.frame[[self.known(name) for name in names]]

    def ids(self, name: str) -> NDArray[np.str_]:
        """Return a column of distinct ids."""
        return ids_of(self.where(name), self.column(name).to_numpy())

    def texts(self, name: str) -> list[str]:
        """Return a column of texts; other values are turned into text."""
        return in_text(self.column(name)).tolist()

    def booleans(self, name: str) -> NDArray[np.bool_]:
        """Return a column of booleans, or of 0 and 1."""
        return array_of(self.where(name), self.column(name).to_numpy(), np.bool_, 1)

    def yes_or_no(self, name: str) -> NDArray[np.bool_]:
        """Return a column of booleans, of 0 and 1, or of words that mean yes or no."""
        words = self.all_words(name).str.lower()
        self.refuse(name, (~words.isin([*YES_OR_NO])).to_numpy(dtype=bool), "expected true or false")
        answers: NDArray[np.bool_] = words.map(YES_OR_NO).to_numpy(dtype=bool)
        return answers

    def words(self, name: str) -> pd.Series[Any]:
        """Return a column of classes as words; 1.0 becomes "1".

        A word is missing if the cell is empty.
        """
        words = in_text(self.frame[name])
        return words.mask((words.str.strip() == "").fillna(value=False))

    def all_words(self, name: str) -> pd.Series[Any]:
        """Return `words`, which must have no missing values."""
        self.column(name)
        words = self.words(name)
        self.refuse(name, words.isna().to_numpy(), self.advice)
        return words

    def probability_columns(self, probs: Sequence[str] | str | None) -> list[str]:
        """Return the columns that `probs` names.

        `probs` is a column of vectors, a prefix, or a list of columns.
        """
        if not isinstance(probs, str):
            return list(probs or ())
        return [probs] if probs in self.frame else [name for name in map(str, self.frame) if name.startswith(probs)]


def if_named(reader: Callable[[str], T], name: str | None) -> T | None:
    """Return `reader(name)`, or None if no column is named."""
    return None if name is None else reader(name)


def refuse_repeated(frame: pd.DataFrame, name: str) -> None:
    """Raise `DataError` if two columns of a table have the same name."""
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"the {name} has the column {repeated[0]!r} more than once; rename one of them")


def in_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return values as text, 1.0 as "1"; bytes are decoded, and what is missing stays missing."""
    try:
        return column.convert_dtypes().astype("string")
    except (TypeError, ValueError):  # bytes that are no text, and mixed types that pandas does not convert
        return column.map(
            lambda value: value.decode(errors="replace") if isinstance(value, bytes) else str(value), na_action="ignore"
        ).astype("string")


def named_by_text(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the table with text as names of columns.

    Raises `DataError` for names of several levels, and for two columns of one name.
    """
    import pandas as pd

    if isinstance(frame.columns, pd.MultiIndex):
        first = frame.columns[0]
        raise DataError(
            f"the columns of the {name} have names of {frame.columns.nlevels} levels, such as {first!r}; expected "
            "one level. Join them first: frame.columns = ['_'.join(map(str, names)) for names in frame.columns]"
        )
    if all(isinstance(column, str) for column in frame.columns):
        refuse_repeated(frame, name)
        return frame
    renamed = frame.set_axis([str(column) for column in frame.columns], axis=1)
    refuse_repeated(renamed, name)
    return renamed


def _stacked(where: str, column: pd.Series[Any]) -> NDArray[np.float32]:
    """Stack the vectors of a column, `CHUNK` at a time.

    As Python's numbers they take ten times the memory.
    """
    try:
        d = len(column.iloc[0])
        out = np.empty((len(column), d), dtype=np.float32)
        for start in range(0, len(column), CHUNK):
            with np.errstate(over="ignore"):  # infinities are refused later
                part = np.asarray(column.iloc[start : start + CHUNK].tolist(), dtype=np.float32)
            if part.shape[1:] != (d,):
                raise DataError(
                    f"{where} has vectors of shape {part.shape[1:]} from row {start} on, but ({d},) at row 0"
                )
            out[start : start + CHUNK] = part
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        _refuse_other_lengths(where, column)
        raise DataError(f"{where} is not a rectangular array: {error}") from error
    return out


def _refuse_other_lengths(where: str, column: pd.Series[Any]) -> None:
    """Raise `DataError` for the first cell that is no vector, or has another length than the first one."""
    for row, cell in enumerate(column):
        if not hasattr(cell, "__len__") or isinstance(cell, str | bytes):
            raise DataError(f"{where} is {str(cell)[:100]!r} at row {row}; expected a vector of numbers in each row")
        if len(cell) != len(column.iloc[0]):
            raise DataError(
                f"{where} has vectors of different lengths: {len(column.iloc[0])} at row 0, {len(cell)} at row "
                f"{row}; expected one length"
            )


def _numeric(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufb"
