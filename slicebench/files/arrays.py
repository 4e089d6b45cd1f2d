"""Arrays in safetensors files: small ones read whole from anywhere, large ones mapped from a local file."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.atomic import write_atomically
from slicebench.files.locations import read_bytes
from slicebench.files.untrusted import plain_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.files.locations import Location


def write_arrays(path: Location, arrays: Mapping[str, NDArray[Any] | None], metadata: dict[str, str]) -> None:
    """Write those `arrays` that there are to a safetensors file, complete or not at all, and the same bytes every time."""
    from safetensors.numpy import save

    present = {name: np.ascontiguousarray(value) for name, value in arrays.items() if value is not None}
    content = _in_order(save(present, metadata))
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata in the order of their names; the library's order changes from process to process."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    described = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    described += b" " * (-len(described) % 8)  # so that numbers begin at a multiple of their size
    return len(described).to_bytes(8, "little") + described + content[end:]


REMEDY = "delete the records beside it and run again"


def read_arrays(path: Location, remedy: str = REMEDY) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and metadata of a safetensors file; `StorageError` with `remedy` if it cannot be read."""
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise StorageError(f"cannot read {path}: there is no such file; {remedy}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}; {remedy}") from error
    return parse_arrays(path, content, remedy)


def parse_arrays(
    path: Location, content: bytes, remedy: str = REMEDY
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and metadata of the safetensors file `path`, as read; errors as of `read_arrays`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (SafetensorError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; {remedy}") from error
    return arrays, header.get("__metadata__") or {}


DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
"""NumPy's names of safetensors' types."""


def write_mappable(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to a safetensors file."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)
    path.chmod(0o644)  # safetensors' own mode would lock colleagues out


def map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named arrays of a safetensors file, mapped into memory: what nobody asks for is not read, and processes share the rest."""
    from safetensors import safe_open

    with readable(path):
        with safe_open(path, framework="np"):  # raises unless the header is sound and describes the whole file
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        whole = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length) if _bytes_of(header) else np.empty(0, "u1")
        return {name: _array(whole, about) for name, about in header.items() if name != "__metadata__"}


def _bytes_of(header: dict[str, Any]) -> int:
    return max((about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"), default=0)


def _array(whole: NDArray[np.uint8], about: dict[str, Any]) -> NDArray[Any]:
    start, end = about["data_offsets"]
    return whole[start:end].view(DTYPES[about["dtype"]]).reshape(about["shape"])


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    from pyarrow import ArrowException
    from safetensors import SafetensorError

    try:
        plain_file(path)
        yield
    except (SafetensorError, ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise StorageError(f"cannot read {path}: {error}; delete the folder and build it again") from error


def read_text(path: Location) -> str:
    """Text of a file."""
    try:
        return read_bytes(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error
