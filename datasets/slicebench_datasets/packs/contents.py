"""The files of a pack, read and checked against the checksums on its card."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.arrays import read_arrays
from slicebench.files.untrusted import plain_file, read_parquet
from slicebench_datasets.packs.card import FOLDER, IMAGES, TABLE, VECTORS, read_card

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench_datasets.packs.card import Sheet

REMEDY = "install slicebench again"


@lru_cache(maxsize=2)
def read_table_of(name: str) -> pd.DataFrame:
    """Read the table of the pack `name`: a row per example.

    Raises
    ------
    StorageError
        if the file is missing or damaged.

    """
    return read_parquet(_checked(name, TABLE))


def column_types(name: str) -> dict[str, str]:
    """Return the columns of a pack's table with their types in the vocabulary of schema.org."""
    from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype

    kinds = ((is_bool_dtype, "sc:Boolean"), (is_integer_dtype, "sc:Integer"), (is_float_dtype, "sc:Float"))
    return {
        str(column): next((said for is_kind, said in kinds if is_kind(values)), "sc:Text")
        for column, values in read_table_of(name).items()
    }


@lru_cache(maxsize=2)
def read_images_of(name: str) -> NDArray[np.uint8]:
    """Read the images of a pack, (n, side, side) or (n, side, side, 3).

    Raises the same errors as `read_table_of`.
    """
    from PIL import Image, UnidentifiedImageError

    sheet = read_card(name).images
    assert sheet is not None, f"the card of {name} has images"
    path = _checked(name, IMAGES)
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise StorageError(f"cannot read {path}: {error}; {REMEDY}") from error
    return cut_sheet(pixels, sheet, len(read_table_of(name)))


def cut_sheet(pixels: NDArray[np.uint8], sheet: Sheet, n: int) -> NDArray[np.uint8]:
    """Cut a sheet (height, width, 3) into its first n images."""
    s, across = sheet.side, sheet.across
    down = -(-n // across)
    cut = pixels[: down * s, : across * s].reshape(down, s, across, s, 3).swapaxes(1, 2).reshape(-1, s, s, 3)[:n]
    return np.ascontiguousarray(cut[..., 0] if sheet.channels == 1 else cut)


def read_vectors_of(name: str, which: str) -> NDArray[np.float32]:
    """Read the vectors `which` of a pack, (n, d).

    Raises the same errors as `read_table_of`.
    """
    vectors: NDArray[np.float32] = _all_vectors(name)[which].astype(np.float32)
    return vectors


@lru_cache(maxsize=2)
def _all_vectors(name: str) -> dict[str, NDArray[Any]]:
    arrays, _ = read_arrays(_checked(name, VECTORS), REMEDY)
    return arrays


def _checked(name: str, file: str) -> Path:
    """Return the path of a file whose checksum is that on the card."""
    path = FOLDER / name / file
    try:
        with plain_file(path).open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}; {REMEDY}") from error
    if found != read_card(name).files.get(file):
        raise StorageError(f"{path} is not the file that its card describes (the checksum differs); {REMEDY}")
    return path
