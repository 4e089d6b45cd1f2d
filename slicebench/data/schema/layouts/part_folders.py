"""Folders that are called train, val and test: their names are the column `split` of the table of all files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from slicebench.data.schema.roles import USUAL, declined, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd


PARTS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
"""Names of folders that are parts of a split."""
COLUMN = "split"


def add_parts(frame: pd.DataFrame, paths: Sequence[str]) -> list[str]:
    """Add the column `split` to a table, and return a note; `paths` are those of the rows, relative to the folder.

    Nothing is done if the table has such a column, or unless every row is in one of at least two such folders.
    """
    if any(plain(name) in USUAL["split"] for name in frame):
        return []
    found = [_part_of(PurePosixPath(path)) for path in paths]
    if None in found or len({*found}) < 2:
        return []
    frame[COLUMN] = found
    names = " and ".join(map(repr, sorted({str(name) for name in found})))
    return [
        f"The folders {names} are read as the column {COLUMN!r} ({declined('split')} uses all rows for everything)."
    ]


def split_folders(folder: Path) -> tuple[str, ...]:
    """Return the names of the folders, at least two, in which all Parquet files of a folder lie as parts; else none."""
    from slicebench.files.untrusted import parquet_files

    found = {_part_of(PurePosixPath(path.relative_to(folder).as_posix())) for path in parquet_files(folder)}
    return tuple(sorted(map(str, found))) if None not in found and len(found) > 1 else ()


def parts_of_parquet(frame: pd.DataFrame, folder: Path) -> list[str]:
    """Do the same for a table that was read from a folder of Parquet files."""
    import pyarrow.parquet as pq

    from slicebench.files.untrusted import parquet_files

    files = [(path.relative_to(folder).as_posix(), path) for path in parquet_files(folder)]
    if None in [_part_of(PurePosixPath(name)) for name, _ in files]:
        return []
    return add_parts(frame, [name for name, path in files for _ in range(pq.read_metadata(path).num_rows)])


def _part_of(path: PurePosixPath) -> str | None:
    return next((name for name in path.parts[:-1] if name.lower() in PARTS), None)
