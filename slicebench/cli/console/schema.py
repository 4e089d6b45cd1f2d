"""Print what each column of a user's table is used for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from slicebench.data.schema import sorted_by_use
from slicebench.data.schema.table_schema import NOT_USED

if TYPE_CHECKING:
    from slicebench.data.schema import ColumnUse, Schema


MOST = 30
"""Columns of one use that are listed; unused ones all are."""


def print_schema(schema: Schema, console: Console | None = None) -> None:
    """Print a line for each use with its columns to stderr, roles first and unused columns last, with the reason."""
    console = console or Console(stderr=True, highlight=False)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    by_use: dict[str, list[ColumnUse]] = {}
    for one in sorted_by_use(schema.uses):
        by_use.setdefault(one.use, []).append(one)
    unused = by_use.pop(NOT_USED, [])
    for use, columns in by_use.items():
        table.add_row(Text(f"{use}:", style="bold"), Text(_listed(columns)))
    for one in unused:
        table.add_row(Text(f"{NOT_USED}:", style="bold"), Text(f"{one.column} ({one.kind}): {one.why}"))
    console.print(table)


def _listed(columns: list[ColumnUse]) -> str:
    shown = [f"{one.column} ({one.kind})" + (f" {one.why}" if one.why else "") for one in columns[:MOST]]
    return ", ".join(shown) + (f" and {len(columns) - MOST} more" if len(columns) > MOST else "")
