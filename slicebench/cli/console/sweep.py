"""A sweep: base model, metric and strength at each value of the parameter, and what follows what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import cell, p_value, results_console
from slicebench.results.numbers import optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.studies.sweep.summary import SweepReport


def print_sweep(report: SweepReport, console: Console | None = None) -> None:
    """Print a row per value of the parameter, split where the terminal is too narrow, then how everything follows it."""
    console = console or results_console()
    per_table = max(1, (console.width - 62) // 34)
    for start in range(0, len(report.methods), per_table):
        console.print(_sweep_table(report, report.methods[start : start + per_table]))
    console.print(_trend_table(report))
    console.print(_SWEEP_LEGEND)
    for row in report.rows:
        for method, one in row.cells.items():
            if one.missing:
                console.print(Text(f"{row.problem} {method}: {one.missing}"), soft_wrap=True)


def _sweep_table(report: SweepReport, methods: Sequence[str]) -> Table:
    title = f"{report.base}: {report.param}, mean and 95 % interval over {len(report.seeds)} seeds"
    table = Table(title=title, title_justify="left")
    table.add_column(report.param, justify="right", no_wrap=True)
    for name in ("accuracy", "minority\naccuracy", "minority share\nof errors"):
        table.add_column(f"base model\n{name}", justify="center")
    shown = _STRENGTH if report.permutations else _STRENGTH[:1]
    strong = {m for m in methods if any(row.cells[m].strength for row in report.rows)}
    for method in methods:
        for what in (_metric_label(report), *(shown if method in strong else ())):
            table.add_column(f"{method}\n{what}", justify="center")
    for row in report.rows:
        cells = [cell(row.accuracy), cell(row.minority_accuracy), cell(row.minority_share_of_errors)]
        for method in methods:
            one = row.cells[method]
            strength = (cell(one.strength), optional(one.by_chance), optional(one.significant))
            cells += [cell(one.metric), *(strength[: len(shown)] if method in strong else ())]
        table.add_row(f"{row.value:g}", *cells)
    return table


_STRENGTH = ("strength", "strength\nby chance", "classes with\np ≤ .05")

_SWEEP_LEGEND = Text(
    "Strength: mean over classes. ρ: Spearman, a point for each value and seed, or for each class of those; classes of one base "
    "model are not independent, so their p is a guide.",
    style="dim",
)


def _trend_table(report: SweepReport) -> Table:
    table = Table(title="What follows what", title_justify="left")
    for name in ("of", "what", "against", "points", "ρ", "p"):
        table.add_column(name, justify="right" if name in ("points", "ρ", "p") else "left", no_wrap=True)
    for trend in report.trends:
        what = _metric_label(report) if trend.what == report.metric else trend.what.replace("_", " ")
        against = trend.against.replace("_", " ") + " of the class" if trend.per_class else trend.against
        p = "–" if trend.p is None else p_value(trend.p)
        table.add_row(trend.method or "base model", what, against, str(trend.points), optional(trend.rho), p)
    return table


def _metric_label(report: SweepReport) -> str:
    from slicebench.metrics.ranking import METRICS

    return METRICS[report.metric].label
