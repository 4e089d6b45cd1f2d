"""Rows of a user's table that play one part, and their columns, checked and under names that both parts share."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of, ids_of, probs_of
from slicebench.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Classes = Sequence[str | int]


CHUNK = 4096
"""Vectors that are read together."""
MOST_WORDS = 1000
"""Categories of a column that describes examples; each is a dimension of the embedding."""


class Part:
    """Rows that play one part ("pool table", "train and val rows"); every error names part, column and row within it.

    Parameters
    ----------
    frame : DataFrame
        As the user has it.
    name : str
        What the user knows the rows by.

    Attributes
    ----------
    table : DataFrame
        Columns that went through the checks below, one row each. Those with a role have names that start with "@".

    """

    def __init__(self, frame: pd.DataFrame, name: str) -> None:
        import pandas as pd

        if not len(frame):
            raise DataError(f"the {name} has no rows; expected one per example")
        refuse_repeated(frame, name)
        self.frame, self.name = frame.reset_index(drop=True), name
        self.table = pd.DataFrame(index=self.frame.index)

    def where(self, column: str) -> str:
        """Words for a column in messages."""
        return f"column {column!r} of the {self.name}"

    def refuse(self, column: str, bad: NDArray[np.bool_], advice: str) -> None:
        """Raise `DataError` if a row is bad."""
        import pandas as pd

        if not bad.any():
            return
        row = int(np.argmax(bad))
        value = self.frame[column].iloc[row]
        said = "has no value" if np.all(pd.isna(value)) or not str(value).strip() else f"is {str(value)[:100]!r}"
        raise DataError(f"{self.where(column)} {said} at row {row} ({int(bad.sum())} such rows); {advice}")

    def column(self, name: str, advice: str = "drop or fill such rows") -> pd.Series[Any]:
        """Column without missing values."""
        self.refuse(self.known(name), self.frame[name].isna().to_numpy(), advice)
        return self.frame[name]

    def known(self, name: str) -> str:
        """`name`, which is that of a column."""
        if name not in self.frame:
            raise DataError(f"the {self.name} has no column {name!r}; {did_you_mean(name, [*map(str, self.frame)])}")
        return name

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Column of finite numbers."""
        column = self.column(name)
        numbers: NDArray[np.float64] = array_of(
            self.where(name), column.to_numpy(np.float64) if _numeric(column) else column.to_numpy(), np.float64, 1
        )
        return numbers

    def vectors(self, name: str) -> NDArray[np.float32]:
        """Column of vectors of one length, finite."""
        column = self.column(name)
        if isinstance(column.iloc[0], str):
            raise DataError(
                f"{self.where(name)} holds text; expected vectors, which a .parquet file can hold and a .csv file cannot: name "
                "columns of numbers as features instead"
            )
        vectors: NDArray[np.float32] = array_of(self.where(name), _stacked(self.where(name), column), np.float32, 2)
        return vectors

    def feature(self, name: str) -> NDArray[Any]:
        """Column of finite numbers as float64, any other as words, of which there may be `MOST_WORDS`."""
        column = self.column(name)
        if _numeric(column):
            return self.numbers(name)
        bad = np.array([not isinstance(value, str | int | float | date) for value in column.tolist()])
        self.refuse(name, bad, "expected numbers or words to describe an example by")
        words: NDArray[Any] = column.astype(str).to_numpy(dtype=object)
        if len(set(words)) > MOST_WORDS:
            raise DataError(f"{self.where(name)} holds more than {MOST_WORDS:,} different words; expected a category")
        return words

    def ids(self, name: str) -> NDArray[np.str_]:
        """Column of distinct ids."""
        return ids_of(self.where(name), self.column(name).to_numpy())

    def words(self, name: str) -> pd.Series[Any]:
        """Classes as words, 1.0 as "1"; missing where the cell is empty, and everywhere if there is no such column."""
        import pandas as pd

        if name not in self.frame:
            return pd.Series(pd.NA, index=self.frame.index, dtype="string")
        words = self.frame[name].convert_dtypes().astype("string")
        return words.mask((words.str.strip() == "").fillna(value=False))

    def all_words(self, name: str, advice: str = "drop or fill such rows") -> pd.Series[Any]:
        """`words`, none of them missing."""
        self.column(name, advice)
        words = self.words(name)
        self.refuse(name, words.isna().to_numpy(), advice)
        return words

    def classes(self, name: str) -> tuple[str | int, ...]:
        """Classes in a column without missing ones, in the order of `from_frame`: by size, or by the alphabet."""
        words = self.all_words(name, "drop such rows or move them to the pool")
        whole = self.frame[name].convert_dtypes().dtype.kind in "iu"
        return tuple(sorted({int(word) for word in words} if whole else set(words)))

    def refuse_unknown(self, name: str, words: pd.Series[Any], classes: Classes) -> None:
        """Raise `DataError` for a word that is no class."""
        unknown = (~words.isin([*map(str, classes)]) & ~words.isna()).to_numpy(dtype=bool)
        listed = ", ".join(map(str, classes[:10])) + (", ..." if len(classes) > 10 else "")
        self.refuse(name, unknown, f"expected one of the classes {listed}")

    def numbered(self, name: str, classes: Classes) -> NDArray[np.int64]:
        """Class number of each row, by the order of `classes`."""
        words = self.all_words(name)
        self.refuse_unknown(name, words, classes)
        return np.asarray(words.map({str(c): number for number, c in enumerate(classes)}), dtype=np.int64)

    def probabilities(self, probs: Sequence[str] | str, classes: Classes) -> NDArray[np.float32]:
        """Columns named one by one in the order of `classes`, or by a prefix, shape (n, C)."""
        names = [f"{probs}{c}" for c in classes] if isinstance(probs, str) else list(probs)
        if len(names) != len(classes):
            listed = ", ".join(map(str, classes))
            raise DataError(f"probs names {len(names)} columns for {len(classes)} classes ({listed})")
        values = np.stack([self.numbers(name) for name in names], axis=1)
        return probs_of(f"probs of the {self.name}", values, len(values))


def refuse_repeated(frame: pd.DataFrame, name: str) -> None:
    """Raise `DataError` if two columns of a table have one name."""
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"the {name} has the column {repeated[0]!r} more than once; rename one of them")


def _stacked(where: str, column: pd.Series[Any]) -> NDArray[np.float32]:
    """Vectors of a column below one another, some thousand at a time: as Python's numbers they take ten times the memory."""
    try:
        d = len(column.iloc[0])
        out = np.empty((len(column), d), dtype=np.float32)
        for start in range(0, len(column), CHUNK):
            part = np.asarray(column.iloc[start : start + CHUNK].tolist(), dtype=np.float32)
            if part.shape[1:] != (d,):
                raise DataError(f"{where} holds vectors of shape {part.shape[1:]} from row {start} on, ({d},) at row 0")
            out[start : start + CHUNK] = part
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where} is not a rectangular array: {error}") from error
    return out


def _numeric(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufb"
