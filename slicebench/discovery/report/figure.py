"""Draw the significant slices with matplotlib: how much worse each is than the rest of its class."""

from __future__ import annotations

from importlib.util import find_spec
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError
from slicebench.results.plots import COLOURS

if TYPE_CHECKING:
    from slicebench.discovery.findings import Findings


LONGEST = 48
"""Characters of a description beside its bar."""
MOST = 20


def figure_of(findings: Findings) -> Any:
    """Return a figure with a row per significant slice: the held-out difference and its 95% interval.

    Raises
    ------
    ConfigError
        if matplotlib is not installed.

    """
    if find_spec("matplotlib") is None:
        raise ConfigError("plot needs matplotlib: pip install 'slicebench[figures]'")
    from matplotlib.figure import Figure

    shown = findings.standing[:MOST]
    scale = 1 if findings.examples.wrong is None else 100
    figure = Figure(figsize=(8, 1.6 + 0.35 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for row, one in enumerate(shown):
        low, delta, high = (scale * value for value in (one.verdict.low, one.verdict.delta, one.verdict.high))
        axes.errorbar(delta, row, xerr=[[delta - low], [high - delta]], fmt="o", color=COLOURS[row % len(COLOURS)])
    names = [shorten(f"{one.key} {one.text}", LONGEST, placeholder=" …") for one in shown]
    axes.set_yticks(range(len(shown)), [f"{name} (n = {one.size:,})" for name, one in zip(names, shown, strict=True)])
    axes.invert_yaxis()
    axes.axvline(0, color="grey", linewidth=0.8)
    unit = " (percentage points)" if scale > 1 else ""
    axes.set_xlabel(f"{findings.measure}, slice minus rest of its class,\nheld out{unit}")
    axes.margins(y=0.4)
    axes.set_title(findings.verdict, fontsize="medium")
    return figure
