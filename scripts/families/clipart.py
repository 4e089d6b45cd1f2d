"""Make the pack `clipart`: drawings of animals, food, people and vehicles, from the Debian package openclipart-png."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, reduced
from _encoders import efficientnet_lite0
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = {"animals": "animal", "food": "food", "people": "person", "transportation": "transport", "plants": "plant"}
LEFT_OUT = ("smilies",)
LARGE, SIDE = 128, 48
MOST_BYTES = 1_000_000
"""Larger files are posters of up to 600 million pixels; they are left out."""
Image.MAX_IMAGE_PIXELS = 40_000_000


def make(family: Family) -> None:
    home = family.package("openclipart-png") / "usr/share/openclipart/png"
    rows, large = [], []
    for folder, kind in CLASSES.items():
        for file in sorted((home / folder).rglob("*.png")):
            parts = file.relative_to(home / folder).parts
            if parts[0] in LEFT_OUT or file.stat().st_size > MOST_BYTES:
                continue
            large.append(squared(file))
            rows.append({"kind": kind, "topic": parts[0] if len(parts) > 1 else "other", "file": file.stem})
    pixels = np.stack(large)
    table = pd.DataFrame(rows)
    small = np.stack([np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BOX)) for one in pixels])
    chosen = distinct_rows(small)
    table = table.iloc[chosen].reset_index(drop=True)
    table["series"] = series(small[chosen], table["file"])
    features = efficientnet_lite0(family, pixels[chosen])
    family.write(
        table.drop(columns="file"),
        images=small[chosen],
        vectors={"efficientnet-lite0": reduced(features, np.arange(len(features)))},
    )


def squared(file: Path) -> np.ndarray:
    """Return the drawing on white, centred in a square of 128 pixels."""
    with Image.open(file) as image:
        rgba = image.convert("RGBA")
    rgba.thumbnail((LARGE, LARGE), Image.Resampling.BICUBIC)
    ground = Image.new("RGBA", (LARGE, LARGE), "white")
    ground.alpha_composite(rgba, ((LARGE - rgba.width) // 2, (LARGE - rgba.height) // 2))
    return np.asarray(ground.convert("RGB"))


def series(images: np.ndarray, names: pd.Series) -> np.ndarray:
    """Number drawings so that those of one name ("bird_01", "bird_02") or with nearly equal pixels share a number."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import radius_neighbors_graph

    stems = pd.factorize(names.str.lower().str.replace(r"[\W\d_]+", " ", regex=True).str.strip())[0]
    n = len(images)
    same_name = csr_matrix((np.ones(n), (np.arange(n), stems)))
    alike = radius_neighbors_graph(images.reshape(n, -1)[:, ::3] / 255.0, 2.0)
    return connected_components(same_name @ same_name.T + alike, directed=False)[1].astype(np.int16)


if __name__ == "__main__":
    main("clipart", make)
