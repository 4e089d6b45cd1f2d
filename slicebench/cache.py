"""The cache folder, content keys and atomic files: what is built once is found again, and never half-written.

`$SLICEBENCH_CACHE` may be a URL. It is a second level then: what is worth it (frozen problems, trained models) is looked for in
the cache folder of this machine, fetched from the URL if it is not there, and uploaded once it is made.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import StorageError
from slicebench.locations import bytes_if_there, location, send, write_remotely

if TYPE_CHECKING:
    from collections.abc import Callable

    from upath import UPath

    from slicebench.locations import Location


def cache_dir() -> Path:
    """Folder for built problems and trained models: `$SLICEBENCH_CACHE`, else the platform's user cache folder.

    If `$SLICEBENCH_CACHE` is a URL: `$SLICEBENCH_LOCAL_CACHE`, else the platform's user cache folder.
    """
    named = os.environ.get("SLICEBENCH_CACHE")
    if named and isinstance(found := location(named), Path):
        return found
    local = os.environ.get("SLICEBENCH_LOCAL_CACHE") if named else None
    if local:
        return Path(local)
    from platformdirs import user_cache_path

    return user_cache_path("slicebench")


def remote_cache() -> UPath | None:
    """The second level of the cache, if `$SLICEBENCH_CACHE` is a URL.

    Raises
    ------
    StorageError
        if it cannot be written to.

    """
    found = location(os.environ.get("SLICEBENCH_CACHE") or "")
    if isinstance(found, Path):
        return None
    _check_writable(str(found))
    return found


@cache
def _check_writable(url: str) -> None:
    """Once in a process, and before any work."""
    write_text(location(url) / "slicebench.txt", "Built problems and trained models of slicebench: docs/storage.md\n")


def remote_copy(path: Path) -> UPath | None:
    """Where the second level, if there is one, keeps what lies at `path` in the cache folder."""
    remote = remote_cache()
    if remote is None or not path.is_relative_to(cache_dir()):
        return None
    return remote / path.relative_to(cache_dir()).as_posix()


def in_cache(path: Path) -> bool:
    """Whether a file of the cache folder is there, fetched from the second level if it must be."""
    if path.exists():
        return True
    remote = remote_copy(path)
    content = None if remote is None else bytes_if_there(remote)
    if content is None:
        return False
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return True


def share(path: Path) -> None:
    """Upload a file of the cache folder to the second level, if there is one; a failure is told, and costs nothing else."""
    remote = remote_copy(path)
    if remote is None:
        return
    try:
        send(path, remote)
    except StorageError as error:
        logging.getLogger("slicebench").warning("not shared: %s", error)


def content_key(*parts: object) -> str:
    """Hexadecimal SHA-256 (first 32 digits) of arrays by dtype, shape and bytes, and of everything else as sorted JSON."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(
                np.ascontiguousarray(part).data if part.dtype.kind != "U" else "\0".join(part.tolist()).encode()
            )
        else:
            digest.update(json.dumps(part, sort_keys=True, allow_nan=False).encode())
        digest.update(b"\x1f")
    return digest.hexdigest()[:32]


def write_text(path: Location, text: str) -> None:
    """Write `text` as UTF-8: readers see all of it or nothing."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_atomically(path: Location, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file, then move it to `path`, or upload it: readers see all of it or nothing.

    Raises
    ------
    StorageError
        if that cannot be: the disk is full, the folder may not be written to.

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
            _lock(held.fileno())  # until it is in its place: see `sweep`
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


def sweep(folder: Path) -> None:
    """Delete the temporary files below `folder` whose writer was killed; those of a process that is still writing are locked."""
    for leftover in folder.glob("**/.*.tmp"):
        with suppress(OSError), leftover.open("rb") as file:
            _lock(file.fileno())
            leftover.unlink(missing_ok=True)


def _lock(number: int) -> None:
    """Lock an open file for this process, which its end undoes; `BlockingIOError` if another one has it."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
