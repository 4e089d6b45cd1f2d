"""Turn columns that describe an example into vectors: numbers standardised, words one-hot, gaps filled and flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.roles import parameter
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.user_table import UserTable


MOST_VALUES = 50
"""Values of a column of words that get a dimension of their own, the most frequent ones; the rest share one."""


LARGEST = 1e100
"""Size from which on numbers are divided by the largest of their column: the squares of larger ones may overflow."""


def vectors_of(table: UserTable, columns: Sequence[str]) -> NDArray[np.float32]:
    """Return embeddings (n, d): a column of vectors, or one column of numbers per dimension."""
    if len(columns) == 1 and not table.holds_numbers(columns[0]):
        return table.vectors(columns[0])
    return np.stack([table.numbers(name) for name in columns], axis=1).astype(np.float32)


def described(parts: pd.DataFrame, train: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return a vector of each row, shape (n, d), learnt on the rows `train`.

    Parameters and errors are those of `Describer`.
    """
    return Describer(parts, train)(parts)


class Describer:
    """Makes a vector of each row, learnt on the rows `train` of some columns.

    `parts` are columns as `parts_of` makes them. A missing number is filled with the median and flagged in a dimension of its
    own, a missing word is a value, and infinity is the largest finite number.

    Raises
    ------
    DataError
        if no column tells the rows `train` apart.

    """

    def __init__(self, parts: pd.DataFrame, train: NDArray[np.intp]) -> None:
        from sklearn.compose import make_column_transformer
        from sklearn.impute import MissingIndicator, SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        self.ends = {str(name): _ends(parts[name]) for name in parts if parts[name].dtype.kind in "mMiuf"}
        words = [str(name) for name in parts if str(name) not in self.ends]
        numbers = [*self.ends]
        fill = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        gaps = MissingIndicator(
            features="missing-only", error_on_new=False
        )  # 0 or 1: scaled, a rare gap would drown the rest
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_VALUES, sparse_output=False, dtype=np.float32
        )
        maker = make_column_transformer((fill, numbers), (gaps, numbers), (one_hot, words))
        self.maker = maker.fit(self._plain(parts.iloc[train]))
        if not self(parts.iloc[:1]).shape[1]:
            raise DataError(
                f"no column tells the examples apart; name other columns ({parameter('features')}), or vectors "
                f"({parameter('embedding')})"
            )

    def __call__(self, parts: pd.DataFrame) -> NDArray[np.float32]:
        """Return a vector of each row of any table with these columns, (n, d)."""
        made: NDArray[np.float32] = self.maker.transform(self._plain(parts)).astype(np.float32)
        return made

    def _plain(self, parts: pd.DataFrame) -> pd.DataFrame:
        """Return float64 columns without infinities, and columns of words without gaps."""
        import pandas as pd

        out = {}
        for name in parts:
            column: pd.Series[Any] = parts[name]
            if str(name) in self.ends:
                values, ends = _floats(column), self.ends[str(name)]
                largest = max(map(abs, ends))
                clipped = np.where(np.isnan(values), np.nan, np.clip(values, *ends))
                out[name] = clipped / largest if largest > LARGEST else clipped
            else:
                out[name] = column.astype(object).where(column.notna(), "missing").astype(str).to_numpy(dtype=object)
        return pd.DataFrame(out)


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Return numbers, dates or spans as float64, NaN where they are missing."""
    if column.dtype.kind in "mM":
        column = column.astype("int64").astype(np.float64).where(column.notna())
    return column.to_numpy(np.float64)


def _ends(column: pd.Series[Any]) -> tuple[float, float]:
    """Return the least and the largest finite number of a column."""
    values = _floats(column)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
