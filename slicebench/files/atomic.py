"""Write files and folders that appear complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files.locations import write_remotely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slicebench.files.locations import Location


def write_text(path: Location, text: str) -> None:
    """Write `text` as UTF-8; readers see all of it or nothing."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_atomically(path: Location, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file, then move it to `path`, or upload it.

    Readers see the whole file or none of it.

    Raises
    ------
    StorageError
        if the file cannot be written, e.g. because the disk is full or the folder is read-only.

    """
    if not isinstance(path, Path):
        write_remotely(path, write)
        return
    from safetensors import SafetensorError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp", delete=False
        ) as held:
            _lock(held.fileno())  # until it has been moved into place: see `sweep`
            temporary = Path(held.name)
            try:
                write(temporary)
                temporary.chmod(0o644)  # the temporary file's own mode would lock colleagues out
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except StorageError:
        raise
    except (OSError, SafetensorError) as error:
        raise StorageError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def folder(place: Path, move: Callable[[Path, Path], object] = Path.replace) -> Iterator[Path]:
    """Yield an empty folder beside `place`, and `move` it to `place` at the end.

    After an error, nothing is left behind. `move` is called with both folders. By default it fails
    if `place` exists and is not an empty folder. Errors of the operating system are raised
    unchanged.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "new"
    >>> with folder(place) as building:
    ...     _ = (building / "data.txt").write_text("whole")
    >>> [file.name for file in place.iterdir()]
    ['data.txt']
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        yield building
        building.chmod(0o755)  # the temporary folder's own mode would lock colleagues out
        move(building, place)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Delete the temporary files below `folder` whose writer was killed.

    Files that a running process is still writing are locked, and stay.
    """
    for leftover in folder.glob("**/.*.tmp"):
        with suppress(OSError), leftover.open("rb") as file:
            _lock(file.fileno())
            leftover.unlink(missing_ok=True)


def _lock(number: int) -> None:
    """Lock an open file for this process.

    The lock ends with the process. Raises `BlockingIOError` if another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
