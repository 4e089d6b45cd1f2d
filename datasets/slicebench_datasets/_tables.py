"""Tables of local datasets, read column by column; errors give file and row."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError, did_you_mean
from slicebench.files import untrusted as strangers
from slicebench.files.untrusted import opened, plain_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


def read_csv(path: Path, columns: Sequence[str], **options: Any) -> pd.DataFrame:
    """Read only `columns` of a CSV file (.gz too), as text unless `options`, which go to pandas, give a dtype."""
    import pandas as pd

    reading: dict[str, Any] = {
        "dtype": str,
        "keep_default_na": False,
        "usecols": lambda name: name in columns,
        **options,
    }
    try:
        with opened(path) as file:
            known = options.get("names") or [*pd.read_csv(file, **reading | {"nrows": 0, "usecols": None}).columns]
        with opened(path) as file:
            table: pd.DataFrame = pd.read_csv(file, **reading)
    except (OSError, ValueError, EOFError, zlib.error, MemoryError, pd.errors.ParserError) as error:
        raise StorageError(f"cannot read {path}: {error}; fetch it again") from error
    return _chosen(table, columns, path, known)


def read_parquet(paths: Sequence[Path], columns: Sequence[str]) -> pd.DataFrame:
    """Read columns of Parquet files and join their rows."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in paths:
        try:
            known = pq.read_schema(plain_file(path)).names
            tables.append(strangers.read_parquet(path, [name for name in columns if name in known]))
        except (OSError, ValueError, TypeError, KeyError, MemoryError, pa.ArrowException) as error:
            raise StorageError(f"cannot read {path}: {error}; fetch it again") from error
        _chosen(tables[-1], columns, path, known)
    return pd.concat(tables, ignore_index=True)


def class_names_of(path: Path, column: str) -> list[str]:
    """Read the class names of a label from the metadata in Hugging Face's Parquet files."""
    import pyarrow.parquet as pq

    try:
        features = json.loads((pq.read_schema(path).metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path} does not name the classes of {column!r} in its metadata; fetch the file from Hugging Face"
        ) from error


def whole_numbers(path: Path, values: pd.Series[Any], low: int, high: int) -> NDArray[np.int64]:
    """Convert a column to integers from `low` to `high`; an error names file, column and row."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~((numbers >= low) & (numbers <= high) & (numbers == np.floor(numbers)))
    if bad.any():
        row = int(np.argmax(bad))
        raise StorageError(
            f"{path}: {values.name} is {_shown(values, row)} at row {row} ({int(bad.sum())} such rows); expected a whole number "
            f"from {low} to {high}"
        )
    return numbers.astype(np.int64)


def coded(path: Path, values: pd.Series[Any], codes: Mapping[str, int]) -> NDArray[np.int64]:
    """Convert a column of words to numbers by `codes`; an error names file, column and row."""
    numbers = values.map(codes)
    bad = numbers.isna().to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise StorageError(
            f"{path}: {values.name} is {_shown(values, row)} at row {row} ({int(bad.sum())} such rows); expected one of "
            f"{', '.join(codes)}"
        )
    return np.array(numbers, dtype=np.int64)


def none_lost(path: Path, rows: int, images: int, folder: Path) -> None:
    """Raise `StorageError` for a table that has fewer rows than there are images."""
    if images > rows:
        raise StorageError(f"{path} has {rows:,} rows for {images:,} images in {folder}; fetch it again")


def _shown(values: pd.Series[Any], row: int) -> str:
    """Format a value as a table shows it: 100 and 'x', not np.int64(100)."""
    value = values.iloc[row]
    return repr(value.item() if isinstance(value, np.generic) else value)


def distinct(path: Path, values: pd.Series[Any]) -> NDArray[np.str_]:
    """Convert a column of ids to strings; an error names the first that is empty or occurs twice."""
    ids = values.astype(str)
    bad = (ids.duplicated() | (ids == "")).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        first = int(np.argmax((ids == ids.iloc[row]).to_numpy()))
        what = "is empty" if not ids.iloc[row] else f"is {ids.iloc[row]!r} at row {first} and again"
        raise StorageError(f"{path}: {values.name} {what} at row {row}; expected distinct ids")
    return ids.to_numpy(dtype=np.str_)


def _chosen(table: pd.DataFrame, columns: Sequence[str], path: Path, known: Sequence[str]) -> pd.DataFrame:
    for name in columns:
        if name not in table:
            raise StorageError(f"{path} has no column {name!r}; {did_you_mean(name, [*map(str, known)])}")
    if not len(table):
        raise StorageError(f"{path} has no rows; fetch it again")
    return table[[*columns]]
