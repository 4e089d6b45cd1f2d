"""Upload and fetch frozen problems in object stores: the same files under a URL.

`problem.json` is uploaded last, with the digests of the other files. Without it there is no problem.
A problem is fetched exactly as it was uploaded, or there is an error.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files import atomic
from slicebench.files.arrays import readable
from slicebench.files.locations import fetch_all, listed, send, send_all
from slicebench.problems.frozen import HEADER, load_header, move_problem, parse_header
from slicebench.problems.frozen_files import stamp

if TYPE_CHECKING:
    from upath import UPath


class DamagedError(StorageError):
    """A problem in an object store whose files do not match its `problem.json`."""


def send_problem(folder: Path, target: UPath) -> None:
    """Upload the frozen problem in `folder`, replacing any at `target`."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != HEADER)
    header = load_header(folder).model_copy(update={"files": {name: _digest(folder / name) for name in names}})
    send_all(folder, target, names)
    with tempfile.TemporaryDirectory(prefix="slicebench-") as temporary:
        described = Path(temporary) / HEADER
        described.write_text(header.model_dump_json(indent=1), encoding="utf-8")
        send(described, target / HEADER)


def fetch_problem(source: UPath, folder: Path) -> bool:
    """Download a frozen problem to `folder`, complete or not at all.

    Returns False if there is none at `source`.

    Raises
    ------
    DamagedError
        if the files do not fit together.
    StorageError
        if they cannot be fetched.

    """
    sizes = listed(source)
    if HEADER not in sizes:
        return False
    with atomic.folder(folder, move_problem) as building:
        try:
            fetch_all(source, building, [HEADER, *(name for name in sizes if name != HEADER)])
        except FileNotFoundError as error:
            raise DamagedError(f"{source} changed while it was read: {error}") from error
        _check(source, building, sizes)
    return True


def _check(source: UPath, folder: Path, sizes: dict[str, int]) -> None:
    """Raise `DamagedError` unless all files are there and are what was uploaded.

    For a problem that was uploaded by hand, only sizes can be compared.
    """
    header = parse_header(source, (folder / HEADER).read_bytes())
    digests = {name: said for name, said in (header.files or {}).items() if name != HEADER}
    needed = {"truth/truth.json", "truth/truth.safetensors", *(f"data/{name}.safetensors" for name in header.splits)}
    for name in sorted(needed | set(digests) | set(sizes)):
        path = folder / name
        whole = path.is_file() and path.stat().st_size == sizes[name]
        if not whole or (name in digests and digests[name] not in (_digest(path), stamp(path))):
            raise DamagedError(
                f"{source / name} is missing or differs from what was uploaded; upload the problem again"
            )


def _digest(path: Path) -> str:
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
