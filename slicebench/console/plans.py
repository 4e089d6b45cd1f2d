"""What a run would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.console._shared import results_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.runner import PlannedCell


def print_plan(planned: Sequence[PlannedCell], console: Console | None = None) -> None:
    """Print one line per cell: whether it would run, and why."""
    console = console or results_console()
    for item in planned:
        line = f"{item.action:<5}{item.cell.problem.name} s{item.cell.problem.seed} {item.cell.method}: {item.why}"
        console.print(Text(line), soft_wrap=True)
    running = sum(item.action == "run" for item in planned)
    console.print(Text(f"{running} to run, {len(planned) - running} done"))
