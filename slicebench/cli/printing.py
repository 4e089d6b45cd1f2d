"""What `run` and `show` print of a run folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.record import Record
    from slicebench.store import Entry, RunStore
    from slicebench.suite import Suite


def print_results(
    store: RunStore, suite: Suite, cells: Sequence[tuple[Entry, Record | None]], *, as_json: bool
) -> None:
    """Print tables, or {"records": [...], "board": {...}}: what `slicebench.board` says of the cells."""
    from slicebench.outcomes import RunOutcomes
    from slicebench.standings import standings

    board = standings(RunOutcomes(store, cells), suite)
    if as_json:
        records = [record.model_dump(mode="json") for _, record in cells if record is not None]
        typer.echo(json.dumps({"records": records, "board": board.model_dump(mode="json")}, indent=1, allow_nan=False))
        return
    from slicebench.console import print_board

    print_board(board)
