"""Tables of a run or a leaderboard: results by problem, then captions and costs."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import cell, p_value, results_console
from slicebench.cli.console.split import Column, print_split
from slicebench.results.numbers import BEHIND, optional, short

if TYPE_CHECKING:
    from rich.console import Console

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import Board, MethodRow, ProblemColumn


MOST_PROBLEMS = 12
"""More problems are summed up by modality."""


def print_board(board: Board, console: Console | None = None) -> None:
    """Print the results, the methods that are not ranked, then captions and costs."""
    console = console or results_console()
    if len(board.problems) <= MOST_PROBLEMS:
        _print_scores(board, console)
    else:
        _print_summary(board, console)
    console.print(_legend(board))
    if board.agreement:
        console.print(Text(board.agreement, style="dim"))
    for row in board.methods:
        if row.incomplete:
            console.print(Text(f"{row.name} is not ranked: {row.incomplete}"))
    if any(row.caption_classes for row in board.methods):
        _print_captions(board, console)
        console.print(_CAPTION_LEGEND)
    if any(row.seconds is not None for row in board.methods):
        _print_costs(board, console)


def _print_scores(board: Board, console: Console) -> None:
    """Print facts about each problem, then each method's score on it."""
    empty = [""] * len(_HEADER_ROWS)
    labels = [Text(label, style="dim") for label, _ in _HEADER_ROWS]
    ranks = ["–" if row.rank is None or row.incomplete else f"{row.rank:.1f}" for row in board.methods]
    kept = [
        Column("method", [*labels, *map(_label, board.methods)], "left"),
        Column("mean", [*empty, *(cell(row.values.get("namf")) for row in board.methods)], "center"),
        Column("rank", [*empty, *ranks]),
    ]
    columns = []
    for problem in board.problems:
        about = ["–" if (v := getattr(problem, field)) is None else _plain(label, v) for label, field in _HEADER_ROWS]
        scores = [cell(board.cells[problem.name][row.name].values.get("namf")) for row in board.methods]
        columns.append(Column(_folded(problem.name), [*about, *scores], "center"))
    print_split(console, "nAMF by problem, methods sorted by mean", kept, columns, head=len(_HEADER_ROWS))


def _print_summary(board: Board, console: Console) -> None:
    """Print each method's mean over all problems, by kind of groups and by modality."""
    names, modalities = [row.name for row in board.methods], dict.fromkeys(p.modality for p in board.problems)
    columns = [
        Column(
            f"{view.kind}\n({view.problems})",
            ["", *(optional(one.mean if (one := view.values.get(name)) else None) for name in names)],
        )
        for view in board.kinds
    ]
    for modality in sorted(modalities):
        own = [problem for problem in board.problems if problem.modality == modality]
        columns.append(Column(f"{modality}\n({len(own)})", ["", *(_mean_over(board, name, own) for name in names)]))
    kept = [
        Column("method", [Text("problems", style="dim"), *map(_label, board.methods)], "left"),
        Column(
            "mean",
            [str(len(board.problems)), *(cell(row.values.get("namf")) for row in board.methods)],
            "center",
        ),
        Column(
            "rank", ["", *("–" if row.rank is None or row.incomplete else f"{row.rank:.1f}" for row in board.methods)]
        ),
    ]
    print_split(console, "nAMF, methods sorted by mean; `slicebench report` shows each problem", kept, columns, head=1)


def _mean_over(board: Board, method: str, problems: list[ProblemColumn]) -> str:
    """Return the mean over problems; a dash if one of them is missing."""
    found = [board.cells[problem.name][method].values.get("namf") for problem in problems]
    return optional(fmean(one.mean for one in found if one) if all(found) else None)


def _folded(name: str) -> str:
    """Return a problem's name with a line per word."""
    return name.replace("-", "-\n")


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
    mean = (compared and compared.too_few) or "For the mean, p over families is below 0.05 after Holm's correction"
    return Text(
        f"Mean over {count} seed{'s' * (count != '1')}, 95% interval below. Chance is 0, ideal is 1. {BEHIND}: below the "
        f"column's best (the paired interval does not contain 0). {mean}.{over} (ref): ends of the scale, not "
        "ranked. Accuracies are the base model's.",
        style="dim",
    )


_UNITS = {"problem": "problems", "family": "families of datasets"}

_CAPTION_LEGEND = Text(
    "Hit@1, Hit@2: share of classes, over all seeds, where the hardest caption, or one of the two hardest, names the planted "
    "group. p: exact test against chance. MRR: mean reciprocal rank of the first caption that names it. Gap: accuracy on the "
    "images nearest the easiest caption minus accuracy on those nearest the hardest.",
    style="dim",
)


def _print_captions(board: Board, console: Console) -> None:
    """Print the captions' metrics over all problems and Hit@2 per problem, below their chance."""
    rows = sorted((r for r in board.methods if r.caption_classes), key=lambda r: -r.values["hit_at_1"].mean)
    chance = rows[0].chance
    columns = [Column("classes", ["", *(str(row.caption_classes) for row in rows)])]
    for key, label in (("hit_at_1", "Hit@1"), ("hit_at_2", "Hit@2")):
        columns += [
            Column(label, [short(chance[key]), *(short(row.values[key].mean) for row in rows)]),
            Column("p", ["", *(p_value(row.p[key]) for row in rows)]),
        ]
    for key, label, by_chance in (("mrr", "MRR", short(chance["mrr"])), ("gap", "gap", ".00")):
        columns.append(Column(label, [by_chance, *(_mean(row.values.get(key)) for row in rows)]))
    for problem, own in board.cells.items():
        if (expected := _caption_chance(board, problem)) is not None:
            hits = [_mean(own[row.name].values.get("hit_at_2")) for row in rows]
            columns.append(Column("Hit@2\n" + _folded(problem), [short(expected), *hits]))
    names = Column("method", [Text("chance", style="dim"), *(Text(row.name) for row in rows)], "left")
    print_split(console, "Captions, methods sorted by Hit@1", [names], columns, head=1)


def _caption_chance(board: Board, problem: str) -> float | None:
    """Return the chance of Hit@2 on a problem; None if it has no captions."""
    return next((c for one in board.cells[problem].values() if (c := one.chance.get("hit_at_2")) is not None), None)


def _mean(estimate: Estimate | None) -> str:
    return optional(None if estimate is None else estimate.mean)


def _print_costs(board: Board, console: Console) -> None:
    rows = sorted((r for r in board.methods if r.seconds is not None), key=lambda r: r.fit_seconds or 0.0)
    fields = (
        ("fit s", "fit_seconds", 3),
        ("training s\nin fit", "training_seconds", 2),
        ("score s", "score_seconds", 3),
        ("captions s", "caption_seconds", 3),
        ("peak MB", "peak_mb", 0),
    )
    columns = [Column("cells", [str(row.n) for row in rows])]
    columns += [Column(label, [f"{getattr(row, field):.{digits}f}" for row in rows]) for label, field, digits in fields]
    names = Column("method", [Text(row.name) for row in rows], "left")
    print_split(console, "Cost, median over cells, sorted by fit time", [names], columns)
