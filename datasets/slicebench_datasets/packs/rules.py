"""Rules of cards, as rows of a table: which rows a class, a group or a problem consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import DataError
from slicebench_datasets.packs.card import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench_datasets.packs.card import Named, Rule, Value


def rows_where(table: pd.DataFrame, rule: Rule) -> NDArray[np.bool_]:
    """Return which of the n rows of `table` meet every condition of `rule`, (n,).

    Raises
    ------
    DataError
        for a value that the column does not have: a spelling mistake would give an empty group.

    """
    met = np.ones(len(table), dtype=bool)
    for column, condition in rule.items():
        values = table[column]
        if isinstance(condition, Bounds):
            met &= _within(values, condition)
        else:
            met &= values.isin(_present(values, condition)).to_numpy()
    return met


def _within(values: pd.Series, bounds: Bounds) -> NDArray[np.bool_]:
    met: NDArray[np.bool_] = values.notna().to_numpy(copy=True)
    if bounds.none_of:
        met &= ~values.isin(_present(values, bounds.none_of)).to_numpy()
    if bounds.at_least is not None:
        met &= (values >= bounds.at_least).to_numpy(dtype=bool, na_value=False)
    if bounds.below is not None:
        met &= (values < bounds.below).to_numpy(dtype=bool, na_value=False)
    return met


def _present(values: pd.Series, wanted: Sequence[Value]) -> list[Value]:
    known = set(values.unique().tolist())
    for value in wanted:
        if value not in known:
            some = ", ".join(map(repr, sorted(known, key=str)[:10]))
            raise DataError(f"column {values.name!r} has no value {value!r}; it has {some}")
    return list(wanted)


def class_numbers(table: pd.DataFrame, classes: Sequence[Named]) -> NDArray[np.int64]:
    """Return the class number of each row, (n,), -1 for rows of no class; `DataError` for rows of two."""
    found = np.stack([rows_where(table, one.where) for one in classes])
    if (found.sum(axis=0) > 1).any():
        row = int(np.argmax(found.sum(axis=0) > 1))
        names = " and ".join(repr(one.name) for one, member in zip(classes, found[:, row], strict=True) if member)
        raise DataError(f"row {row} is in the classes {names}; their rules must not overlap")
    numbers: NDArray[np.int64] = np.where(found.any(axis=0), found.argmax(axis=0), -1)
    return numbers


def group_matrix(table: pd.DataFrame, groups: Sequence[Named]) -> NDArray[np.bool_]:
    """Return group membership, (n, g)."""
    if not groups:
        return np.zeros((len(table), 0), dtype=bool)
    return np.stack([rows_where(table, one.where) for one in groups], axis=1)
