"""Common parts of all pictures of results: colours, intervals, and saving."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slicebench.metrics.estimate import Estimate


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C00", "#555555")
"""Colours of Okabe and Ito, which colour-blind readers can distinguish, and two more."""


def check_picture(path: Path) -> None:
    """Raise `ConfigError` if no picture can be drawn to `path`."""
    if path.suffix != ".png":
        raise ConfigError(f"--picture {path}: expected a file name that ends in .png")
    if find_spec("matplotlib") is None:
        raise ConfigError("--picture needs matplotlib: pip install 'slicebench[figures]'")


def spread(estimates: Sequence[Estimate]) -> list[list[float]]:
    """Return the distances from the means to the lower and upper ends of the intervals.

    They have the form of matplotlib's error bars; without an interval they are 0.
    """
    below = [0.0 if e.low is None else e.mean - e.low for e in estimates]
    above = [0.0 if e.high is None else e.high - e.mean for e in estimates]
    return [below, above]


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG whose bytes depend only on its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
