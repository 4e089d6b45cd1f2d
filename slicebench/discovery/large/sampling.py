"""Draw a sample that keeps the shares of its strata, whatever the parts in which the table is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.schema.user_table import UserTable

    Integers = NDArray[np.int64]


SAMPLE = 200_000
"""Rows of the sample, in which slices are looked for."""
MORE = 1.2
"""How many times as many rows are drawn first, of which the strata then keep their shares."""
STEP = 0x9E3779B97F4A7C15


def keys(rows: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return a random number from 0 to 1 for each number of a row or group, (n,), that depends on it and the seed alone.

    It is the output function of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    """
    with np.errstate(over="ignore"):
        x = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(STEP) + _mixed(np.full(1, seed, dtype=np.uint64))
        return (_mixed(x) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


def group_ids(table: UserTable, column: str, numbers: Integers) -> Integers:
    """Return a number for each row that rows of one group share in every part, (n,): a hash of what is in the column.

    `numbers` (n,) are those of the rows; a row without a value is a group of its own.
    """
    import pandas as pd

    words = table.words(table.known(column))
    hashed = pd.util.hash_array(words.to_numpy(dtype=object, na_value="")).view(np.int64)
    return np.where(words.isna().to_numpy(dtype=bool), _mixed(numbers.astype(np.uint64)).view(np.int64), hashed)


def stratified(rows: Integers, strata: Integers, sizes: Integers, wanted: int, seed: int) -> NDArray[np.intp]:
    """Choose about `wanted` of the drawn rows so that each stratum has its share of the whole table; at least one row of each.

    `rows` (m,) are the numbers of the drawn rows, `strata` (m,) their strata, and `sizes` (S,) the rows of each stratum in the
    whole table. Within a stratum, the smallest keys are chosen. Returns positions in `rows`, in their order.
    """
    order = np.lexsort((keys(rows, seed), strata))
    drawn_sizes = np.bincount(strata, minlength=len(sizes))
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(drawn_sizes) - drawn_sizes, drawn_sizes)
    share = min(1.0, wanted / max(1, int(sizes.sum())))
    kept = np.maximum(np.rint(sizes * share), 1)
    return np.flatnonzero(rank < kept[strata])
