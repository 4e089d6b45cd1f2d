"""Frozen problems as one run of bytes, for workers that do not see the folder: a plain archive, without compression."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from pathlib import Path

from slicebench.errors import StorageError
from slicebench.frozen import move_problem

_MOMENT = (1980, 1, 1, 0, 0, 0)  # of every file, so that the same files make the same bytes


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
    """Make `folder` of what `pack` returned; it appears complete or not at all, and an existing one is left as it is.

    Raises
    ------
    StorageError
        if the bytes did not arrive as they were sent.

    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(building)
        building.chmod(0o755)
        move_problem(building, folder)
    except zipfile.BadZipFile as error:
        raise StorageError(f"the problem that was sent for {folder} is damaged: {error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def content_hash(data: bytes) -> str:
    """32 hex digits of the bytes."""
    return hashlib.sha256(data).hexdigest()[:32]
