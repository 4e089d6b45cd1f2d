"""Tables of many columns, split so that each part fits the terminal and every row keeps its name."""

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
"""What a column takes beside its text: a space on both sides and a line."""


@dataclass(frozen=True)
class Column:
    """A heading and a cell per row, as rich reads them: text, or markup with its brackets escaped."""

    heading: str
    cells: Sequence[str | Text]
    justify: Literal["left", "center", "right"] = "right"

    @property
    def width(self) -> int:
        """Columns of the terminal that it takes."""
        return EDGE + max(_width(cell) for cell in (self.heading, *self.cells))


def print_split(
    console: Console, title: str, kept: Sequence[Column], columns: Sequence[Column], *, head: int = 0
) -> None:
    """Print tables that have the columns `kept` and as many of `columns` as fit; a line below the first `head` rows."""
    for part in _parts(columns, console.width - 1 - sum(column.width for column in kept)):
        table = Table()
        shown = [*kept, *part]
        for column in shown:
            table.add_column(column.heading, justify=column.justify, no_wrap=True)
        for i, row in enumerate(zip(*(column.cells for column in shown), strict=True)):
            table.add_row(*row, end_section=i == head - 1)
        if title:  # not the table's own title, which wraps where the table is narrow
            console.print(Text(title, style="table.title"))
        console.print(table)


def wrapped(text: str, width: int) -> Text:
    """Return `text` broken between words into lines of at most `width`; a longer word has a line of its own."""
    return Text("\n".join(wrap(text, width, break_long_words=False, break_on_hyphens=False)))


def _parts(columns: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """Yield runs of columns that fit into `room`, at least one column each."""
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
