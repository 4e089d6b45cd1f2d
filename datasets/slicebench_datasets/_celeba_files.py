"""CelebA's files: the official archive and Hugging Face's Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, StorageError
from slicebench.files.image_arrays import ImageFiles, ParquetImages
from slicebench.files.untrusted import read_npz
from slicebench_datasets._tables import distinct, read_csv, read_parquet, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.files.image_arrays import EncodedImages
    from slicebench.plugins.dataset_card import Place

ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose", "Black_Hair",
    "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair",
    "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face",
    "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair",
    "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Faces:
    """All faces, in the order of the files.

    Attributes
    ----------
    ids : (n,) strings
    attributes : mapping of name to (n,) bool
    rows : mapping of official split ("train", "valid", "test") to its rows
    images : callable
        Returns the encoded images at given rows.

    """

    ids: NDArray[np.str_]
    attributes: dict[str, NDArray[np.bool_]]
    rows: dict[str, NDArray[np.intp]]
    images: Callable[[NDArray[np.intp]], EncodedImages]


def read_faces(place: Place, attributes: Sequence[str]) -> Faces:
    """Read the `attributes` from the tables of the layout that was found.

    Raises
    ------
    StorageError
        with file and row of the first invalid value.

    """
    return _from_parquet(place, attributes) if "parquet" in place.layout else _official(place, attributes)


def published_rows(path: str, place: Place, official: dict[str, NDArray[np.intp]]) -> dict[str, NDArray[np.intp]]:
    """Read rows of train, val and perhaps pool from published indices into the official train and valid splits.

    Raises
    ------
    ConfigError
        for data whose order may not be the official one.
    StorageError
        for a file that cannot be read, or that holds indices of other data.

    """
    if "parquet" in place.layout:
        raise ConfigError(
            "celeba: indices refer to the official order, which Parquet files need not have; use the official archive"
        )
    of = {"train": official["train"], "val": official["valid"], "pool": official["train"]}
    try:
        return {name: of[name][rows] for name, rows in read_npz(Path(path), tuple(of)).items()}
    except Exception as error:  # each broken field of an archive has an error of its own
        raise StorageError(
            f"cannot use the indices {path}: {error}; expected .npz with train, val and perhaps pool"
        ) from error


def _official(place: Place, attributes: Sequence[str]) -> Faces:
    table_path, parts_path = place.file("list_attr_celeba.txt"), place.file("list_eval_partition.txt")
    expected = _announced(table_path)
    table = read_csv(table_path, ["image", *attributes], sep=r"\s+", skiprows=2, names=["image", *_header(table_path)])
    if len(table) != expected:
        raise StorageError(f"{table_path} announces {expected:,} rows but has {len(table):,}; fetch it again")
    parts = read_csv(parts_path, ["image", "part"], sep=r"\s+", header=None, names=["image", "part"])
    names = distinct(table_path, table["image"])
    if not np.array_equal(names, distinct(parts_path, parts["image"])):
        raise StorageError(
            f"{parts_path} does not list the same images in the same order as {table_path}; fetch both again"
        )
    of = whole_numbers(parts_path, parts["part"], 0, 2)
    return Faces(
        ids=names,
        attributes={name: _booleans(table_path, table[name]) for name in attributes},
        rows={part: np.flatnonzero(of == i) for i, part in enumerate(PARTS)},
        images=lambda rows: ImageFiles(place.folder / "img_align_celeba", names[rows].tolist()),
    )


def _from_parquet(place: Place, attributes: Sequence[str]) -> Faces:
    import pandas as pd

    paths = {part: place.files(f"{part}-*.parquet") for part in PARTS}
    tables = {part: read_parquet(found, attributes) for part, found in paths.items()}
    ends = np.cumsum([0, *map(len, tables.values())])
    whole, every = pd.concat(tables.values(), ignore_index=True), [path for found in paths.values() for path in found]
    return Faces(
        ids=np.array([f"{part}-{i:06d}" for part, table in tables.items() for i in range(len(table))]),
        attributes={name: _booleans(every[0], whole[name]) for name in attributes},
        rows={part: np.arange(ends[i], ends[i + 1]) for i, part in enumerate(PARTS)},
        images=lambda rows: ParquetImages(every, "image", rows),
    )


def _booleans(path: Path, values: pd.Series[Any]) -> NDArray[np.bool_]:
    """Convert an attribute as published, 1 and -1 or true and false."""
    if values.dtype == bool:
        return np.asarray(values, dtype=bool)
    numbers = whole_numbers(path, values, -1, 1)
    if (numbers == 0).any():
        row = int(np.argmax(numbers == 0))
        raise StorageError(f"{path}: {values.name} is 0 at row {row}; expected 1 or -1")
    return np.asarray(numbers == 1)


def _announced(path: Path) -> int:
    """Read the number of rows from the first line of the table of attributes."""
    first = _lines(path)[0].strip()
    if not first.isdecimal():
        raise StorageError(f"{path} begins with {first[:40]!r}; expected the number of images; fetch it again")
    return int(first)


def _header(path: Path) -> list[str]:
    names = _lines(path)[1].split()
    if unknown := [name for name in names if name not in ATTRIBUTES]:
        raise StorageError(
            f"{path} names the attribute {unknown[0]!r} in line 2; expected one of CelebA's 40 attributes; fetch it again"
        )
    return names


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            return [file.readline(), file.readline()]
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: {error}; fetch it again") from error
