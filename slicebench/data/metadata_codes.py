"""Code metadata columns as small integers, and describe each code in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


UNSEEN = 0
"""Code of a category that val does not have; no condition matches it."""


@dataclass(frozen=True, eq=False)
class ColumnCodes:
    """Coding of one metadata column.

    `levels[i]` has the code i + 1; a missing value has the code after the last. With `binned`, levels
    are the ascending cuts between intervals: values below the first cut have code 1, below the second
    code 2, and so on.
    """

    name: str
    levels: tuple[Any, ...]
    numeric: bool
    binned: bool

    @classmethod
    def learnt(cls, column: pd.Series[Any], n_bins: int) -> ColumnCodes:
        """Learn the coding of a val column.

        Numbers with more than `n_bins` distinct values are cut at their quantiles. All other columns
        are categories.
        """
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        numeric = is_numeric_dtype(column) and not is_bool_dtype(column)
        known = column.dropna()
        values = np.unique(known.to_numpy(np.float64) if numeric else known.astype(str).to_numpy(dtype=str))
        if not numeric or len(values) <= n_bins:
            return cls(str(column.name), tuple(values.tolist()), numeric=numeric, binned=False)
        # cuts are values of val: interpolation would compute with infinities
        shares = np.arange(1, n_bins) / n_bins
        cuts = np.unique(np.quantile(known.to_numpy(np.float64), shares, method="higher"))
        return cls(str(column.name), tuple(cuts[cuts > values[0]].tolist()), numeric=True, binned=True)

    @property
    def missing(self) -> int:
        """Code of a missing value."""
        return len(self.levels) + (2 if self.binned else 1)

    def codes(self, column: pd.Series[Any]) -> NDArray[np.int64]:
        """Return the codes of any examples, shape (n,)."""
        import pandas as pd

        if self.numeric:
            column = pd.to_numeric(column, errors="coerce")
        missing, kind = column.isna().to_numpy(), np.float64 if self.numeric else str
        levels, values = (
            np.array(self.levels, dtype=kind),
            column.astype(object).where(~missing, np.nan).to_numpy(dtype=kind),
        )
        if self.binned:
            codes = np.searchsorted(levels, values, side="right") + 1
        else:
            codes = np.searchsorted(levels, values) + 1
            seen = np.append(levels, values[:1])[np.minimum(codes, len(levels) + 1) - 1] == values
            codes = np.where(seen & (codes <= len(levels)), codes, UNSEEN)
        return np.where(missing, self.missing, codes).astype(np.int64)

    def words(self, code: int) -> str:
        """Return the condition of `code`, such as "time is night" or "3 <= length < 5"."""
        if code == self.missing:
            return f"{self.name} is missing"
        if not self.binned:
            level = self.levels[code - 1]
            return f"{self.name} is {level:g}" if self.numeric else f"{self.name} is {level}"
        low, high = self.levels[max(code - 2, 0)], self.levels[min(code, len(self.levels)) - 1]
        if code == 1:
            return f"{self.name} < {high:g}"
        return f"{self.name} >= {low:g}" if code > len(self.levels) else f"{low:g} <= {self.name} < {high:g}"


def learnt_codes(metadata: pd.DataFrame, n_bins: int) -> tuple[ColumnCodes, ...]:
    """Learn the coding of every column of val's metadata."""
    return tuple(ColumnCodes.learnt(metadata[name], n_bins) for name in metadata.columns)


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
