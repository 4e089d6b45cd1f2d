"""Read and write named arrays in safetensors files, small ones whole and large ones mapped.

Small arrays, such as a cell's scores, may be at a path or a URL. `write_arrays` writes them and
texts into one file that appears complete or not at all; the same content gives the same bytes.
`read_arrays` reads the whole file, and `parse_arrays` does so for bytes that are already in memory.

Large arrays, such as a split's embeddings, are in a local folder. `write_mappable` writes them while
that folder is being filled. `map_arrays` maps them: only what is used is read, and processes share
it.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

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
    """Write small arrays and texts by name, with a checksum; arrays that are None are left out.

    Readers see the whole file or none of it. The same content gives the same bytes every time.
    """
    from safetensors.numpy import save

    present = _contiguous(arrays)
    content = _in_order(save(present, metadata | {CHECKSUM: _checksum(present, metadata)}))
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _in_order(content: bytes) -> bytes:
    """Sort the metadata of a safetensors file by name; the library's order changes from process to process."""
    header, end = _header(BytesIO(content))
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    described = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    described += b" " * (-len(described) % 8)  # so that arrays begin at a multiple of their item size
    return len(described).to_bytes(8, "little") + described + content[end:]


def read_arrays(path: Location, remedy: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read what `write_arrays` wrote: arrays and texts.

    Files of older versions have no checksum and are not checked.

    Raises
    ------
    StorageError
        if the file cannot be read, or its content is not what was written; the message ends with `remedy`, what the user can do.

    """
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise StorageError(f"cannot read {path}: there is no such file; {remedy}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}; {remedy}") from error
    return parse_arrays(path, content, remedy)


def parse_arrays(path: Location, content: bytes, remedy: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Parse the `content` of the file `path`.

    Raises the same errors as `read_arrays`.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        header, _ = _header(BytesIO(content))
    except (SafetensorError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; {remedy}") from error
    metadata = dict(header.get("__metadata__") or {})
    expected = metadata.pop(CHECKSUM, None)
    if expected is not None and expected != _checksum(arrays, metadata):
        raise StorageError(f"{path} is damaged: its content is not what was written (the checksum differs); {remedy}")
    return arrays, metadata


def _checksum(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of names, types, shapes, values and texts."""
    ordered = sorted(arrays.items())
    described = [sorted(metadata.items()), [(name, a.dtype.str, a.shape) for name, a in ordered]]
    digest = hashlib.sha256(json.dumps(described).encode())
    for _, array in ordered:
        digest.update(array.tobytes())
    return digest.hexdigest()


CHECKSUM = "sha256"
"""Name of the checksum among the texts of a file."""

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
"""NumPy's names of safetensors' types."""


def write_mappable(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write large arrays to a local file.

    The file is visible before it is complete, unlike a folder made by `slicebench.files.atomic`.
    """
    from safetensors.numpy import save_file

    save_file(_contiguous(arrays), path)
    path.chmod(0o644)  # safetensors' own mode would lock colleagues out


def map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Map what `write_mappable` wrote into memory, read-only.

    Raises
    ------
    StorageError
        if the file cannot be read.

    """
    from safetensors import safe_open

    with readable(path):
        with safe_open(path, framework="np"):  # raises unless the header is sound and describes the whole file
            pass
        with path.open("rb") as file:
            header, start = _header(file)
        whole = np.memmap(path, dtype=np.uint8, mode="r", offset=start) if _bytes_of(header) else np.empty(0, "u1")
        return {name: _array(whole, about) for name, about in header.items() if name != "__metadata__"}


def _contiguous(arrays: Mapping[str, NDArray[Any] | None]) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(value) for name, value in arrays.items() if value is not None}


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the header of a safetensors file, and the position at which its arrays begin."""
    length = int.from_bytes(file.read(8), "little")
    header: dict[str, Any] = json.loads(file.read(length))
    return header, 8 + length


def _bytes_of(header: dict[str, Any]) -> int:
    return max((about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"), default=0)


def _array(whole: NDArray[np.uint8], about: dict[str, Any]) -> NDArray[Any]:
    start, end = about["data_offsets"]
    return whole[start:end].view(DTYPES[about["dtype"]]).reshape(about["shape"])


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn every error of reading the file `path` into a `StorageError` that names it."""
    from pyarrow import ArrowException
    from safetensors import SafetensorError

    try:
        plain_file(path)
        yield
    except (SafetensorError, ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise StorageError(f"cannot read {path}: {error}; delete the folder and build it again") from error


def read_text(path: Location) -> str:
    """Return the text of a file."""
    try:
        return read_bytes(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error
