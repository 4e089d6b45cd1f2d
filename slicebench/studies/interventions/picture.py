"""Draw interventions: the change in minority and overall accuracy by arm, or accuracy against one parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError
from slicebench.results.numbers import as_share
from slicebench.results.plots import COLOURS, check_picture, save_figure, spread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slicebench.metrics.estimate import Estimate
    from slicebench.studies.interventions.record import ArmRow, InterventionBoard


PARTS = (("minority", "o"), ("overall", "|"))
"""Parts that are drawn for each arm, with their markers."""
LEAST_VALUES = 3
"""Least number of values of a parameter for a line over it."""
PANEL = 5.0
"""Width of a panel in inches."""


def draw_interventions(board: InterventionBoard, path: Path) -> None:
    """Draw a panel per problem to a PNG file, with 95% intervals.

    If the only intervention has three or more values of one numeric parameter, panels show lines over
    the parameter. Raises the same `ConfigError` as `check_picture`, and one if no arm ended well.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    rows = [row for row in board.rows if row.change]
    if not rows:
        raise ConfigError("--picture: no arm ended well, so there is nothing to draw")
    problems = list(dict.fromkeys(row.problem for row in rows))
    param = swept(rows)
    arms = max(sum(row.problem == problem for row in rows) for problem in problems)
    height = 3.6 if param else 1.2 + 0.26 * arms
    columns = min(3, len(problems))
    lines = -(-len(problems) // columns)
    figure = Figure(figsize=(PANEL * columns, height * lines), dpi=150, layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharex=not param).ravel()
    for axis, problem in zip(axes, problems, strict=False):
        own = [row for row in rows if row.problem == problem]
        if param:
            _curves(axis, own, param)
        else:
            _dots(axis, own)
        axis.set_title(problem, loc="left", fontsize=10)
        axis.grid(alpha=0.25)
    for axis in axes[len(problems) :]:
        axis.set_visible(False)
    save_figure(figure, path)


def swept(rows: Sequence[ArmRow]) -> str | None:
    """Return the numeric parameter that distinguishes the variants of the only intervention.

    Returns None unless the parameter has three or more values.
    """
    if len({row.intervention for row in rows}) != 1:
        return None
    moving = [name for name in rows[0].params if len({row.params[name] for row in rows}) > 1]
    values = {row.params[moving[0]] for row in rows} if len(moving) == 1 else set()
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return moving[0] if numeric and len(values) >= LEAST_VALUES else None


def _dots(axis: Any, rows: Sequence[ArmRow]) -> None:
    """Draw the change from no intervention, one arm per line.

    A dot is minority accuracy, and a tick is overall accuracy.
    """
    methods = list(dict.fromkeys(row.method for row in rows))
    for y, row in enumerate(rows):
        colour = COLOURS[methods.index(row.method) % len(COLOURS)]
        for (part, marker), shift in zip(PARTS, (-0.12, 0.2), strict=True):
            if part in row.change:
                _bar(axis, row.change[part], y + shift, marker, colour, faint=part == "overall")
    axis.axvline(0, color="#555555", linewidth=0.8)
    only = len({row.intervention for row in rows}) == 1
    names = [row.variant.removeprefix(row.intervention).strip() if only else row.variant for row in rows]
    labels = [f"{name} {row.method or ''}".strip() or row.variant for name, row in zip(names, rows, strict=True)]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.tick_params(axis="x", labelbottom=True, labelsize=8)
    axis.set_xlabel("change: ● minority, | overall accuracy", fontsize=8, loc="left")


def _bar(axis: Any, one: Estimate, y: float, marker: str, colour: str, *, faint: bool) -> None:
    style = {"color": colour, "alpha": 0.55 if faint else 1.0, "elinewidth": 1 if faint else 1.6}
    axis.errorbar([one.mean], [y], xerr=spread([one]), fmt=marker, markersize=4 if marker == "o" else 7, **style)


def _curves(axis: Any, rows: Sequence[ArmRow], param: str) -> None:
    """Draw minority accuracy over the parameter, a line per method."""
    for position, method in enumerate(dict.fromkeys(row.method for row in rows)):
        own = sorted((r for r in rows if r.method == method), key=lambda row: float(row.params[param] or 0))
        known = [
            (float(row.params[param] or 0), as_share(row.values["minority"])) for row in own if "minority" in row.values
        ]
        if not known:
            continue
        xs, estimates = zip(*known, strict=True)
        style = {"color": COLOURS[position % len(COLOURS)], "capsize": 3, "marker": "o", "markersize": 4}
        axis.errorbar(xs, [e.mean for e in estimates], yerr=spread(estimates), label=method or "", **style)
    axis.set_xlabel(param)
    axis.set_ylabel("minority accuracy")
    if axis.has_data():
        axis.legend(fontsize=8, frameon=False)
