"""Tables of interventions: accuracies and effects of each arm, and searches of the pool."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import cell, change, results_console, share_cell
from slicebench.cli.console.split import Column, print_split
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from slicebench.studies.interventions.record import ArmRow, InterventionBoard

    Shown = tuple[str, Callable[[ArmRow], str]]
    """Heading of a column, and the function that returns its cell for a row."""


_ACCURACIES = ("minority", "worst_group", "overall", "heldout")


def print_interventions(board: InterventionBoard, console: Console | None = None) -> None:
    """Print each problem's accuracies and effects by arm, then the arms' notes."""
    console = console or results_console()
    for problem in dict.fromkeys(row.problem for row in board.rows):
        rows = [row for row in board.rows if row.problem == problem]
        for title, columns in ((_title(board, problem), _accuracies()), (f"{problem}: what changed", _effects())):
            arms = Column("arm", [Text(_arm(row)) for row in rows], "left")
            shown = [Column(heading, [show(row) for row in rows], "center") for heading, show in columns]
            print_split(console, title, [arms], shown)
        if any(row.measures for row in rows):
            _print_search(problem, [row for row in rows if row.measures], console)
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


def _accuracies() -> list[Shown]:
    """Return columns of accuracies, and of how the budget was spent."""
    shown: list[Shown] = [(name.replace("_", "\n"), partial(_value, name)) for name in _ACCURACIES]
    shown.append(("chosen", lambda row: "–" if row.chosen is None else f"{row.chosen:.0f}"))
    return [*shown, ("of them\nminority", lambda row: optional(row.chosen_minority))]


def _value(name: str, row: ArmRow) -> str:
    return share_cell(row.values.get(name))


def _effects() -> list[Shown]:
    """Return columns of differences to `none` and to the reference, and of recovery."""
    return [
        ("minority\nagainst none", lambda row: change(row.change.get("minority"))),
        ("minority\nagainst reference", lambda row: change(row.against.get("minority"))),
        ("worst group\nagainst reference", lambda row: change(row.against.get("worst_group"))),
        ("overall\nagainst none", lambda row: change(row.change.get("overall"))),
        ("recovery", lambda row: cell(row.recovery)),
    ]


_INTERVENTIONS_LEGEND = Text(
    "95% intervals are over draws of the problem, or with one draw over retrained models and test examples. None: retraining "
    "without intervention. Reference: the same intervention with the method random, or the intervention's own reference. "
    "Recovery: gain over random, as a share of the oracle's gain. Heldout: test examples that the audited model gets wrong.",
    style="dim",
)


def _print_search(problem: str, rows: Sequence[ArmRow], console: Console) -> None:
    """Print accuracies and search costs of Data-Centric Debugging, in the columns of its paper."""

    def numbers(name: str) -> list[str]:
        return ["–" if (value := row.measures.get(name)) is None else f"{value:.4g}" for row in rows]

    columns = [
        Column(heading, [_value(name, row) for row in rows])
        for heading, name in (("seed", "seed"), ("heldout", "heldout"), ("test", "overall"))
    ]
    columns += [
        Column("seeds", [f"{row.measures.get('seeds', 0):.0f}" for row in rows]),
        Column("images\nadded", [f"{row.chosen or 0:.0f}" for row in rows]),
        *(Column(h, numbers(n)) for h, n in (("dimensions",) * 2, ("MB", "megabytes"), ("search s", "retrieval_s"))),
    ]
    print_split(console, f"{problem}: debugging", [Column("arm", [Text(row.variant) for row in rows], "left")], columns)
