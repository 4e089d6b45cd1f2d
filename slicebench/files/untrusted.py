"""Open files of unknown origin safely: regular files only, and none too large for this machine.

A pipe or a device never ends; a kilobyte of Parquet or ZIP can unpack to terabytes. So every file that
this process did not just write is checked here first. Its reader detects any other fault.
"""

from __future__ import annotations

import gzip
import io
import stat
from typing import TYPE_CHECKING, Any, BinaryIO

from slicebench.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


SHARE = 0.5
"""Share of the free memory that a file may unpack to; its reader needs the rest for copies."""


def plain_file(path: Path) -> Path:
    """Return `path` if it is a regular file.

    Raises
    ------
    StorageError
        for a folder, a pipe, a device.
    OSError
        if nothing is there, or symbolic links form a loop.

    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise StorageError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'a pipe or device'}; expected a file")
    return path


def check_room(where: object, size: int) -> None:
    """Raise `StorageError` if `size` bytes are more than may be read into memory now.

    `where` names the file in the message.
    """
    import psutil

    free = psutil.virtual_memory().available
    if size > SHARE * free:
        raise StorageError(
            f"{where} unpacks to {size / 2**30:,.1f} GiB; the limit is half of the free memory, which is "
            f"{free / 2**30:.1f} GiB: split the file, or use a machine with more memory"
        )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file, or those `columns` of it.

    Raises pyarrow's errors and the same errors as `plain_file` and `check_room`.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    about = pq.read_metadata(plain_file(path))
    groups = (about.row_group(i) for i in range(about.num_row_groups))
    wide = about.num_columns if columns is None else len(columns)
    check_room(path, max(sum(group.total_byte_size for group in groups), 8 * about.num_rows * wide))
    return pd.read_parquet(path, columns=None if columns is None else list(columns))


def read_parquet_folder(folder: Path) -> pd.DataFrame:
    """Read all Parquet files of a folder as one table.

    Raises the same errors as `parquet_dataset`, pyarrow's errors, and the same errors as `check_room`.
    """
    data = parquet_dataset(folder)
    groups = [group for fragment in data.get_fragments() for group in fragment.row_groups]
    wide = len(data.schema)
    check_room(folder, max(sum(group.total_byte_size for group in groups), 8 * wide * sum(g.num_rows for g in groups)))
    table: pd.DataFrame = data.to_table().to_pandas()
    return table


def parquet_dataset(path: Path) -> Any:
    """Open a Parquet file, or all of a folder as one table, as a pyarrow Dataset; nothing but metadata is read.

    Folders called name=value in it give a column. Files may lack columns that others have. Files whose names begin with "." or
    "_" are left out, as their writers mean it.

    Raises
    ------
    DataError
        if the folder has no such file.

    Otherwise raises pyarrow's errors and the same errors as `plain_file`.
    """
    import pyarrow as pa
    import pyarrow.dataset as pads

    if not path.is_dir():
        return pads.dataset(str(plain_file(path)), format="parquet")
    files = parquet_files(path)
    if not files:
        raise DataError("it is a folder without .parquet files; name a file, or a folder that has some")
    parts = pads.partitioning(flavor="hive")
    names = [str(plain_file(file)) for file in files]
    data = pads.dataset(names, format="parquet", partitioning=parts, partition_base_dir=str(path))
    schemas = [data.schema, *(fragment.physical_schema for fragment in data.get_fragments())]
    schema = pa.unify_schemas([one.remove_metadata() for one in schemas], promote_options="permissive")
    return data.replace_schema(schema)


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder and of those in it, in the order in which they are read."""
    found = (path for path in folder.rglob("*.parquet") if not path.is_dir())
    return sorted(path for path in found if not path.name.startswith((".", "_")))


def mapped_npy(path: Path) -> NDArray[Any]:
    """Map the array of a .npy file read-only, without reading it into memory.

    Raises
    ------
    StorageError
        for any other content, including arrays of Python objects, which are pickles.

    """
    import numpy as np

    try:
        found = np.load(plain_file(path), mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise StorageError(f"cannot read {path}: there is no such file") from error
    except Exception as error:  # NumPy reads the header as Python source, which has errors of its own
        raise StorageError(
            f"cannot read {path}: {type(error).__name__}: {error}; expected a .npy file of numbers"
        ) from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise StorageError(f"{path} is an archive of arrays; expected a .npy file of numbers")
    return found


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file, or those of `names` that it has; none may be pickled.

    Raises zipfile's and NumPy's errors, and the same errors as `plain_file` and `check_room`.
    """
    import zipfile

    import numpy as np

    with zipfile.ZipFile(plain_file(path)) as archive:
        check_room(path, sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if names is None or name in names}


def opened(path: Path) -> BinaryIO:
    """Open `path` for reading, and unpack it if its name ends in ".gz".

    Raises
    ------
    StorageError
        for the same reasons as in `plain_file`; while reading, once the content exceeds the memory allowed.

    """
    plain_file(path)
    return _Unzipped(path) if path.suffix == ".gz" else path.open("rb")


class _Unzipped(io.BufferedReader):
    """Content of a .gz file, whose unpacked size is not known beforehand."""

    def __init__(self, path: Path) -> None:
        super().__init__(_Counted(path))


class _Counted(io.RawIOBase):
    STEP = 2**28

    def __init__(self, path: Path) -> None:
        self._path, self._read, self._checked = path, 0, self.STEP
        self._file = gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`, and check every 256 MiB that the content still fits into memory."""
        found: int = self._file.readinto(buffer)
        self._read += found
        if self._read >= self._checked:
            check_room(self._path, self._read)
            self._checked += self.STEP
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
