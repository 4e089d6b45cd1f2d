"""What of a run folder must repeat, for tests that compare two of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHANGING = ("sha256", "cost", "date", "hardware", "code_version")
"""Fields of a record that say when, where and how fast."""


def content(out: Path) -> dict[str, object]:
    """Records without what changes, and the bytes of all other files, by their names in the folder."""
    found: dict[str, object] = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        name = path.relative_to(out).as_posix()
        if name.startswith("records/") and path.suffix == ".json":
            found[name] = {k: v for k, v in json.loads(path.read_text()).items() if k not in CHANGING}
        else:
            found[name] = path.read_bytes()
    return found
