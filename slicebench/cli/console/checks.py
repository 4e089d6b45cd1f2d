"""Whether results hold: the gate's verdicts against a baseline, and the controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import between, cell, change, results_console
from slicebench.cli.console.split import Column, print_split
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import ControlBoard, ControlRate
    from slicebench.results.leaderboard.gate import GateVerdict


def print_verdicts(verdicts: Sequence[GateVerdict], console: Console | None = None) -> None:
    """Print what the gate says, method by method, and below what moved."""
    console = console or results_console()
    table = Table(title="Against the baseline", title_justify="left")
    for name in ("method", "check", "verdict", "nAMF now − then", "cells", "why"):
        table.add_column(name, justify="right" if name == "cells" else "left", no_wrap=name in ("method", "verdict"))
    for v in verdicts:
        table.add_row(v.method, v.check, _VERDICTS[v.status], _moved(v.difference), str(v.cells or "–"), Text(v.why))
    console.print(table)
    moved = [(v.method, m) for v in verdicts for m in v.moved]
    if moved:
        table = Table(title="What moved", title_justify="left")
        for name in ("method", "problem", "nAMF now − then"):
            table.add_column(name, no_wrap=name != "nAMF now − then")
        for method, one in moved:
            table.add_row(method, one.problem, _moved(one.difference))
        console.print(table)


def _moved(difference: Estimate | None) -> str:
    """A difference that has an interval, on one line."""
    return change(None if difference is None or difference.high is None else difference, gap=" ")


_VERDICTS = {
    "pass": Text("pass", style="green"),
    "warn": Text("warn", style="yellow"),
    "fail": Text("FAIL", style="bold red"),
    "new": Text("new", style="dim"),
}


def print_controls(board: ControlBoard, console: Console | None = None) -> None:
    """Print how often each method declares in each control, then what the controls are and what there is to say of a method."""
    console = console or results_console()
    seen = [
        ({rate.control: rate for rate in row.rates}, {rate.control: rate for rate in row.open_rates})
        for row in board.rows
    ]
    columns = [
        Column(
            f"{info.key}\n{info.label.replace(' ', chr(10))}",
            [_rate(blind.get(info.key)) for blind, _ in seen],
            "center",
        )
        for info in board.controls
        if info.key != "C1"
    ]
    columns += [
        Column("C0\nopen", [_rate(seeing.get("C0")) for _, seeing in seen], "center"),
        Column("C0\nreturned", [optional(row.returned.get("C0")) for row in board.rows], "center"),
    ]
    if any(info.key == "C1" for info in board.controls):
        columns.append(Column("C1\nnAMF", [cell(row.namf) for row in board.rows], "center"))
    title = f"Controls: share of {board.replicates} replicates in which a method declares"
    print_split(console, title, [Column("method", [Text(row.method) for row in board.rows], "left")], columns)
    for info in board.controls:
        console.print(Text(f"{info.key}: {info.about}", style="dim"))
    console.print(_CONTROLS_LEGEND)
    for row in board.rows:
        for note in row.notes:
            console.print(Text(f"{row.method}: {note}"))


_CONTROLS_LEGEND = Text(
    "95 % Clopper–Pearson interval below. The held-out part is scored blind, with outcomes permuted within class; open: with the "
    "outcomes that the slices are tested on. returned: before any test, a slice has a member.",
    style="dim",
)


def _rate(rate: ControlRate | None) -> str:
    return "–" if rate is None else f"{short(rate.rate)}\n{between(rate.low, rate.high)}"
