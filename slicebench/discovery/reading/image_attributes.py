"""Measure simple properties of images, which rules can name: light, colour, and where the object is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.reading.images import Images

    Pixels = NDArray[np.float32]
    Floats = NDArray[np.float64]


PIXELS = 2**21
"""Pixels that are measured at a time, which takes some 150 MB."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in brightness (ITU-R BT.601, as Pillow's mode "L")."""
HUES = (
    (15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (195, "cyan"), (260, "blue"), (315, "purple"),
    (345, "pink"), (361, "red"),
)  # fmt: skip
"""Where colours end on the circle of hues, in degrees."""
COLOURED, LIT = 0.25, 64
"""Least saturation (of the model HSV), and least value of the strongest channel, of a colour that has a name; others are grey."""


def attributes_of(images: Images, column: str) -> dict[str, NDArray[Any]]:
    """Return properties of images by name ("brightness of image"), (n,) each; those that are the same for all are left out.

    brightness
        Mean of the luma, 0 to 255.
    contrast
        Standard deviation of the luma (RMS contrast; Peli, 1990).
    sharpness
        Variance of the Laplacian of the luma (Pech-Pacheco et al., 2000).
    colourfulness
        Hasler and Süsstrunk (2003), "Measuring colourfulness in natural images", their M^(3); 0 for grey.
    border brightness
        Luma of the border's colour, the median of the outermost pixels.
    object size, object x, object y
        The object is what differs most from the border: all pixels whose colour is at least half as far from the border's
        colour as the farthest pixel. Its size is a share of the image; its centre is 0 at the left or top, 1 at the right or
        bottom.
    object colour
        The object's mean colour: one of eight words, or "grey" for dark and pale ones. Not measured on grey images.
    aspect ratio, width, height
        Of the image in its file, in pixels. The others are of the image after it was resized.

    """
    n, height, width = images.pixels.shape[:3]
    step = max(1, PIXELS // (height * width))
    parts = [_measured(images.pixels[start : start + step]) for start in range(0, n, step)]
    wide, high = images.sizes.T.astype(np.float64)
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    values |= {"aspect ratio": wide / high, "width": wide, "height": high}
    return {f"{name} of {column}": own for name, own in values.items() if (own != own[0]).any()}


def _measured(pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return what is measured on the pixels of images (b, H, W) or (b, H, W, 3), (b,) each."""
    values = pixels.astype(np.float32)
    luma = values @ LUMA if values.ndim == 4 else values
    flat = luma.reshape(len(luma), -1)
    return {
        "brightness": flat.mean(axis=1, dtype=np.float64),
        "contrast": flat.std(axis=1, dtype=np.float64),
        "sharpness": _sharpness(luma),
        "colourfulness": _colourfulness(values),
        **_object(values if values.ndim == 4 else values[..., None]),
    }


def _sharpness(luma: Pixels) -> Floats:
    if min(luma.shape[1:]) < 3:
        return np.zeros(len(luma))
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    laplacian = around - 4 * luma[:, 1:-1, 1:-1]
    found: Floats = laplacian.reshape(len(luma), -1).var(axis=1, dtype=np.float64)
    return found


def _colourfulness(values: Pixels) -> Floats:
    if values.ndim == 3:
        return np.zeros(len(values))
    red, green, blue = np.moveaxis(values.reshape(len(values), -1, 3), 2, 0)
    opponents = (red - green, (red + green) / 2 - blue)
    means = np.stack([one.mean(axis=1, dtype=np.float64) for one in opponents])
    deviations = np.stack([one.std(axis=1, dtype=np.float64) for one in opponents])
    found: Floats = np.hypot(*deviations) + 0.3 * np.hypot(*means)
    return found


def _object(values: Pixels) -> dict[str, NDArray[Any]]:
    """Measure the border and what differs most from it, on images (b, H, W, channels)."""
    height, width, channels = values.shape[1:]
    border = _border(values)
    far = ((values - border[:, None, None]) ** 2).sum(axis=3)
    inside = far >= np.maximum(far.max(axis=(1, 2), keepdims=True) / 4, 1e-6)  # squares: half as far
    size = inside.sum(axis=(1, 2))
    counted = np.maximum(size, 1)
    x = inside.sum(axis=1) @ ((np.arange(width) + 0.5) / width) / counted
    y = inside.sum(axis=2) @ ((np.arange(height) + 0.5) / height) / counted
    found: dict[str, NDArray[Any]] = {
        "border brightness": (border @ LUMA if channels == 3 else border[:, 0]).astype(np.float64),
        "object size": size / (height * width),
        "object x": np.where(size > 0, x, 0.5),
        "object y": np.where(size > 0, y, 0.5),
    }
    if channels == 3:
        mean = np.einsum("bhwc,bhw->bc", values, inside.astype(np.float32)) / counted[:, None]
        found["object colour"] = colour_names(np.where(size[:, None] > 0, mean, border))
    return found


def _border(values: Pixels) -> Pixels:
    """Return the median of the outermost pixels, shape (b, channels)."""
    edges = (values[:, 0], values[:, -1], values[:, 1:-1, 0], values[:, 1:-1, -1])
    found: Pixels = np.median(np.concatenate(edges, axis=1), axis=1)
    return found


def colour_names(rgb: NDArray[np.floating]) -> NDArray[np.object_]:
    """Return a word for each colour of `rgb` (b, 3), 0 to 255.

    >>> colour_names(np.array([[220, 40, 40], [230, 210, 50], [20, 20, 20]])).tolist()
    ['red', 'yellow', 'grey']
    """
    high, low = rgb.max(axis=1), rgb.min(axis=1)
    spread = np.where(high > low, high - low, 1.0)
    red, green, blue = rgb.T
    sixth = np.select(
        [high == red, high == green],
        [(green - blue) / spread % 6, (blue - red) / spread + 2],
        (red - green) / spread + 4,
    )
    hue = np.array([name for _, name in HUES], dtype=object)[
        np.searchsorted([end for end, _ in HUES], sixth * 60, "right")
    ]
    coloured = (high - low >= COLOURED * high) & (high >= LIT)
    found: NDArray[np.object_] = np.where(coloured, hue, "grey")
    return found
