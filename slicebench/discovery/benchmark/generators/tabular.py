"""Tables of mixed columns: numbers, categories, whole numbers with gaps, dates, yes or no, and missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from slicebench.discovery.benchmark.planted import CLASSES, PlantedTable, World, plant, predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import Rng, Style

NUMBERS = ("age", "income", "distance", "weight", "price", "humidity", "duration", "speed", "voltage", "depth")
WHOLE = ("visits", "rooms", "children", "doses", "floors", "stops")
WORDS: dict[str, tuple[str, ...]] = {
    "city": ("Oslo", "Lima", "Kyoto", "Accra", "Perth", "Quito", "Turin", "Dakar"),
    "device": ("phone", "tablet", "laptop", "desktop"),
    "weather": ("sun", "rain", "snow", "fog", "wind"),
    "channel": ("shop", "web", "partner"),
    "material": ("steel", "wood", "glass", "paper", "clay", "stone"),
    "plan": ("free", "basic", "plus", "team"),
    "camera": ("A1", "B2", "C3", "D4", "E5"),
    "season": ("spring", "summer", "autumn", "winter"),
}
DATES = ("ordered", "measured", "born")
FLAGS = ("insured", "night", "returning", "member")


def tabular(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table whose causes are rules of its columns."""
    world = tabular_world(style, rng)
    planted = plant(world, style, rng)
    frame = world.attributes.copy()
    frame["label"], frame["prediction"] = world.labels, predictions(world.labels, planted.wrong, rng)
    return PlantedTable(
        name=name,
        kind="tabular",
        frame=frame,
        roles={"label": "label", "prediction": "prediction"},
        causes=planted.causes,
        visible=tuple(world.attributes.columns),
        loss=planted.wrong.astype(float),
    )


def tabular_world(style: Style, rng: Rng) -> World:
    """Draw columns, and classes that depend on some of them."""
    n = style.size(rng)
    frame = draw_columns(n, style, rng)
    return World(frame, draw_classes(frame, style, rng))


def draw_columns(n: int, style: Style, rng: Rng) -> pd.DataFrame:
    """Draw columns of all kinds, in a random order; a third of them have missing values."""
    makers = {
        **dict.fromkeys(NUMBERS, _number),
        **dict.fromkeys(WHOLE, _whole),
        **dict.fromkeys(WORDS, _words),
        **dict.fromkeys(DATES, _date),
        **dict.fromkeys(FLAGS, _flag),
    }
    count = int(rng.integers(style.attributes[0], style.attributes[1] + 1))
    common = rng.normal(size=n)
    made: dict[str, pd.Series[Any]] = {}
    for name in rng.permutation([*makers])[:count]:
        noise = rng.normal(size=n)
        latent = np.sqrt(style.correlation) * common + np.sqrt(1 - style.correlation) * noise
        column = makers[str(name)](str(name), latent, rng)
        made[str(name)] = _with_gaps(column, rng) if rng.random() < 1 / 3 else column
    return pd.DataFrame(made)


def _number(_: str, latent: NDArray[np.float64], rng: Rng) -> pd.Series[Any]:
    shape = rng.integers(3)
    if shape == 0:
        return pd.Series(np.round(rng.uniform(10, 100) + rng.uniform(1, 20) * latent, 2))
    if shape == 1:
        return pd.Series(np.round(np.exp(rng.uniform(2, 6) + latent), 2))
    return pd.Series(np.round(100 * np.argsort(np.argsort(latent)) / len(latent), 1))


def _whole(_: str, latent: NDArray[np.float64], rng: Rng) -> pd.Series[Any]:
    values = np.sort(rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 24], size=int(rng.integers(4, 9)), replace=False))
    edges = np.quantile(latent, np.sort(rng.uniform(0.05, 0.95, size=len(values) - 1)))
    return pd.Series(values[np.searchsorted(edges, latent)])


def _words(name: str, latent: NDArray[np.float64], rng: Rng) -> pd.Series[Any]:
    values = np.array(WORDS[name], dtype=object)
    shares = rng.dirichlet(np.full(len(values), 3.0))
    return pd.Series(rng.choice(values, size=len(latent), p=shares), dtype="str")


def _date(_: str, latent: NDArray[np.float64], rng: Rng) -> pd.Series[Any]:
    days = rng.integers(0, int(rng.integers(200, 1500)), size=len(latent))
    return pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(days, unit="D"))


def _flag(_: str, latent: NDArray[np.float64], rng: Rng) -> pd.Series[Any]:
    return pd.Series(rng.random(len(latent)) < rng.uniform(0.15, 0.6))


def _with_gaps(column: pd.Series[Any], rng: Rng) -> pd.Series[Any]:
    """Return the column with 2 to 15 % of its values missing."""
    return column.mask(pd.Series(rng.random(len(column)) < rng.uniform(0.02, 0.15)))


def draw_classes(frame: pd.DataFrame, style: Style, rng: Rng) -> NDArray[np.str_]:
    """Draw classes that depend on three of the columns, of unequal frequencies."""
    score = rng.normal(size=len(frame))
    for name in rng.choice(frame.columns.to_numpy(), size=3, replace=False):
        codes = frame[str(name)].rank(method="average").fillna(len(frame) / 2).to_numpy(dtype=float)
        score += rng.normal() * codes / len(frame)
    count = int(rng.integers(style.classes[0], style.classes[1] + 1))
    edges = np.quantile(score, np.cumsum(rng.dirichlet(np.full(count, 8.0)))[:-1])
    return np.array(CLASSES[:count])[np.searchsorted(edges, score)]
