"""Fingerprints of files that somebody else may replace: they say whether the content is still the same.

A file's fingerprint is the SHA-256 of its content. It is remembered in the cache under the file's path,
size, times and inode, so a large file is read once and not again until one of them changes. A pattern
that matches many files, such as the images of a folder, is fingerprinted by their names, sizes and
modification times: reading a million images would take longer than the run.
"""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files.atomic import write_text
from slicebench.files.cache import cache_dir, content_key
from slicebench.files.untrusted import plain_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


MANY = 1000
"""Largest number of files of one pattern whose content is read."""

BELOW = "**/*"
"""Pattern of all files below a folder."""

SETTLED_NS = 2 * 10**9
"""Age at which a file is remembered; a younger one could change within one tick of the file system's clock."""

LARGE = 2**30
"""Size in bytes from which reading a file is announced."""


@dataclass(frozen=True)
class Source:
    """Files that are read: those in `folder` that match `pattern`, which may hold "*".

    Parameters
    ----------
    folder : Path
        The files may lie in folders below it.
    pattern : str
        Relative to `folder`.
    parameter : str, optional
        Name of the parameter that gave the folder. It tells apart patterns of several folders.

    """

    folder: Path
    pattern: str
    parameter: str = ""

    @classmethod
    def at(cls, path: str | Path, parameter: str = "") -> Source:
        """Return the source of one file, or of all files below a folder."""
        place = Path(path).expanduser()
        return cls(place, BELOW, parameter) if place.is_dir() else cls(place.parent, place.name, parameter)

    def of(self, parameter: str) -> Source:
        """Return the same files, as those of a parameter."""
        return replace(self, parameter=parameter)

    @property
    def name(self) -> str:
        """Name without the folder, so that it is the same on every machine."""
        return f"{self.parameter}: {self.pattern}" if self.parameter else self.pattern

    def files(self) -> Iterator[Path]:
        """Yield the files, in any order."""
        one = self.folder / self.pattern
        if one.is_file():
            yield one
        elif "*" in self.pattern:
            yield from (path for path in self.folder.glob(self.pattern) if path.is_file())


def fingerprint(source: Source) -> str:
    """Return the fingerprint of the files of `source`.

    It is "sha256:" and the SHA-256 of the file. Several files have that of the list of their names and
    SHA-256. More than `MANY` have "listing:" and the SHA-256 of the list of their names, sizes and
    modification times.

    Raises
    ------
    StorageError
        if there are no such files, or one cannot be read.

    """
    try:
        files = [*source.files()]
        if not files:
            raise StorageError(f"there is no file {source.folder / source.pattern}; put it there, or correct the path")
        if files == [source.folder / source.pattern]:
            return f"sha256:{_digest(files[0])}"
        tell = _digest if len(files) <= MANY else _size_and_time
        lines = sorted(f"{path.relative_to(source.folder).as_posix()}\0{tell(path)}" for path in files)
    except OSError as error:
        where = error.filename or source.folder
        raise StorageError(f"cannot read {where}: {error.strerror or error}; check its permissions") from error
    kind = "sha256" if len(files) <= MANY else "listing"
    listed = "\n".join(lines).encode(errors="surrogateescape")
    return f"{kind}:{hashlib.sha256(listed).hexdigest()}"


def _size_and_time(path: Path) -> str:
    about = path.stat()
    return f"{about.st_size} {about.st_mtime_ns}"


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, from the cache if the file has not changed since it was read."""
    before = plain_file(path).stat()
    key = content_key(str(path.resolve()), *_state(before))
    memory = cache_dir() / "fingerprints" / key[:2] / key
    with suppress(OSError):
        if len(known := memory.read_text(encoding="ascii")) == 64:
            return known
    if before.st_size >= LARGE:
        logging.getLogger("slicebench").info("reading %s once, for its checksum", path)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    settled = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > SETTLED_NS
    if settled and _state(path.stat()) == _state(before):
        with suppress(StorageError):  # a full or read-only cache costs time, not the result
            write_text(memory, found)
    return found


def _state(about: os.stat_result) -> tuple[int, ...]:
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, about.st_dev
