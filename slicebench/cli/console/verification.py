"""Table of a method's published and fresh values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import change, results_console
from slicebench.cli.console.split import Column, print_split
from slicebench.results.numbers import short, signed

if TYPE_CHECKING:
    from rich.console import Console

    from slicebench.studies.verification import Verification


def print_verification(found: Verification, console: Console | None = None) -> None:
    """Print published and fresh nAMF by problem, the mean difference, the problems left out, and the verdict."""
    console = console or results_console()
    rows = found.problems
    if rows:
        columns = [
            Column("published", [short(row.published) for row in rows]),
            Column("seeds", [str(len(row.published_seeds)) for row in rows]),
            Column("fresh", [short(row.fresh) for row in rows]),
            Column("seeds", [str(len(found.seeds))] * len(rows)),
            Column("fresh − published", [signed(row.difference) for row in rows]),
        ]
        kept = [Column("problem", [Text(row.problem) for row in rows], "left")]
        print_split(console, f"{found.method} at fresh seeds: nAMF", kept, columns)
    if found.difference is not None:
        console.print(f"mean difference over {len(rows)} problems: {change(found.difference, gap=' ')}", soft_wrap=True)
    for name, why in found.left_out.items():
        console.print(Text(f"left out: {name}: {why}"), soft_wrap=True)
    for note in found.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    console.print(Text(f"verdict: {found.verdict}"), soft_wrap=True)
