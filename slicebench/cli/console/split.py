"""Tables split into parts that fit the terminal; each part repeats the rows' names."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console


EDGE = 3
"""Width of a column beside its text: a space on both sides and a line."""


@dataclass(frozen=True)
class Column:
    """A heading and a cell per row: text, or rich's markup with its brackets escaped."""

    heading: str
    cells: Sequence[str | Text]
    justify: Literal["left", "center", "right"] = "right"

    @property
    def width(self) -> int:
        """Width of the column in the terminal, with its edges."""
        return EDGE + max(_width(cell) for cell in (self.heading, *self.cells))


def print_split(
    console: Console,
    title: str,
    kept: Sequence[Column],
    columns: Sequence[Column],
    *,
    head: int = 0,
    lines: bool = False,
) -> None:
    """Print tables, each with the columns `kept` and as many of `columns` as fit.

    A line separates the first `head` rows from the others, or all rows if `lines` is set.
    """
    for part in _parts(columns, console.width - 1 - sum(column.width for column in kept)):
        table = Table(show_lines=lines)
        shown = [*kept, *part]
        for column in shown:
            table.add_column(column.heading, justify=column.justify, no_wrap=True)
        for i, row in enumerate(zip(*(column.cells for column in shown), strict=True)):
            table.add_row(*row, end_section=i == head - 1)
        if title:  # a table's own title would be wrapped to the table's width
            console.print(Text(title, style="table.title"))
        console.print(table)


def wrapped(text: str, width: int, *, indent: str = "") -> Text:
    """Return `text` in lines of at most `width`, broken between words only; `indent` begins all but the first."""
    lines = wrap(text, width, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent)
    return Text("\n".join(lines))


def _parts(columns: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """Yield runs of columns that fit into `room`, with at least one column each."""
    part: list[Column] = []
    for column in columns:
        if part and sum(one.width for one in part) + column.width > room:
            yield part
            part = []
        part.append(column)
    yield part


def _width(cell: str | Text) -> int:
    """Return the width of the longest line of a cell."""
    text = cell if isinstance(cell, Text) else Text.from_markup(cell)
    return max(line.cell_len for line in text.split("\n", allow_blank=True))
