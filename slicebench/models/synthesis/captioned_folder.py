"""Folders of images with captions, in the layout of Hugging Face's imagefolder: a metadata file beside the images."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from slicebench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


METADATA = ("metadata.csv", "metadata.jsonl")


def captioned_files(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each text, each file once, in the order of the metadata.

    Raises
    ------
    StorageError
        for a folder or metadata that are missing or cannot be read, a line without file or text,
        and a file that is missing or outside the folder.

    """
    if not folder.is_dir():
        raise StorageError(f"there is no folder {folder}; expected one of images with {' or '.join(METADATA)}")
    present = [folder / name for name in METADATA if (folder / name).is_file()]
    if len(present) != 1:
        raise StorageError(f"{folder} has {len(present)} of the files {' and '.join(METADATA)}; expected exactly one")
    home = folder.resolve()
    found: dict[str, dict[Path, None]] = {}
    for line, row in _rows(present[0]):
        where = f"{present[0]}, line {line}"
        name, text = (_cell(where, row, column) for column in ("file_name", "text"))
        found.setdefault(text, {})[_inside(where, home, name)] = None
    if not found:
        raise StorageError(f"{present[0]} lists no images; expected a line for each, with file_name and text")
    return {text: list(files) for text, files in found.items()}


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the line number and content of each entry."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                reader = csv.DictReader(file, strict=True)
                yield from ((reader.line_num, row) for row in reader)
            else:
                yield from ((i, json.loads(line)) for i, line in enumerate(file, start=1) if line.strip())
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise StorageError(f"cannot read {path}: {error}; expected UTF-8 with file_name and text") from error


def _cell(where: str, row: Any, column: str) -> str:
    value = row.get(column) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value.strip():
        there = ", ".join(map(str, row)) if isinstance(row, dict) else "no columns"
        raise StorageError(f"{where} has no {column}; expected file_name and text, found {there}")
    return value.strip()


def _inside(where: str, folder: Path, name: str) -> Path:
    """Return the file `name`, which must lie in `folder` once links are followed.

    `folder` is a path without links.
    """
    try:
        path = (folder / name).resolve()
        inside, there = path.is_relative_to(folder), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null character, links in a circle
        raise StorageError(f"{where}: {name!r} cannot be a file ({error})") from error
    if not inside:
        raise StorageError(f"{where}: {name!r} lies outside {folder}; move the image into the folder")
    if not there:
        raise StorageError(f"{where}: there is no file {name!r} in {folder}; add it, or delete the line")
    return path
