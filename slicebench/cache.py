"""The cache folder, content keys and atomic files: what is built once is found again, and never half-written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def cache_dir() -> Path:
    """Folder for built problems and trained models: `$SLICEBENCH_CACHE`, else the platform's user cache folder."""
    named = os.environ.get("SLICEBENCH_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("slicebench")


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


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8: readers see all of it or nothing."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file beside `path`, then move it there: readers see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)  # mkstemp's own mode would lock colleagues out
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
