"""A sweep: base model, metric and strength at each value of the parameter, and what follows what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import cell, p_value, results_console, share_cell
from slicebench.cli.console.split import Column, print_split
from slicebench.results.numbers import optional

if TYPE_CHECKING:
    from rich.console import Console

    from slicebench.studies.sweep.summary import SweepReport, Trend


def print_sweep(report: SweepReport, console: Console | None = None) -> None:
    """Print a row per value of the parameter, split where the terminal is too narrow, then how everything follows it."""
    console = console or results_console()
    _print_values(report, console)
    _print_trends(report, console)
    console.print(_SWEEP_LEGEND)
    for row in report.rows:
        for method, one in row.cells.items():
            if one.missing:
                console.print(Text(f"{row.problem} {method}: {one.missing}"), soft_wrap=True)


def _print_values(report: SweepReport, console: Console) -> None:
    """Print the base model, then metric and strength of each method, at each value of the parameter."""
    rows = report.rows
    columns = [
        Column("base model\naccuracy", [share_cell(row.accuracy) for row in rows], "center"),
        Column("base model\nminority\naccuracy", [share_cell(row.minority_accuracy) for row in rows], "center"),
        Column(
            "base model\nminority share\nof errors",
            [share_cell(row.minority_share_of_errors) for row in rows],
            "center",
        ),
    ]
    shown = _STRENGTH if report.permutations else _STRENGTH[:1]
    for method in report.methods:
        cells = [row.cells[method] for row in rows]
        columns.append(Column(f"{method}\n{_metric_label(report)}", [cell(one.metric) for one in cells], "center"))
        if any(one.strength for one in cells):
            strength = [(cell(one.strength), optional(one.by_chance), optional(one.significant)) for one in cells]
            columns += [
                Column(f"{method}\n{what}", [values[i] for values in strength], "center")
                for i, what in enumerate(shown)
            ]
    title = f"{report.base}: {report.param}, mean and 95 % interval over {len(report.seeds)} seeds"
    print_split(console, title, [Column(report.param, [f"{row.value:g}" for row in rows])], columns)


_STRENGTH = ("strength", "strength\nby chance", "classes with\np ≤ .05")

_SWEEP_LEGEND = Text(
    "Strength: mean over classes. ρ: Spearman, a point for each value and seed, or for each class of those; classes of one base "
    "model are not independent, so their p is a guide.",
    style="dim",
)


def _print_trends(report: SweepReport, console: Console) -> None:
    trends = report.trends
    kept = [
        Column("of", [trend.method or "base model" for trend in trends], "left"),
        Column("what", [_what(report, trend) for trend in trends], "left"),
    ]
    columns = [
        Column("against", [_against(trend) for trend in trends], "left"),
        Column("points", [str(trend.points) for trend in trends]),
        Column("ρ", [optional(trend.rho) for trend in trends]),
        Column("p", ["–" if trend.p is None else p_value(trend.p) for trend in trends]),
    ]
    print_split(console, "What follows what", kept, columns)


def _what(report: SweepReport, trend: Trend) -> str:
    return _metric_label(report) if trend.what == report.metric else trend.what.replace("_", " ")


def _against(trend: Trend) -> str:
    return trend.against.replace("_", " ") + " of the class" if trend.per_class else trend.against


def _metric_label(report: SweepReport) -> str:
    from slicebench.metrics.ranking import METRICS

    return METRICS[report.metric].label
