"""Read a table part by part: Parquet files, a pyarrow Dataset, or a Dask DataFrame."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import numpy as np

from slicebench.data.schema.frames import as_frame
from slicebench.data.schema.layouts.image_folders import TABLES
from slicebench.data.schema.layouts.part_folders import split_folders
from slicebench.data.schema.user_table import UserTable
from slicebench.discovery.large.sampling import group_ids, keys
from slicebench.errors import SlicebenchError
from slicebench.files.untrusted import parquet_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Part = tuple[pd.DataFrame, int]
    Read = Callable[[pd.DataFrame, int], Any]


LARGE = 1_000_000
"""Rows above which a table that can be read in parts is not read into memory."""
BATCH = 65_536
"""Rows that are read at a time."""
WAVE = 16
"""Least number of partitions of a Dask DataFrame that are computed at a time; a fifth of them if that is more."""


class LargeTable(Protocol):
    """A table of `n` rows that is read in parts; `name` is what reports call it, and `columns` are its columns."""

    n: int
    name: str
    columns: tuple[str, ...]
    folders: Sequence[str]
    """Names of the folders, such as train and test, that would be the split of a smaller table; none for most."""

    def each(self, read: Read, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Any]]:
        """Yield, in the order of the rows, the number of rows read so far and `read(part, first row)`.

        Parts have only the given columns; None is all of them.
        """
        ...


def large_table(table: Any) -> LargeTable | None:
    """Return a table with more than `LARGE` rows that can be read in parts; None for any other.

    It is the path of a Parquet file or of a folder of such files, a pyarrow Dataset, or a Dask DataFrame.
    """
    found: LargeTable | None = None
    if isinstance(table, str | Path):
        path = Path(table).expanduser()
        if path.suffix.lower() == ".parquet" or (path.is_dir() and not any((path / one).exists() for one in TABLES)):
            found = _of_path(path)
    elif is_dask(table):
        found = DaskTable(table)
    elif is_dataset(table):
        found = ArrowTable(table, "a Dataset")
    return found if found is not None and found.n > LARGE else None


def is_dask(table: Any) -> bool:
    """Return True for a Dask DataFrame."""
    return type(table).__module__.partition(".")[0] in ("dask", "dask_expr") and hasattr(table, "npartitions")


def is_dataset(table: Any) -> bool:
    """Return True for a pyarrow Dataset."""
    return (
        type(table).__module__.startswith("pyarrow.") and hasattr(table, "to_batches") and hasattr(table, "count_rows")
    )


def in_memory(table: Any) -> Any:
    """Return a small Dask DataFrame or pyarrow Dataset as a table in memory; anything else as it is."""
    if is_dask(table):
        return table.compute()
    return table.to_table() if is_dataset(table) else table


def _of_path(path: Path) -> ArrowTable | None:
    """Return the files as a table; None if they are missing or are not Parquet: whoever reads them says why."""
    import pyarrow as pa

    try:
        return ArrowTable(parquet_dataset(path), path.name, split_folders(path) if path.is_dir() else ())
    except (OSError, SlicebenchError, pa.ArrowException):
        return None


class ArrowTable:
    """A pyarrow Dataset. Memory: a few batches, and the row groups that these are in."""

    def __init__(self, data: Any, name: str, folders: Sequence[str] = ()) -> None:
        self.data, self.name, self.folders = data, name, folders
        self.n = int(data.count_rows())
        self.columns = tuple(data.schema.names)

    def each(self, read: Read, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Any]]:
        """Yield as `LargeTable.each` says."""
        import pyarrow as pa

        start = 0
        kept = None if columns is None else [name for name in self.columns if name in {*columns}]
        for batch in self.data.to_batches(columns=kept, batch_size=BATCH, batch_readahead=4, fragment_readahead=1):
            if batch.num_rows:
                result = read(pa.Table.from_batches([batch]).to_pandas(ignore_metadata=True), start)
                start += batch.num_rows
                yield start, result


class DaskTable:
    """A Dask DataFrame, computed by whatever scheduler the caller has; only results leave the workers."""

    def __init__(self, frame: Any) -> None:
        self.frame, self.name = frame, "a Dask DataFrame"
        self.folders: Sequence[str] = ()
        self.sizes = [int(size) for size in frame.map_partitions(len, meta=("n", "int64")).compute()]
        self.n = sum(self.sizes)
        self.columns = tuple(map(str, frame.columns))

    def each(self, read: Read, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Any]]:
        """Yield as `LargeTable.each` says."""
        from dask import base
        from dask.delayed import delayed

        compute: Callable[..., Any] = base.compute

        kept = (
            self.frame if columns is None else self.frame[[one for one in self.frame.columns if str(one) in {*columns}]]
        )
        shared = delayed(read, traverse=False, name=f"slicebench-{uuid4().hex}")
        starts = [0, *accumulate(self.sizes)]
        tasks = [
            (starts[i + 1], delayed(_applied)(shared, part, starts[i]))
            for i, part in enumerate(kept.to_delayed())
            if self.sizes[i]
        ]
        length = max(WAVE, -(-len(tasks) // 5))
        for i in range(0, len(tasks), length):
            wave = tasks[i : i + length]
            yield from zip([end for end, _ in wave], compute(*(task for _, task in wave)), strict=True)


def _applied(read: Read, part: pd.DataFrame, start: int) -> Any:
    return read(part, start)


class Draw:
    """Reads from a part the rows that may be in the sample: those whose key, or that of whose group, is below `share`."""

    def __init__(self, share: float, seed: int, group: str | None) -> None:
        self.share, self.seed, self.group = share, seed, group

    def __call__(self, part: pd.DataFrame, start: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        """Return the rows drawn from a part, and their numbers in the whole table."""
        frame = as_frame(part).reset_index(drop=True)
        numbers = start + np.arange(len(frame))
        own = numbers if self.group is None else group_ids(UserTable(frame, "table"), self.group, numbers)
        at = np.flatnonzero(keys(own, self.seed) < self.share)
        return frame.iloc[at].reset_index(drop=True), numbers[at]
