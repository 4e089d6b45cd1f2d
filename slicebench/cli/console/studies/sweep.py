"""Tables of a sweep: metrics at each value of the parameter, and the correlations with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import cell, p_value, results_console, share_cell
from slicebench.cli.console.split import Column, print_split, wrapped
from slicebench.results.numbers import optional

if TYPE_CHECKING:
    from rich.console import Console

    from slicebench.studies.sweep.summary import SweepReport, Trend


def print_sweep(report: SweepReport, console: Console | None = None) -> None:
    """Print a row per value of the parameter, then how everything correlates with it."""
    console = console or results_console()
    _print_values(report, console)
    _print_trends(report, console)
    console.print(_SWEEP_LEGEND)
    for row in report.rows:
        for method, one in row.cells.items():
            if one.missing:
                console.print(Text(f"{row.problem} {method}: {one.missing}"), soft_wrap=True)


def _print_values(report: SweepReport, console: Console) -> None:
    """Print the base model, then each method's metric and strength, per value of the parameter."""
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
    n = len(report.seeds)
    title = f"{report.base}: {report.param}, mean and 95% interval over {n} seed{'s' * (n != 1)}"
    print_split(console, title, [Column(report.param, [f"{row.value:g}" for row in rows])], columns)


_STRENGTH = ("strength", "strength\nby chance", "share of\nclasses with\np ≤ .05")

_SWEEP_LEGEND = Text(
    "Strength: mean over classes. ρ: Spearman's correlation, with a point per value and seed, or per class of those. Classes of "
    "one base model are not independent, so their p is only a guide.",
    style="dim",
)


def _print_trends(report: SweepReport, console: Console) -> None:
    trends = report.trends
    what, against = (48, 40) if console.width >= _WIDE else (26, 20)
    kept = [
        Column("of", [wrapped(_of(report, trend), what) for trend in trends], "left"),
        Column("against", [wrapped(_against(trend), against) for trend in trends], "left"),
    ]
    columns = [
        Column("points", [str(trend.points) for trend in trends]),
        Column("ρ", [optional(trend.rho) for trend in trends]),
        Column("p", ["–" if trend.p is None else p_value(trend.p) for trend in trends]),
    ]
    print_split(console, "Correlations", kept, columns)


_WIDE = 120
"""Width of a terminal from which names have more room."""


def _of(report: SweepReport, trend: Trend) -> str:
    what = _metric_label(report) if trend.what == report.metric else trend.what.replace("_", " ")
    return f"{trend.method or 'base model'}: {what}"


def _against(trend: Trend) -> str:
    return trend.against.replace("_", " ") + " of the class" if trend.per_class else trend.against


def _metric_label(report: SweepReport) -> str:
    from slicebench.metrics.ranking import METRICS

    return METRICS[report.metric].label
