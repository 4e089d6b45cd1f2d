"""Embeddings of real images: the digits of scikit-learn, altered in known ways, by principal components or a trained network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from slicebench.discovery.benchmark.planted import PlantedTable, World, plant, predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import Rng, Style

COMPONENTS = 32
HIDDEN = 64
MOST = 4000
"""Rows at most; there are 1,797 images, so each occurs a few times with other alterations."""


def digits(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return embeddings of handwritten digits; classes are groups of digits, and causes are digits and alterations."""
    images, digit = _images()
    rows = rng.integers(len(images), size=min(MOST, style.size(rng)))
    altered, made = _altered(images[rows], rng)
    made["digit"] = digit[rows]
    groups = rng.permutation(10) % int(rng.integers(2, 4))
    labels = np.array(["low", "middle", "high"])[groups[digit[rows]]]
    planted = plant(World(pd.DataFrame(made), labels), style, rng)
    vectors = _components(altered) if style.network == "relu" else _trained(altered, digit[rows], rng)
    frame = pd.DataFrame(
        {"embedding": list(vectors), "label": labels, "prediction": predictions(labels, planted.wrong, rng)}
    )
    return PlantedTable(
        name=name,
        kind="digits",
        frame=frame,
        roles={"label": "label", "prediction": "prediction", "embedding": "embedding"},
        causes=planted.causes,
        loss=planted.wrong.astype(float),
    )


@cache
def _images() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the images, shape (1797, 8, 8) with values from 0 to 1, and their digits."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    return found.images / 16.0, found.target


def _altered(images: NDArray[np.float64], rng: Rng) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """Return images that are inverted, dimmed or shifted, with noise, and how each was altered."""
    n = len(images)
    made: dict[str, NDArray[Any]] = {
        "inverted": rng.random(n) < 0.3,
        "dim": rng.random(n) < 0.4,
        "shift": rng.choice([-1, 0, 1], size=n),
    }
    out = np.where(made["inverted"][:, None, None], 1 - images, images)
    out = np.where(made["dim"][:, None, None], 0.4 * out, out)
    for step in (-1, 1):
        rows = made["shift"] == step
        out[rows] = np.roll(out[rows], step, axis=2)
    return out + 0.05 * rng.normal(size=out.shape), made


def _components(images: NDArray[np.float64]) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    flat = images.reshape(len(images), -1)
    return np.asarray(PCA(COMPONENTS, random_state=0).fit_transform(flat), dtype=np.float32)


def _trained(images: NDArray[np.float64], digit: NDArray[np.int64], rng: Rng) -> NDArray[np.float32]:
    """Return the hidden units of a network that is trained to read the digits."""
    from sklearn.neural_network import MLPClassifier

    flat = images.reshape(len(images), -1)
    seed = int(rng.integers(2**31))
    network = MLPClassifier((HIDDEN,), max_iter=15, n_iter_no_change=15, tol=0.0, random_state=seed)
    with _silenced():
        network.fit(flat, digit)
    return np.asarray(np.maximum(flat @ network.coefs_[0] + network.intercepts_[0], 0), dtype=np.float32)


def _silenced() -> Any:
    """Return a context in which training that stops early gives no warning."""
    import warnings

    return warnings.catch_warnings(action="ignore")
