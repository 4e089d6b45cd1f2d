"""What `run` and `show` print of a run folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.record import Record
    from slicebench.store import Entry, RunStore


def print_results(store: RunStore, cells: Sequence[tuple[Entry, Record | None]], *, as_json: bool) -> None:
    """Print tables, or {"records": [...], "summary": [...]}."""
    from slicebench.summary import summarise

    summary = summarise(store, cells)
    if as_json:
        records = [json.loads(record.model_dump_json()) for _, record in cells if record is not None]
        typer.echo(json.dumps({"records": records, "summary": summary.as_dicts()}, indent=1, allow_nan=False))
        return
    from slicebench.console import print_summary

    print_summary(summary)
