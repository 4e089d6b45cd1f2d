"""Faults of a whole class: the model is bad at one class throughout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.benchmark.generators.networks import embedding
from slicebench.discovery.benchmark.generators.tabular import tabular
from slicebench.discovery.benchmark.planted import Cause, PlantedTable, predictions

if TYPE_CHECKING:
    from slicebench.discovery.benchmark.planted import Rng, Style

RATE = (0.3, 0.7)
"""Error rate of the faulty class."""


def class_tabular(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of columns with one faulty class."""
    return faulty(tabular(name, style, rng), style, rng)


def class_embedding(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of embeddings with one faulty class."""
    return faulty(embedding(name, style, rng), style, rng)


def faulty(table: PlantedTable, style: Style, rng: Rng) -> PlantedTable:
    """Return a table with errors drawn anew: at one rate in a class, at a lower one in all others."""
    labels = table.classes
    names = np.unique(labels)
    bad = str(rng.choice(names))
    rows = labels == bad
    rates = np.where(rows, rng.uniform(*RATE), rng.uniform(*style.outside))
    wrong = rng.random(len(rates)) < rates
    gap = float(wrong[rows].mean() - wrong[~rows].mean())
    cause = Cause(rows=rows, rule=None, attributes=(), class_name=bad, alone_in_class=True, gap=gap)
    frame = table.frame.assign(prediction=predictions(labels, wrong, rng))
    return replace(table, kind="class", frame=frame, causes=(cause,), loss=wrong.astype(float))
