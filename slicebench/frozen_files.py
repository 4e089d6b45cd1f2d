"""The files of frozen problems: arrays, tables, ids and raw inputs, each read with an error that names the file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from slicebench.split import Inputs

CHUNK = 4096
"""Raw inputs that are copied together."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to a safetensors file."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named arrays of a safetensors file."""
    from safetensors.numpy import load_file

    with readable(path):
        arrays: dict[str, NDArray[Any]] = load_file(path)
    return arrays


def read_table(path: Path) -> Any:
    """DataFrame of a Parquet file."""
    import pandas as pd

    with readable(path):
        return pd.read_parquet(path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; delete the folder and build it again") from error


@contextmanager
def intact(folder: Path) -> Iterator[None]:
    """Name the folder whose files can be read but do not fit together."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise StorageError(f"{folder} is damaged: {error}; delete it and build it again") from error


def ids_to_bytes(ids: NDArray[np.str_]) -> NDArray[np.uint8]:
    """UTF-8 of each id in a row of fixed width: an array reads ten times faster than a Parquet column of strings."""
    encoded = np.char.encode(ids, "utf-8")
    return encoded.view(np.uint8).reshape(len(ids), encoded.itemsize)


def ids_from_bytes(rows: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Undo `ids_to_bytes`."""
    return np.char.decode(np.ascontiguousarray(rows).view(f"S{rows.shape[1]}").ravel(), "utf-8")


def read_text(path: Path) -> str:
    """Text of a file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error


def write_inputs(path: Path, inputs: Inputs) -> None:
    """Write raw arrays in NumPy's format, a chunk at a time; a whole memory map of such a file is linked instead."""
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
    """Raw arrays, mapped into memory: what nobody asks for is not read."""
    with readable(path):
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _is_whole_file(inputs: Inputs) -> bool:
    """Whether `inputs` map all of a .npy file, and in its order."""
    if not isinstance(inputs, np.memmap) or not inputs.flags.c_contiguous or inputs.filename is None:
        return False
    path = Path(inputs.filename)
    return path.suffix == ".npy" and inputs.offset + inputs.nbytes == path.stat().st_size and inputs.offset < CHUNK
