"""Datasets: what there is, and the state of one dataset's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import results_console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from slicebench.plugins.dataset_card import FileReport
    from slicebench.plugins.dataset_status import DataReport


def print_datasets(datasets: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print a row per dataset: what is planted, how much of it, licence, where the data are expected, whether they are there."""
    console = console or results_console()
    table = Table(title="datasets", title_justify="left", show_lines=True)
    for column in ("name", "modality", "n", "planted group", "rate", "licence", "expected at", "ready"):
        table.add_column(column, overflow="fold")
    for item in datasets:
        if item["status"] != "ok" or "title" not in item:
            table.add_row(*map(Text, (item["name"], *[""] * 6, item["status"])))
            continue
        ready = "yes" if item["ready"] else "no"
        place = item["expected"] or (item["obtain"] or "generated")
        fields = (item[key] for key in ("name", "modality", "size", "group", "rate", "licence"))
        table.add_row(*map(Text, fields), Text(place), ready)
    console.print(table)
    console.print(Text("`slicebench data check NAME` says what is missing, how to get it, and under which licence."))


def print_data_report(report: DataReport, console: Console | None = None) -> None:
    """Print a dataset's card and the state of its files."""
    console, card = console or results_console(), report.card
    console.print(Text(f"{card.title} ({report.name})"))
    facts = {"n": card.size, "planted": f"{card.group}; {card.rate}", "licence": card.licence, "source": card.source}
    for label, fact in (facts | ({"obtain": card.obtain} if card.obtain else {})).items():
        console.print(Text(f"  {label:<9}{fact}"))
    if report.layouts and not report.root.is_dir():
        console.print(Text(f"there is no folder {report.root}"))
    for layout in report.layouts:
        state = "complete" if layout.complete else "incomplete"
        console.print(Text(f"layout {layout.layout!r}: {state} in {layout.folder}"))
        for file in layout.files:
            console.print(Text(f"  {file.wanted.path:<34} {file.wanted.what:<18} {_file_state(file)}"))
    usable = "ready" if report.usable else "not ready: fetch what is missing or differs"
    console.print(Text(usable if report.layouts else f"ready: {card.obtain or 'generated, nothing to fetch'}"))


def _file_state(file: FileReport) -> str:
    if not file.found:
        return "missing"
    state = f"{file.found:,} file{'s' if file.found > 1 else ''}, {file.size / 1e6:,.1f} MB"
    checked = "" if file.md5_holds is None else ", checksum as published"
    return f"{state}: {file.problem}" if file.problem else state + checked
