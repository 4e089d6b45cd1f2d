"""Rendered shapes, whose class is the shape, with colour, size, position and background as attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from slicebench.discovery.benchmark.planted import PlantedTable, World, plant, predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import Rng, Style

SIDE = 24
"""Height and width of an image."""
COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 80, 220), "yellow": (230, 210, 50)}
BACKGROUNDS = {"dark": 20, "grey": 110, "light": 210}
SIZES = {"small": 3.5, "large": 6.5}
CORNERS = {"top left": (8, 8), "top right": (8, 16), "bottom left": (16, 8), "bottom right": (16, 16)}
SHAPES = ("circle", "square", "cross")
ATTRIBUTES = {
    "colour": tuple(COLOURS), "background": tuple(BACKGROUNDS), "size": tuple(SIZES), "corner": tuple(CORNERS),
}  # fmt: skip


def images(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of images whose causes are conjunctions of what they show."""
    n = style.size(rng)
    made = {key: rng.choice(values, size=n) for key, values in ATTRIBUTES.items()}
    labels = rng.choice(SHAPES, size=n)
    world = World(pd.DataFrame(made), labels)
    planted = plant(world, style, rng)
    frame = pd.DataFrame({"label": labels, "prediction": predictions(labels, planted.wrong, rng)})
    return PlantedTable(
        name=name,
        kind="image",
        frame=frame,
        roles={"label": "label", "prediction": "prediction", "image": rendered(world, rng)},
        causes=planted.causes,
        loss=planted.wrong.astype(float),
    )


def rendered(world: World, rng: Rng) -> NDArray[np.uint8]:
    """Return the images, shape (n, SIDE, SIDE, 3), with noise on positions and pixels."""
    seen, n = world.attributes, len(world.labels)
    centres = np.array([CORNERS[corner] for corner in seen["corner"]]) + rng.uniform(-1.5, 1.5, size=(n, 2))
    radius = np.array([SIZES[size] for size in seen["size"]])[:, None, None]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    up = np.abs(rows[None] - centres[:, 0, None, None]) / radius
    across = np.abs(columns[None] - centres[:, 1, None, None]) / radius
    inside = np.select(
        [(world.labels == shape)[:, None, None] for shape in SHAPES],
        [up**2 + across**2 <= 1, np.maximum(up, across) <= 0.9, (np.minimum(up, across) <= 0.3) & (up + across <= 1.3)],
    ).astype(bool)
    colour = np.array([COLOURS[one] for one in seen["colour"]])[:, None, None, :]
    background = np.array([BACKGROUNDS[one] for one in seen["background"]])[:, None, None, None]
    pixels = np.where(inside[..., None], colour, background) + 12 * rng.normal(size=(n, SIDE, SIDE, 3))
    return np.asarray(pixels.clip(0, 255), dtype=np.uint8)
