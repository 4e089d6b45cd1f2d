"""Tables without a cause: errors permuted within class, groups of copies, and heavy-tailed losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from slicebench.discovery.benchmark.generators.networks import embedding
from slicebench.discovery.benchmark.generators.tabular import draw_columns, tabular
from slicebench.discovery.benchmark.planted import PlantedTable, predictions

if TYPE_CHECKING:
    from slicebench.discovery.benchmark.planted import Rng, Style


def permuted_tabular(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of columns whose errors are permuted within class."""
    return permuted(tabular(name, style, rng), rng)


def permuted_embedding(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of embeddings whose errors are permuted within class."""
    return permuted(embedding(name, style, rng), rng)


def permuted(table: PlantedTable, rng: Rng) -> PlantedTable:
    """Return a table with the errors of each class permuted over its rows, and without causes."""
    labels, wrong = table.classes, table.loss > 0
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        wrong[rows] = rng.permutation(wrong[rows])
    frame = table.frame.assign(prediction=predictions(labels, wrong, rng))
    return replace(table, kind="null", frame=frame, causes=(), loss=wrong.astype(float))


def copies_tabular(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of groups of near copies of rows; errors are permuted over whole groups within class."""
    return copied(tabular(name, style, rng), rng)


def copies_embedding(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return embeddings in groups of near copies; errors are permuted over whole groups within class."""
    return copied(embedding(name, style, rng), rng)


def copied(table: PlantedTable, rng: Rng) -> PlantedTable:
    """Return a table of as many rows, made of 3 to 12 copies of some of the rows.

    The copies of a row have one class and are all right or all wrong. The column `group` names the
    row that they are copies of.
    """
    original = permuted(table, rng)
    n = len(original.frame)
    counts = rng.integers(3, 13, size=n)
    rows = np.repeat(rng.permutation(n), counts)[:n]
    frame = original.frame.iloc[rows].reset_index(drop=True)
    frame["group"] = [f"g{row}" for row in rows]
    if "embedding" in frame:
        vectors = np.stack(frame["embedding"].to_list())
        frame["embedding"] = list((vectors + 0.02 * vectors.std() * rng.normal(size=vectors.shape)).astype(np.float32))
    return replace(original, frame=frame, roles={**original.roles, "group": "group"}, loss=original.loss[rows])


def heavy_losses(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of columns with lognormal losses (sigma 2) that depend on nothing."""
    frame = draw_columns(style.size(rng), style, rng)
    loss = np.exp(2.0 * rng.normal(size=len(frame)))
    visible = tuple(frame.columns)
    return PlantedTable(
        name=name,
        kind="null",
        frame=pd.concat([frame, pd.Series(loss, name="loss")], axis=1),
        roles={"loss": "loss"},
        causes=(),
        visible=visible,
        loss=loss,
    )
