"""Pack frozen problems as bytes, for workers that cannot read the folder.

The format is a ZIP archive without compression.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files import atomic
from slicebench.problems.frozen import move_problem

if TYPE_CHECKING:
    from pathlib import Path


_MOMENT = (1980, 1, 1, 0, 0, 0)  # time of every file, so that the same files give the same bytes


def pack(folder: Path) -> bytes:
    """Return every file of `folder` as a ZIP archive; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _MOMENT)
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 2**20)
    return out.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Unpack what `pack` returned into `folder`, which appears complete or not at all.

    An existing folder does not change.

    Raises
    ------
    StorageError
        if the bytes were damaged on the way.

    """
    with atomic.folder(folder, move_problem) as building:
        _extract(data, building, folder)


def _extract(data: bytes, building: Path, folder: Path) -> None:
    """Unpack the archive into `building`; ZipFile itself keeps all files inside.

    An archive of `pack` is not compressed, so its content cannot be larger than the archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
            if claimed <= len(data):
                archive.extractall(building)
    except Exception as error:  # each broken field of an archive has an error of its own
        why = str(error) or type(error).__name__
        raise StorageError(f"the problem sent for {folder} is damaged: {why}") from error
    if claimed > len(data):
        raise StorageError(f"the problem sent for {folder} is damaged: it claims to hold more bytes than were sent")


def content_hash(data: bytes) -> str:
    """Return 32 hex digits of the bytes' hash."""
    return hashlib.sha256(data).hexdigest()[:32]
