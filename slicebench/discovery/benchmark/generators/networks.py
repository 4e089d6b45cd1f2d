"""Embeddings by random networks of hidden attributes.

In the manner of SpotCheck: an example has several semantic attributes, a cause is a conjunction of
their values, mostly in one class, and the finder sees embeddings only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from slicebench.discovery.benchmark.planted import CLASSES, PlantedTable, World, plant, predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import Rng, Style

NUISANCE = 8
"""Inputs of the network that are noise, as pose or light would be."""
WIDTH = 128
"""Hidden units of the network."""


def embedding(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of embeddings whose causes are conjunctions of hidden attributes."""
    world = hidden_world(style, rng)
    planted = plant(world, style, rng)
    vectors = embedded(world, style, rng)
    frame = pd.DataFrame(
        {
            "embedding": list(vectors),
            "label": world.labels,
            "prediction": predictions(world.labels, planted.wrong, rng),
        }
    )
    return PlantedTable(
        name=name,
        kind="embedding",
        frame=frame,
        roles={"label": "label", "prediction": "prediction", "embedding": "embedding"},
        causes=planted.causes,
        loss=planted.wrong.astype(float),
    )


def hidden_world(style: Style, rng: Rng) -> World:
    """Draw classes and independent attributes of 2 to 4 values, of unequal frequencies."""
    n = style.size(rng)
    made = {}
    for i in range(int(rng.integers(style.attributes[0], style.attributes[1] + 1))):
        values = int(rng.choice([2, 2, 3, 4]))
        made[f"h{i}"] = rng.choice(values, size=n, p=rng.dirichlet(np.full(values, 8.0)))
    count = int(rng.integers(style.classes[0], style.classes[1] + 1))
    labels = rng.choice(CLASSES[:count], size=n, p=rng.dirichlet(np.full(count, 20.0)))
    return World(pd.DataFrame(made), labels)


def embedded(world: World, style: Style, rng: Rng) -> NDArray[np.float32]:
    """Return the embeddings of a random two-layer network, shape (n, d).

    Its inputs are the one-hot class and attributes, each with a weight of its own, and noise.
    """
    codes = [np.unique(world.labels, return_inverse=True)[1], *world.attributes.to_numpy().T]
    inputs = [rng.uniform(0.8, 1.6) * np.eye(int(code.max()) + 1)[code] for code in codes]
    nuisance = 0.3 * rng.normal(size=(len(world.labels), NUISANCE))
    x = np.hstack([*inputs, nuisance])
    d = int(rng.integers(style.dimensions[0], style.dimensions[1] + 1))
    first = rng.normal(size=(x.shape[1], WIDTH)) * np.sqrt(2 / len(codes))
    second = rng.normal(size=(WIDTH, d)) / np.sqrt(WIDTH)
    before = x @ first + 0.3 * rng.normal(size=WIDTH)
    if style.network == "relu":
        out = np.maximum(before, 0) @ second
    else:
        out = np.tanh(before) @ second + x @ rng.normal(size=(x.shape[1], d)) / np.sqrt(len(codes))
    return np.asarray(out + 0.15 * out.std() * rng.normal(size=out.shape), dtype=np.float32)
