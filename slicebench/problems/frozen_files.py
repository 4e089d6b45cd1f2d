"""Read and write the files of frozen problems: arrays, tables, ids and raw inputs.

Every error names the file.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.arrays import readable
from slicebench.files.untrusted import mapped_npy, read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs


CHUNK = 4096
"""How many raw inputs are copied at a time."""


DIGESTED = 2**28
"""Largest file, in bytes, whose digest is checked (a fifth of a second); else only the size is."""


def stamp(path: Path) -> str:
    """Return the stamp by which a damaged file is detected.

    It is the file's SHA-256, or "<n> bytes" for a large file.
    """
    with readable(path), path.open("rb") as file:
        size = path.stat().st_size
        return hashlib.file_digest(file, "sha256").hexdigest() if size <= DIGESTED else f"{size} bytes"


def as_stamped(path: Path, said: str) -> bool:
    """Check whether a file has the stamp `said`.

    Uploads digest large files too. Such a digest is checked when the file is fetched, not here.
    """
    with readable(path):
        size = path.stat().st_size
    return stamp(path) == said or (size > DIGESTED and not said.endswith(" bytes"))


def read_table(path: Path) -> Any:
    """Return the DataFrame of a Parquet file.

    The last few are cached, since the cells of a problem read the same ones.
    """
    with readable(path):
        return _parsed_table(path, path.stat().st_mtime_ns).copy()


@lru_cache(maxsize=4)
def _parsed_table(path: Path, _changed: int) -> Any:
    return read_parquet(path)


@contextmanager
def intact(folder: Path) -> Iterator[None]:
    """Turn errors in `folder`'s content into a `StorageError` that names the folder.

    They occur if its files can be read, but do not fit together.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{folder} is damaged: {error}; delete it and build it again") from error


def ids_to_bytes(ids: NDArray[np.str_]) -> NDArray[np.uint8]:
    """Encode each id as UTF-8 in a row of fixed width.

    Such an array reads ten times faster than a Parquet column of strings.
    """
    encoded = np.char.encode(ids, "utf-8")
    return encoded.view(np.uint8).reshape(len(ids), encoded.itemsize)


def ids_from_bytes(rows: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Decode ids that `ids_to_bytes` encoded.

    Almost all ids are ASCII. Those are not decoded, which is ten times as fast.
    """
    if rows.size and rows.max() < 128:
        return np.ascontiguousarray(rows, dtype=np.uint32).view(f"U{rows.shape[1]}").ravel()
    return np.char.decode(np.ascontiguousarray(rows).view(f"S{rows.shape[1]}").ravel(), "utf-8")


def write_inputs(path: Path, inputs: Inputs) -> None:
    """Write raw arrays in NumPy's format, a chunk at a time.

    A memory map of a whole .npy file is hard-linked instead, if possible.
    """
    if _is_whole_file(inputs):
        try:
            os.link(str(inputs.filename), path)  # type: ignore[attr-defined]
        except OSError:  # another file system
            pass
        else:
            return
    first = np.asarray(inputs[:1])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=first.dtype, shape=(len(inputs), *first.shape[1:]))
    for start in range(0, len(inputs), CHUNK):
        out[start : start + CHUNK] = inputs[start : start + CHUNK]
    out.flush()


def read_inputs(path: Path) -> NDArray[Any]:
    """Map raw arrays into memory, so that only what is used is read."""
    with readable(path):
        return mapped_npy(path)


def _is_whole_file(inputs: Inputs) -> bool:
    """Check whether `inputs` map all of a .npy file, in its order."""
    if not isinstance(inputs, np.memmap) or not inputs.flags.c_contiguous or inputs.filename is None:
        return False
    path = Path(inputs.filename)
    return path.suffix == ".npy" and inputs.offset + inputs.nbytes == path.stat().st_size and inputs.offset < CHUNK
