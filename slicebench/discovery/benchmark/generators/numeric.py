"""Regressions: predicted numbers whose errors are larger inside a cause."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.benchmark.generators.tabular import draw_columns
from slicebench.discovery.benchmark.planted import PlantedTable, World, draw_causes, finished

if TYPE_CHECKING:
    from slicebench.discovery.benchmark.planted import Rng, Style

SPREAD = (2.0, 5.0)
"""Factor by which the spread of the errors is larger inside a cause."""
BIAS = (1.5, 3.0)
"""Bias inside a cause, in standard deviations of the errors outside; half of the causes have it instead."""


def regression(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of predicted numbers; inside a cause, errors are biased or have a larger spread."""
    n = style.size(rng)
    frame = draw_columns(n, style, rng)
    labels = np.full(n, "all")
    drawn = draw_causes(World(frame, labels), replace(style, in_class=0.0), style.outside[1], rng)
    truth, error = 50 + 10 * rng.normal(size=n), rng.normal(size=n)
    for one in drawn:
        if rng.random() < 0.5:
            error[one.rows] *= rng.uniform(*SPREAD)
        else:
            error[one.rows] += rng.choice([-1, 1]) * rng.uniform(*BIAS)
    visible = tuple(frame.columns)
    return PlantedTable(
        name=name,
        kind="regression",
        frame=frame.assign(truth=truth, prediction=truth + error),
        roles={"label": "truth", "prediction": "prediction", "task": "regression"},
        causes=finished(drawn, labels, np.abs(error)),
        visible=visible,
        loss=np.abs(error),
    )
