"""A run or a leaderboard: results by problem, then captions and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import cell, p_value, results_console
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import Board, MethodRow, ProblemColumn


_FIRST, _COLUMN = 44, 15
"""Widths of method, mean and rank together, and of a problem's column, for splitting the table."""


def print_board(board: Board, console: Console | None = None) -> None:
    """Print the result table, split where the terminal is too narrow, then the methods left out, then captions and costs."""
    console = console or results_console()
    per_table = max(1, (console.width - _FIRST) // _COLUMN)
    for start in range(0, len(board.problems), per_table):
        console.print(_scores_table(board, board.problems[start : start + per_table]))
    console.print(_legend(board))
    for row in board.methods:
        if row.incomplete:
            console.print(Text(f"{row.name} is not ranked: {row.incomplete}"))
    if any(row.caption_classes for row in board.methods):
        console.print(_caption_table(board))
        console.print(_CAPTION_LEGEND)
    if any(row.seconds is not None for row in board.methods):
        console.print(_cost_table(board))


def _scores_table(board: Board, problems: Sequence[ProblemColumn]) -> Table:
    table = Table(title="nAMF by problem, methods sorted by mean", title_justify="left", show_lines=False)
    table.add_column("method", no_wrap=True)
    table.add_column("mean", justify="center", no_wrap=True)
    table.add_column("rank", justify="right")
    for problem in problems:
        name = problem.name.replace("-", "-\n")
        table.add_column(name, justify="center", min_width=10, max_width=_COLUMN - 3, overflow="fold")
    for label, fields in _HEADER_ROWS:
        values = ["–" if (v := getattr(p, fields)) is None else _plain(label, v) for p in problems]
        table.add_row(Text(label, style="dim"), "", "", *values)
    table.add_section()
    for row in board.methods:
        cells = [cell(board.cells[p.name][row.name].values.get("namf")) for p in problems]
        rank = "–" if row.rank is None or row.incomplete else f"{row.rank:.1f}"
        table.add_row(_label(row), cell(row.values.get("namf")), rank, *cells)
    return table


_HEADER_ROWS = (
    ("test examples", "n_test"),
    ("minority share", "minority_rate"),
    ("minority accuracy", "minority_accuracy"),
    ("majority accuracy", "majority_accuracy"),
)


def _plain(label: str, value: float) -> str:
    return f"{value:.0f}" if label == "test examples" else short(value)


def _label(row: MethodRow) -> str:
    return f"{row.name} (ref)" if row.reference else row.name


def _legend(board: Board) -> Text:
    seeds = sorted({len(p.seeds) for p in board.problems})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}–{seeds[-1]}" if seeds else "0"
    compared = board.comparison
    over = f" Ranks are means over {compared.units} {_UNITS[compared.unit]}." if compared else ""
    return Text(
        f"Mean over {count} seeds, 95 % interval below. Chance 0, ideal 1. = not separated from the column's best: the paired "
        f"interval reaches 0; for the mean, Holm-corrected tests.{over} (ref): ends of the scale, not ranked. "
        "Accuracies are the base model's.",
        style="dim",
    )


_UNITS = {"problem": "problems", "family": "families of datasets"}

_CAPTION_LEGEND = Text(
    "Share of classes, over all seeds, whose hardest caption (Hit@1) or one of the two hardest (Hit@2) names the planted group; "
    "p: exact, against chance. MRR: reciprocal rank of the first caption that does. Gap: accuracy on the images nearest the "
    "easiest caption minus that nearest the hardest.",
    style="dim",
)


def _caption_table(board: Board) -> Table:
    """Over all problems, and Hit@2 problem by problem, each beside its chance."""
    table = Table(title="Captions, methods sorted by Hit@1", title_justify="left")
    table.add_column("method")
    for name in ("classes", "Hit@1", "p", "Hit@2", "p", "MRR", "gap"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = sorted((r for r in board.methods if r.caption_classes), key=lambda r: -r.values["hit_at_1"].mean)
    cells = {problem: board.cells[problem] for problem in board.cells if _caption_chance(board, problem) is not None}
    for problem in cells:
        table.add_column("Hit@2\n" + problem.replace("-", "-\n"), justify="right")
    chance = rows[0].chance
    said = ["", short(chance["hit_at_1"]), "", short(chance["hit_at_2"]), "", short(chance["mrr"]), ".00"]
    by_problem = [short(_caption_chance(board, problem) or 0.0) for problem in cells]
    table.add_row(Text("chance", style="dim"), *said, *by_problem)
    table.add_section()
    for row in rows:
        hits = [said for key in ("hit_at_1", "hit_at_2") for said in (short(row.values[key].mean), p_value(row.p[key]))]
        each = [_mean(own[row.name].values.get("hit_at_2")) for own in cells.values()]
        last = (_mean(row.values.get(key)) for key in ("mrr", "gap"))
        table.add_row(row.name, str(row.caption_classes), *hits, *last, *each)
    return table


def _caption_chance(board: Board, problem: str) -> float | None:
    """Chance of Hit@2 on a problem; None if it has no captions."""
    return next((c for one in board.cells[problem].values() if (c := one.chance.get("hit_at_2")) is not None), None)


def _mean(estimate: Estimate | None) -> str:
    return optional(None if estimate is None else estimate.mean)


def _cost_table(board: Board) -> Table:
    table = Table(title="Cost, median over cells, sorted by fit time", title_justify="left")
    table.add_column("method")
    for name in ("cells", "fit s", "of it training s", "score s", "captions s", "peak MB"):
        table.add_column(name, justify="right")
    fields = {"fit_seconds": 3, "training_seconds": 2, "score_seconds": 3, "caption_seconds": 3, "peak_mb": 0}
    for row in sorted((r for r in board.methods if r.seconds is not None), key=lambda r: r.fit_seconds or 0.0):
        table.add_row(row.name, str(row.n), *(f"{getattr(row, field):.{digits}f}" for field, digits in fields.items()))
    return table
