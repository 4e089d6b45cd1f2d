"""Draw a sweep: base model, metric and strength against the parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicebench.metrics.ranking import METRICS
from slicebench.results.plots import COLOURS, check_picture, save_figure, spread
from slicebench.studies.sweep.summary import BASE

if TYPE_CHECKING:
    from pathlib import Path

    from slicebench.metrics.estimate import Estimate
    from slicebench.studies.sweep.summary import SweepReport


MARKERS = "osD^vP"

LOG_FROM = 8
"""Least ratio of the largest value to the smallest for a logarithmic axis."""


def draw_sweep(report: SweepReport, path: Path) -> None:
    """Draw three panels to a PNG file, with 95% intervals over seeds.

    Raises the same `ConfigError` as `check_picture`.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), dpi=150, layout="constrained")
    axes = figure.subplots(1, 3)
    rows = sorted(report.rows, key=lambda row: row.value)
    base = {name.replace("_", " "): [getattr(row, name) for row in rows] for name in BASE}
    metric = {method: [row.cells[method].metric for row in rows] for method in report.methods}
    strength = {method: [row.cells[method].strength for row in rows] for method in report.methods}
    titles = ("base model", METRICS[report.metric].label, "strength")
    for axis, title, lines in zip(axes, titles, (base, metric, strength), strict=True):
        _panel(axis, [row.value for row in rows], lines)
        axis.set_xlabel(report.param)
        axis.set_title(title, loc="left", fontsize=10)
    figure.suptitle(f"{report.base}: {report.param}, {len(report.seeds)} seeds", x=0.01, ha="left")
    save_figure(figure, path)


def _panel(axis: Any, values: list[float], lines: dict[str, list[Estimate | None]]) -> None:
    """Draw one line with error bars for each label.

    A label keeps its colour from panel to panel.
    """
    for position, (label, estimates) in enumerate(lines.items()):
        known = [(value, e) for value, e in zip(values, estimates, strict=True) if e is not None]
        if not known:
            continue
        style = {"color": COLOURS[position % len(COLOURS)], "marker": MARKERS[position % len(MARKERS)]}
        xs, means = [value for value, _ in known], [e.mean for _, e in known]
        axis.errorbar(xs, means, yerr=spread([e for _, e in known]), label=label, capsize=3, markersize=4, **style)
    if values[0] > 0 and values[-1] / values[0] >= LOG_FROM:
        axis.set_xscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()
    axis.grid(alpha=0.25)
    if axis.has_data():
        axis.legend(fontsize=8, frameon=False)
