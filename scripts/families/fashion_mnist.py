"""Make the pack `fashion_mnist`: pictures of garments, from the Debian package dataset-fashion-mnist."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, reduced
from _encoders import efficientnet_lite0

if TYPE_CHECKING:
    from pathlib import Path

GARMENTS = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
EACH = 800
"""Images of each garment, those that come first in the published train files."""


def make(family: Family) -> None:
    folder = family.package("dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
    pixels = read_idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz", 8)
    rows = distinct_rows(pixels)
    rows = np.sort(np.concatenate([rows[labels[rows] == k][:EACH] for k in range(len(GARMENTS))]))
    images = pixels[rows]
    features = efficientnet_lite0(family, images, side=96)
    family.write(
        pd.DataFrame({"garment": [GARMENTS[k] for k in labels[rows]], "position": rows.astype(np.int32)}),
        images=images,
        vectors={"efficientnet-lite0": reduced(features, np.arange(len(rows)))},
    )


def read_idx(path: Path, header: int) -> np.ndarray:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)


if __name__ == "__main__":
    main("fashion_mnist", make)
