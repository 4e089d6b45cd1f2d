"""Rendered scenes: attributes to pixels and to captions, for any number of images at once.

A scene is one row of a table with the columns of `COLUMNS`: one shape of a colour and size at a position, on a background
of a brightness and texture, perhaps with a distractor, under a lighting, with pixel noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

COLOURS = {
    "red": (215, 45, 40),
    "green": (40, 160, 60),
    "blue": (50, 80, 215),
    "orange": (240, 145, 30),
    "purple": (145, 60, 170),
    "teal": (30, 150, 160),
    "pink": (240, 120, 170),
    "brown": (130, 85, 45),
}
BACKGROUNDS = {"dark": 42, "light": 205}
VALUES: dict[str, tuple[str, ...]] = {
    "shape": ("circle", "square", "triangle", "cross", "diamond", "ring", "bar", "hourglass"),
    "colour": tuple(COLOURS),
    "size": ("small", "large"),
    "background": tuple(BACKGROUNDS),
    "texture": ("plain", "striped", "checked", "dotted"),
    "distractor": ("none", "dot", "line"),
    "lighting": ("even", "left", "right"),
}
UNSAID = ("none", "even")
"""Values that a caption does not mention: no distractor, even lighting."""
COLUMNS = ("shape", "colour", "size", "x", "y", "background", "texture", "distractor", "lighting", "noise")
RADIUS = {"small": 0.20, "large": 0.30}  # of the side
CHUNK = 256  # images at a time: the planes of a chunk stay in the processor's cache; noise is drawn chunk by chunk


def draw_attributes(n: int, rng: np.random.Generator, **fixed: object) -> pd.DataFrame:
    """Draw a table of n scenes, each attribute uniform and independent unless `fixed` (a value or n values).

    Positions `x` (right) and `y` (down) go from -1 to 1, over the range in which the shape fits;
    `noise` is the standard deviation of the pixel noise in units of the full range, 0 unless fixed.

    Raises
    ------
    DataError
        for a name or value that the renderer does not know.

    """
    import pandas as pd

    unknown = sorted(set(fixed) - set(COLUMNS))
    if unknown:
        raise DataError(f"unknown scene attributes {unknown}; known: {', '.join(COLUMNS)}")
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name in VALUES:
            drawn: Any = np.array(VALUES[name])[rng.integers(len(VALUES[name]), size=n)]
        else:
            drawn = np.zeros(n) if name == "noise" else rng.uniform(-1, 1, size=n)
        columns[name] = fixed.get(name, drawn)
    return pd.DataFrame(columns, index=range(n))


def codes_of(table: pd.DataFrame, column: str) -> NDArray[np.int64]:
    """Return the positions of a column's values in `VALUES[column]`, shape (n,); raise `DataError` for others."""
    known = {value: code for code, value in enumerate(VALUES[column])}
    codes: Any = table[column].map(known)
    if codes.isna().any():
        row = int(np.argmax(codes.isna().to_numpy()))
        raise DataError(f"{column} is {table[column].iloc[row]!r} at row {row}; known: {', '.join(known)}")
    return np.asarray(codes, dtype=np.int64)


def render(table: pd.DataFrame, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Render the scenes antialiased, shape (n, side, side, 3); `rng` draws pixel noise and background shades."""
    if side < 8:
        raise DataError(f"side is {side}; expected 8 pixels or more, because smaller shapes look alike")
    scene: dict[str, NDArray[Any]] = {name: codes_of(table, name) for name in VALUES}
    scene |= {name: table[name].to_numpy(dtype=np.float32) for name in ("x", "y", "noise")}
    images = np.empty((len(table), side, side, 3), dtype=np.uint8)
    for start in range(0, len(table), CHUNK):
        part = {name: values[start : start + CHUNK] for name, values in scene.items()}
        _render_chunk(part, side, rng, images[start : start + CHUNK])
    return images


def _render_chunk(
    scene: Mapping[str, NDArray[Any]], side: int, rng: np.random.Generator, out: NDArray[np.uint8]
) -> None:
    pixels = np.arange(side, dtype=np.float32) + np.float32(0.5)
    across, down = pixels[None, None, :], pixels[None, :, None]
    shade = _column(np.array(list(BACKGROUNDS.values()))[scene["background"]] + rng.uniform(-12, 12, size=len(out)))
    ground = shade + _texture(scene["texture"], across, down, side)
    shape = _shape_cover(scene, across, down, side)
    mark, mark_value = _distractor_cover(scene["distractor"], across, down, side), 255 - shade
    light = _lighting(scene["lighting"], across, side)
    ink = np.array(list(COLOURS.values()), dtype=np.float32)[scene["colour"]]
    sigma = _column(scene["noise"] * 255)
    for channel in range(3):
        plane = ground + shape * (_column(ink[:, channel]) - ground)
        plane += mark * (mark_value - plane)
        plane *= light
        if sigma.any():
            plane += sigma * rng.standard_normal(plane.shape, dtype=np.float32)
        out[..., channel] = np.clip(plane, 0, 255)


def _column(values: Any) -> Any:
    """Reshape to one float32 per image, (n, 1, 1)."""
    return np.asarray(values, dtype=np.float32)[:, None, None]


def _shape_cover(scene: Mapping[str, NDArray[Any]], across: Any, down: Any, side: int) -> NDArray[np.float32]:
    """Compute the share of each pixel under the shape, from the signed distance to its outline in pixels."""
    radius = (np.array(list(RADIUS.values()), dtype=np.float32)[scene["size"]] * side)[:, None, None]
    room = side / 2 - radius - 1
    u = np.abs((across - side / 2 - scene["x"][:, None, None] * room) / radius)  # every shape is symmetric in u
    v = (down - side / 2 - scene["y"][:, None, None] * room) / radius
    distance = np.empty((len(u), side, side), dtype=np.float32)
    for code, outline in enumerate(OUTLINES.values()):
        rows = scene["shape"] == code
        distance[rows] = outline(u[rows], v[rows])
    cover: NDArray[np.float32] = np.clip(0.5 - distance * radius, 0, 1)
    return cover


OUTLINES: dict[str, Callable[[Any, Any], Any]] = {
    "circle": lambda u, v: np.sqrt(u**2 + v**2) - 1,
    "square": lambda u, v: np.maximum(u, np.abs(v)) - 0.9,
    "triangle": lambda u, v: np.maximum(v - 0.75, 0.866 * u - 0.5 * v - 0.5),
    "cross": lambda u, v: np.minimum(np.maximum(u - 0.3, np.abs(v) - 1), np.maximum(u - 1, np.abs(v) - 0.3)),
    "diamond": lambda u, v: 0.707 * (u + np.abs(v) - 1.1),
    "ring": lambda u, v: np.abs(np.sqrt(u**2 + v**2) - 0.75) - 0.25,
    "bar": lambda u, v: np.maximum(u - 1.05, np.abs(v) - 0.35),
    "hourglass": lambda u, v: np.maximum(0.707 * (u - np.abs(v)) - 0.08, np.abs(v) - 0.95),
}


def _texture(codes: NDArray[np.int64], across: Any, down: Any, side: int) -> Any:
    """Compute the brightness that the background's texture adds, one plane per texture, gathered by scene."""
    period = side / 4
    stripes = np.sign(np.sin(2 * np.pi * down / period)) + 0 * across
    checks = np.sign(np.sin(2 * np.pi * down / period) * np.sin(2 * np.pi * across / period))
    dots = np.cos(2 * np.pi * down / period) + np.cos(2 * np.pi * across / period) > 1
    planes = np.concatenate([0 * stripes, stripes, checks, 2.0 * dots]).astype(np.float32)
    return 14 * planes[codes]


def _distractor_cover(codes: NDArray[np.int64], across: Any, down: Any, side: int) -> Any:
    """Compute the share of each pixel under the distractor: none, a dot in the upper left, or a line at the bottom."""
    corner = np.sqrt((across - 0.12 * side) ** 2 + (down - 0.12 * side) ** 2) - 0.07 * side
    dot = np.clip(0.5 - corner, 0, 1)
    line = np.clip(0.5 - np.abs(down - 0.93 * side) + 0.03 * side, 0, 1) + 0 * across
    return np.concatenate([0 * dot, dot, line]).astype(np.float32)[codes]


def _lighting(codes: NDArray[np.int64], across: Any, side: int) -> Any:
    """Compute the gain of each image column, shape (n, 1, side): even, or falling from one side to the other."""
    slope = 0.35 * (2 * across / side - 1)
    return (1 + np.concatenate([0 * slope, -slope, slope])).astype(np.float32)[codes]


def captions_of(table: pd.DataFrame, mention: Sequence[str] = ("size", "colour", "shape", "background")) -> list[str]:
    """Write one caption per scene, naming the attributes in `mention`: "a small red circle on a dark background".

    Grammar: a [size] [colour] (shape | "shape") [in the (upper|lower) (left|right)] [on a [background] [texture] background]
    [with a (dot|line)] [lit from the (left|right)] [with noise]. The distractor "none", even lighting and a noise of 0 say
    nothing. `position` mentions x and y.
    """
    known = {*VALUES, "position", "noise"}
    if not set(mention) <= known:
        raise DataError(f"captions cannot mention {sorted(set(mention) - known)}; known: {', '.join(sorted(known))}")
    said = {name: table[name].tolist() if name in mention else [None] * len(table) for name in (*VALUES, "noise")}
    where: list[tuple[float, float] | None] = [None] * len(table)
    if "position" in mention:
        where = list(zip(table["x"].tolist(), table["y"].tolist(), strict=True))
    rows = zip(*said.values(), where, strict=True)
    return [caption(**dict(zip([*said, "at"], row, strict=True))) for row in rows]


def caption(
    *,
    shape: str | None = None,
    colour: str | None = None,
    size: str | None = None,
    background: str | None = None,
    texture: str | None = None,
    distractor: str | None = None,
    lighting: str | None = None,
    noise: float | None = None,
    at: tuple[float, float] | None = None,
) -> str:
    """Write the caption that names the attributes given.

    >>> caption(shape="circle", colour="red", size="small", background="dark")
    'a small red circle on a dark background'
    >>> caption(shape="ring", colour="orange", texture="striped", distractor="dot", at=(-0.5, 0.5))
    'an orange ring in the lower left on a striped background with a dot'
    """
    words = [w for w in (size, colour, shape or "shape") if w]
    parts = [article(words[0]), *words]
    if at is not None:
        parts += ["in the", "upper" if at[1] < 0 else "lower", "left" if at[0] < 0 else "right"]
    ground = [w for w in (background, texture) if w]
    if ground:
        parts += ["on", article(ground[0]), *ground, "background"]
    if distractor not in (None, *UNSAID):
        parts += ["with a", str(distractor)]
    if lighting not in (None, *UNSAID):
        parts += ["lit from the", str(lighting)]
    if noise:
        parts += ["with noise"]
    return " ".join(parts)


def article(word: str) -> str:
    """Return the indefinite article of `word`."""
    return "an" if word[0] in "aeiou" else "a"
