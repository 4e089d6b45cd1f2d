"""Interventions: what each arm did for the model, and what a search of the pool found."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import cell, change, results_console
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from slicebench.studies.interventions.record import ArmRow, InterventionBoard

    Column = tuple[str, Callable[[ArmRow], str]]
    """Heading, and what stands in a row."""


_ACCURACIES = ("minority", "worst_group", "overall", "heldout")
_ARM, _COLUMN = 26, 20
"""Widths of an arm's name and of a column, for splitting tables where the terminal is too narrow."""


def print_interventions(board: InterventionBoard, console: Console | None = None) -> None:
    """Print per problem what accuracies the arms reach and what they change, then what they were noted for."""
    console = console or results_console()
    at_once = max(1, (console.width - _ARM) // _COLUMN)
    for problem in dict.fromkeys(row.problem for row in board.rows):
        rows = [row for row in board.rows if row.problem == problem]
        for title, columns in ((_title(board, problem), _accuracies()), (f"{problem}: what changed", _effects())):
            for start in range(0, len(columns), at_once):
                console.print(_table(title, rows, columns[start : start + at_once]))
        if any(row.measures for row in rows):
            console.print(_search_table(problem, [row for row in rows if row.measures]))
    console.print(_INTERVENTIONS_LEGEND)
    for row in board.rows:
        for note in (*row.notes, *([row.missing] if row.missing else [])):
            console.print(Text(f"{row.problem} {_arm(row)}: {note}"), soft_wrap=True)


def _title(board: InterventionBoard, problem: str) -> str:
    base = board.base.get(problem, {})
    said = ", ".join(f"{name.replace('_', ' ')} {short(base[name])}" for name in _ACCURACIES if name in base)
    draws, models = len(board.seeds), board.retrain
    count = f"{draws} draw{'s' * (draws != 1)} × {models} model{'s' * (models != 1)}"
    return f"{problem}: accuracy, {count}" + (f"; audited model: {said}" if said else "")


def _arm(row: ArmRow) -> str:
    return f"{row.variant} {row.method or ''}".strip()


def _accuracies() -> list[Column]:
    """Accuracies, and what the budget was spent on."""
    shown: list[Column] = [(name.replace("_", "\n"), partial(_value, name)) for name in _ACCURACIES]
    shown.append(("chosen", lambda row: "–" if row.chosen is None else f"{row.chosen:.0f}"))
    return [*shown, ("of them\nminority", lambda row: optional(row.chosen_minority))]


def _value(name: str, row: ArmRow) -> str:
    return cell(row.values.get(name))


def _effects() -> list[Column]:
    """Differences to retraining without intervention and to the reference, and recovery."""
    return [
        ("minority\nagainst none", lambda row: change(row.change.get("minority"))),
        ("minority\nagainst reference", lambda row: change(row.against.get("minority"))),
        ("worst group\nagainst reference", lambda row: change(row.against.get("worst_group"))),
        ("overall\nagainst none", lambda row: change(row.change.get("overall"))),
        ("recovery", lambda row: cell(row.recovery)),
    ]


def _table(title: str, rows: Sequence[ArmRow], columns: Sequence[Column]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("arm")
    for heading, _ in columns:
        table.add_column(heading, justify="center", no_wrap=True)
    for row in rows:
        table.add_row(Text(_arm(row)), *(show(row) for _, show in columns))
    return table


_INTERVENTIONS_LEGEND = Text(
    "95 % intervals over draws of the problem, or with one draw over retrained models and test examples. Reference: the same "
    "with the method random, or as the intervention says. Recovery: gain over random as a share of the oracle's. Heldout: test "
    "examples that the audited model gets wrong.",
    style="dim",
)


def _search_table(problem: str, rows: Sequence[ArmRow]) -> Table:
    """Data-Centric Debugging as its paper's tables have it: accuracies on seed, heldout and test, and what the search cost."""
    table = Table(title=f"{problem}: debugging", title_justify="left")
    table.add_column("arm", no_wrap=True)
    for name in ("seed", "heldout", "test", "seeds", "images\nadded", "dimensions", "MB", "search s"):
        table.add_column(name, justify="right")
    for row in rows:
        values = [cell(row.values.get(name)) for name in ("seed", "heldout", "overall")]
        measured = [row.measures.get(name) for name in ("dimensions", "megabytes", "retrieval_s")]
        numbers = ["–" if value is None else f"{value:.4g}" for value in measured]
        table.add_row(row.variant, *values, f"{row.measures.get('seeds', 0):.0f}", f"{row.chosen or 0:.0f}", *numbers)
    return table
