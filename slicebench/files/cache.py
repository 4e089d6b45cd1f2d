"""Locate the cache, compute content keys, and share cached files with other machines.

`$SLICEBENCH_CACHE` may be a URL. The URL is then a shared second level: frozen problems and trained
models are looked up locally, then fetched from the URL; new ones are uploaded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.atomic import write_atomically, write_text
from slicebench.files.locations import bytes_if_there, location, send

if TYPE_CHECKING:
    from upath import UPath


def cache_dir() -> Path:
    """Return the folder for built problems and trained models.

    It is `$SLICEBENCH_CACHE`, else the platform's user cache folder. If `$SLICEBENCH_CACHE` is a
    URL, it is `$SLICEBENCH_LOCAL_CACHE`, else the platform's user cache folder.
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
    """Return the second level of the cache, or None if `$SLICEBENCH_CACHE` is not a URL.

    Raises
    ------
    StorageError
        if the second level cannot be written to.

    """
    found = location(os.environ.get("SLICEBENCH_CACHE") or "")
    if isinstance(found, Path):
        return None
    _check_writable(str(found))
    return found


@cache
def _check_writable(url: str) -> None:
    """Check that the cache at `url` can be written to, once per process and before any work."""
    write_text(
        location(url) / "slicebench.txt",
        "Built problems and trained models of slicebench: docs/how-to/object-storage.md\n",
    )


def remote_copy(path: Path) -> UPath | None:
    """Return the URL at which the second level keeps `path`.

    Returns None if there is no second level, or if `path` is outside the cache folder.
    """
    remote = remote_cache()
    if remote is None or not path.is_relative_to(cache_dir()):
        return None
    return remote / path.relative_to(cache_dir()).as_posix()


def in_cache(path: Path) -> bool:
    """Check whether a file is in the cache; fetch it from the second level if need be."""
    if path.exists():
        return True
    remote = remote_copy(path)
    content = None if remote is None else bytes_if_there(remote)
    if content is None:
        return False
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return True


def share(path: Path) -> None:
    """Upload a file of the cache folder to the second level, if there is one.

    A failure is logged as a warning, not raised.
    """
    remote = remote_copy(path)
    if remote is None:
        return
    try:
        send(path, remote)
    except StorageError as error:
        logging.getLogger("slicebench").warning("not uploaded to the shared cache: %s", error)


def content_key(*parts: object) -> str:
    """Compute the first 32 hexadecimal digits of the SHA-256 of `parts`.

    Arrays are hashed by dtype, shape and bytes, everything else as JSON with sorted keys.
    """
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
