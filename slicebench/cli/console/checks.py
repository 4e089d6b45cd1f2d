"""Tables of the gate's verdicts against a baseline, and of the controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import between, cell, change, results_console
from slicebench.cli.console.split import EDGE, Column, print_split, wrapped
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import ControlBoard, ControlRate
    from slicebench.results.leaderboard.gate import GateVerdict


def print_verdicts(verdicts: Sequence[GateVerdict], console: Console | None = None) -> None:
    """Print the gate's verdict on each method, then the problems on which scores changed."""
    console = console or results_console()
    kept = [
        Column("method", [Text(v.method) for v in verdicts], "left"),
        Column("check", [v.check for v in verdicts], "left"),
    ]
    columns = [
        Column("verdict", [_VERDICTS[v.status] for v in verdicts], "left"),
        Column("nAMF now − then", [_moved(v.difference) for v in verdicts], "left"),
        Column("cells", [str(v.cells or "–") for v in verdicts]),
    ]
    room = console.width - 1 - sum(column.width for column in (*kept, *columns)) - EDGE
    columns.append(Column("why", [wrapped(v.why, max(_WHY, room)) for v in verdicts], "left"))
    print_split(console, "Against the baseline", kept, columns)
    moved = [(v.method, m) for v in verdicts for m in v.moved]
    if moved:
        kept = [
            Column("method", [Text(method) for method, _ in moved], "left"),
            Column("problem", [Text(one.problem) for _, one in moved], "left"),
        ]
        changes = Column("nAMF now − then", [_moved(one.difference) for _, one in moved], "left")
        print_split(console, "Problems on which nAMF changed", kept, [changes])


_WHY = 30
"""Width at which the reason of a verdict is wrapped, unless there is more room."""


def _moved(difference: Estimate | None) -> str:
    """Return a difference with its interval on one line; "–" if it has no interval."""
    return change(None if difference is None or difference.high is None else difference, gap=" ")


_VERDICTS = {
    "pass": Text("pass", style="green"),
    "warn": Text("warn", style="yellow"),
    "fail": Text("FAIL", style="bold red"),
    "new": Text("new", style="dim"),
}


def print_controls(board: ControlBoard, console: Console | None = None) -> None:
    """Print how often each method declares a slice in each control, then notes on controls and methods."""
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
    title = f"Controls: share of {board.replicates} replicates in which a method declares a slice"
    print_split(console, title, [Column("method", [Text(row.method) for row in board.rows], "left")], columns)
    for info in board.controls:
        console.print(Text(f"{info.key}: {info.about}", style="dim"))
    console.print(_CONTROLS_LEGEND)
    for row in board.rows:
        for note in row.notes:
            console.print(Text(f"{row.method}: {note}"))


_CONTROLS_LEGEND = Text(
    "95% Clopper–Pearson interval below. Methods score the held-out part blind, with outcomes permuted within class; open: they "
    "see the outcomes that the slices are tested on. returned: share in which a slice has a member, before any test.",
    style="dim",
)


def _rate(rate: ControlRate | None) -> str:
    return "–" if rate is None else f"{short(rate.rate)}\n{between(rate.low, rate.high)}"
