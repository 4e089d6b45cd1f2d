"""Read a folder of images with a table in it, laid out as Hugging Face's imagefolder: metadata.csv with a column file_name."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from slicebench.data.schema.kinds import IMAGE_NAMES
from slicebench.data.schema.layouts.part_folders import PARTS, add_parts
from slicebench.data.schema.roles import USUAL, parameter, plain
from slicebench.errors import DataError, did_you_mean
from slicebench.files.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


FILE_NAME = "file_name"
"""Column with the path of each image, relative to the folder of its table."""
TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
SPLITS = (*PARTS, "images", "data")
"""Names of folders that are no classes."""
SHOWN = 5
NOTES = "notes"
"""Key of `DataFrame.attrs` under which sentences are kept that say how the table was read."""

IMAGE_FOLDER = "paths are relative to the folder"
"""Key of `DataFrame.attrs` under which the path of a folder of images is kept."""


@dataclass(frozen=True)
class _Found:
    """What is in a folder: paths relative to it."""

    folder: Path
    images: tuple[PurePosixPath, ...]
    tables: tuple[PurePosixPath, ...]
    others: tuple[PurePosixPath, ...]
    has_parts: bool


def image_root(table: object, frame: pd.DataFrame) -> Path | None:
    """Return the folder that paths in a table are relative to; None for a table in memory.

    `table` is what the user gave, and `frame` what was read. It is the folder of images itself, or that of the file.
    """
    if not isinstance(table, str | Path):
        return None
    path = Path(table).expanduser()
    return path if frame.attrs.get(IMAGE_FOLDER) else path.parent


def read_image_folder(folder: Path) -> pd.DataFrame | None:
    """Return the table of a folder of images, its column file_name relative to the folder; None for Parquet parts.

    Without labels in the table, the names of the class folders are the labels if every image is in one; folders called train
    and test are the column `split`. `attrs` say so.

    Raises
    ------
    DataError
        if the folder has images, but no table that names them.

    """
    import pandas as pd

    found = _listed(folder)
    tables = _tables_of(found)
    if tables is None:
        return None
    if not tables:
        raise DataError(_without_table(found))
    frame = pd.concat([*tables.values()], ignore_index=True)
    frame.insert(0, FILE_NAME, frame.pop(FILE_NAME))
    notes = [*_left_out(frame, found, [*tables]), *_label(frame), *add_parts(frame, frame[FILE_NAME].tolist())]
    frame.attrs |= {NOTES: tuple(notes), IMAGE_FOLDER: str(folder)}
    return frame


def _listed(folder: Path) -> _Found:
    images, tables, others, has_parts = [], [], [], False
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = PurePosixPath(Path(root).relative_to(folder).as_posix())
        for name in sorted(names):
            if name in TABLES:
                tables.append(inside / name)
            elif IMAGE_NAMES.fullmatch(name) and not name.startswith("."):
                images.append(inside / name)
            elif name.endswith((".csv", ".tsv", ".json", ".jsonl", ".xlsx")):
                others.append(inside / name)
            has_parts |= name.endswith(".parquet") and name not in TABLES and not name.startswith((".", "_"))
    return _Found(folder, tuple(images), tuple(tables), tuple(others), has_parts)


def _tables_of(found: _Found) -> dict[PurePosixPath, pd.DataFrame] | None:
    """Return the tables of a folder of images; None if it holds Parquet parts instead, or nothing that is known.

    Raises `DataError` for a metadata.csv beside images that does not name them.
    """
    tables = {path: read_frame(found.folder / path) for path in found.tables}
    without = [path for path, frame in tables.items() if FILE_NAME not in frame]
    if tables and not without:
        return {path: _relative(frame, path.parent, found.folder / path) for path, frame in tables.items()}
    if found.has_parts or not found.images:
        return None
    if without:
        columns = [*map(str, tables[without[0]])]
        raise DataError(
            f"{found.folder / without[0]} has no column {FILE_NAME!r}, the path of each image relative to it; "
            f"{did_you_mean(FILE_NAME, columns)}"
        )
    return {}


def _relative(frame: pd.DataFrame, inside: PurePosixPath, where: Path) -> pd.DataFrame:
    """Return a table with paths relative to the folder of all images."""
    if frame[FILE_NAME].isna().any():
        row = int(frame[FILE_NAME].isna().to_numpy().argmax())
        raise DataError(
            f"column {FILE_NAME!r} of {where} has no value at row {row}; every row needs the path of its image"
        )
    paths = [str(inside / str(name).replace("\\", "/")) for name in frame[FILE_NAME]]
    return frame.assign(**{FILE_NAME: paths})


def _left_out(frame: pd.DataFrame, found: _Found, tables: Sequence[PurePosixPath]) -> list[str]:
    """Return a note on images of which the tables have no row."""
    named = {os.path.normpath(name) for name in frame[FILE_NAME]}
    lacking = [str(path) for path in found.images if os.path.normpath(path) not in named]
    if not lacking:
        return []
    where = " and ".join(map(str, tables[:3]))
    note = (
        f"{len(lacking):,} of {len(found.images):,} images of the folder are left out: "
        f"{where} has no row for them, such as {lacking[0]}."
    )
    return [note]


def _label(frame: pd.DataFrame) -> list[str]:
    """Add the names of the class folders as labels, if the table has none and every image is in one; return a note."""
    if any(plain(name) in USUAL["label"] for name in frame):
        return []
    classes = [_class_of(PurePosixPath(name)) for name in frame[FILE_NAME]]
    if None in classes or len({*classes}) < 2:
        return []
    frame["label"] = classes
    note = (
        f"The table has no labels: the names of the {len({*classes})} folders that the images are in are taken for them "
        f"({parameter('label')} names a column instead)."
    )
    return [note]


def _class_of(path: PurePosixPath) -> str | None:
    name = path.parent.name
    return name if name and name != ".." and name.lower() not in SPLITS else None


def _without_table(found: _Found) -> str:
    """Return the message for images without a table: what is there, what is missing, and what to do."""
    counts = Counter(_class_of(path) for path in found.images)
    classes = [name for name in counts if name is not None] if None not in counts else []
    listed = ", ".join(f"{name} ({counts[name]:,})" for name in classes[:SHOWN])
    more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
    held = f"{len(found.images):,} images" + (f" in {len(classes)} class folders, {listed}{more}" if classes else "")
    labels = "the folders are the labels" if len(classes) > 1 else "and a column label"
    columns, row = ("file_name,prediction", "") if len(classes) > 1 else ("file_name,label,prediction", ",CLASS")
    elsewhere = f" (or give {found.others[0]} itself, if it is the table)" if found.others else ""
    return (
        f"the folder {found.folder} holds {held}, but no table of what the model predicted. Write "
        f"{found.folder / TABLES[0]}{elsewhere} with a row for each image, as {columns} / {found.images[0]}{row},CLASS; "
        f"{labels}. A table in another folder needs a column of paths and {parameter('image_root', str(found.folder))}"
    )
