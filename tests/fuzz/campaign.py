"""All entries of all families, and a campaign over them: what `scripts/regenerate/fuzz.py` runs whole and CI a share of."""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz.harness import Box, Count, Entry, run

if TYPE_CHECKING:
    from collections.abc import Iterable

FAMILIES = {
    "arrays": "Arrays and metrics",
    "methods": "Methods on problems that no benchmark has",
    "files": "Our own formats, broken",
    "documents": "Names, texts, tables and pictures",
    "datasets": "Official layouts of datasets, broken",
    "commands": "The command line",
    "own": "A user's own predictions, and other tools' output",
}
"""Module to what its table of entries is called."""


def entries(family: str) -> list[Entry]:
    """Entries of a family."""
    found: list[Entry] = importlib.import_module(f"tests.fuzz.{family}").ENTRIES
    return found


def campaign(
    chosen: Iterable[Entry], inputs: int, *, number: int = 0, seconds: float | None = None, say: Any = None
) -> dict[str, Count]:
    """Try `inputs` times its share of each entry; `seconds` are the most for all of them together."""
    until = None if seconds is None else time.monotonic() + seconds
    counts: dict[str, Count] = {}
    with tempfile.TemporaryDirectory(prefix="slicebench-box-") as root:
        box = Box(Path(root) / "box")
        with box.entered():
            for entry in chosen:
                counts[entry.name] = run(
                    entry, max(1, round(inputs * entry.share)), box, number=number, collect=True, until=until
                )
                if say is not None:
                    say(entry.name, counts[entry.name])
    return counts


def as_json(family: str, counts: dict[str, Count]) -> list[dict[str, Any]]:
    """Rows of `docs/reference/reliability.json`: an entry, its inputs and how they ended."""
    return [
        {
            "family": FAMILIES[family],
            "entry": name,
            "inputs": c.inputs,
            "outcomes": dict(sorted(c.outcomes.items())),
            "bugs": len(c.bugs),
        }
        for name, c in counts.items()
    ]


def table(described: dict[str, Any]) -> str:
    """Markdown table of the file's rows, and a line that adds them up."""
    lines = ["| entry | inputs | results | typed errors |", "| --- | --: | --: | --- |"]
    for family in FAMILIES.values():
        rows = [row for row in described["entries"] if row["family"] == family]
        lines.append(f"| **{family}** | {sum(r['inputs'] for r in rows):,} |  |  |")
        for row in rows:
            errors = ", ".join(f"{name} {count:,}" for name, count in row["outcomes"].items() if name != "result")
            lines.append(
                f"| {row['entry']} | {row['inputs']:,} | {row['outcomes'].get('result', 0):,} | {errors or '–'} |"
            )
    total, bugs = (sum(row[key] for row in described["entries"]) for key in ("inputs", "bugs"))
    lines.append(
        f"| **all** | {total:,} | {sum(r['outcomes'].get('result', 0) for r in described['entries']):,} | neither: {bugs:,} |"
    )
    return "\n".join(lines) + "\n"


def read(path: Path) -> dict[str, Any]:
    """`docs/reference/reliability.json`."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
