"""Lists of datasets, and the state of one dataset's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from slicebench.cli.console.numbers import results_console
from slicebench.cli.console.split import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from slicebench.plugins.dataset_card import DatasetCard, FileReport
    from slicebench.plugins.dataset_status import DataReport


def print_datasets(datasets: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print what is planted in each dataset, its licence, and where its data are or should be."""
    console = console or results_console()
    for item in datasets:
        console.print(Text(item["name"], style="bold"), soft_wrap=True)
        if item["status"] != "ok" or "title" not in item:
            _print_fact("", item["status"], console)
            continue
        place = item["expected"] or item["obtain"] or ("ships with slicebench" if item["facts"] else "generated")
        _print_fact("", f"{item['title']}: {item['modality']}, {item['size']}, version {item['version']}", console)
        _print_fact(_label_of(item["groups_kind"]), f"{item['group']}; {item['rate']}", console)
        _print_fact("licence", item["licence"], console)
        _print_fact("data", f"{'ready' if item['ready'] else 'missing'}: {place}", console)
    said = "`slicebench data card NAME` shows a dataset's card, `slicebench data check NAME` what is missing and how to get it."
    console.print(wrapped(said, console.width))


def _label_of(kind: str) -> str:
    return kind if len(kind) < _FACT else "groups"


def print_card(name: str, card: DatasetCard, about: Mapping[str, str], console: Console | None = None) -> None:
    """Print a dataset's card."""
    console = console or results_console()
    console.print(Text(f"{card.title} ({name}, {about['modality']}, version {about['version']})", style="bold"))
    facts = [("n", card.size), ("kind", card.groups_kind), *card.facts]
    if not card.facts:
        facts += [("groups", f"{card.group}; {card.rate}"), ("licence", card.licence)]
    facts += [("obtain", card.obtain)] if card.obtain else []
    for label, fact in [*facts, ("source", card.source)]:
        if len(label) < _FACT - 1:
            _print_fact(label, fact, console)
        else:
            console.print(Text(label))
            _print_fact("", fact, console)
    if card.citation:
        console.print(Text(f"\n{card.citation}"), soft_wrap=True)


def _print_fact(label: str, fact: str, console: Console) -> None:
    """Print a fact beside its label; a path or URL is never broken."""
    lines = str(wrapped(fact, max(30, console.width - _FACT))).splitlines()
    for i, line in enumerate(lines):
        console.print(Text(f"{label if i == 0 else '':>{_FACT - 2}}  {line}"), soft_wrap=True)


_FACT = 11
"""Width before a fact."""


def print_data_report(report: DataReport, console: Console | None = None) -> None:
    """Print a dataset's card and the state of its files; no line is broken inside a path."""
    console, card = console or results_console(), report.card
    console.print(Text(f"{card.title} ({report.name})"))
    facts = {"n": card.size, "planted": f"{card.group}; {card.rate}", "licence": card.licence, "source": card.source}
    for label, fact in (facts | ({"obtain": card.obtain} if card.obtain else {})).items():
        _print_fact(label, fact, console)
    if report.layouts and not report.root.is_dir():
        console.print(Text(f"there is no folder {report.root}"), soft_wrap=True)
    for layout in report.layouts:
        state = "complete" if layout.complete else "incomplete"
        console.print(Text(f"layout {layout.layout!r}: {state} in {layout.folder}"), soft_wrap=True)
        paths = max(len(file.wanted.path) for file in layout.files)
        whats = max(len(file.wanted.what) for file in layout.files)
        for file in layout.files:
            line = f"  {file.wanted.path:<{paths}}  {file.wanted.what:<{whats}}  {_file_state(file)}"
            console.print(Text(line), soft_wrap=True)
    usable = "ready" if report.usable else "not ready: fetch what is missing or differs"
    console.print(Text(usable if report.layouts else f"ready: {card.obtain or 'generated, nothing to fetch'}"))


def _file_state(file: FileReport) -> str:
    if not file.found:
        return "missing"
    state = f"{file.found:,} file{'s' if file.found > 1 else ''}, {file.size / 1e6:,.1f} MB"
    checked = "" if file.md5_holds is None else ", checksum as published"
    return f"{state}: {file.problem}" if file.problem else state + checked
