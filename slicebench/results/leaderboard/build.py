"""Generate README.md and index.html from a committed leaderboard.

Every build gives the same bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slicebench.evaluation.markdown_text import code, plain
from slicebench.results.leaderboard.settings import load_controls, load_discovery, load_tolerances, load_updates
from slicebench.results.leaderboard.store import LeaderboardStore
from slicebench.results.markdown import (
    captions_table,
    controls_table,
    discovery_table,
    kinds_table,
    methods_table,
    pairs_table,
    scores_table,
)
from slicebench.results.numbers import probability
from slicebench.results.page import render
from slicebench.results.standings import standings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slicebench.results.board import Board
    from slicebench.results.leaderboard.settings import Update


def leaderboard_board(root: Path) -> Board:
    """Return the board of the main suite in `root`, with its controls and the benchmark of discovery."""
    store = LeaderboardStore(root / load_tolerances(root).headline)
    board = standings(store, store.suite, kind="leaderboard")
    others = {
        "controls": load_controls(root / "controls.json"),
        "discovery": load_discovery(root / "discovery.json"),
    }
    return board.model_copy(update=others)


def build(root: Path, board: Board | None = None) -> dict[str, str]:
    """Return the text of each generated file, by its name.

    `board` is that of `root`, if it has been computed already.
    """
    board = board or leaderboard_board(root)
    return {"README.md": _readme(root, board, load_updates(root)), "index.html": render(board)}


def differing(root: Path, built: dict[str, str]) -> list[str]:
    """Return the names of generated files that are missing or differ from `built`."""
    return [
        name
        for name, text in built.items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != text
    ]


def _readme(root: Path, board: Board, updates: Sequence[Update]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown, not HTML
        loader=PackageLoader("slicebench.results.leaderboard", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = (
        methods_table,
        kinds_table,
        pairs_table,
        scores_table,
        captions_table,
        controls_table,
        discovery_table,
        probability,
    )
    environment.filters |= {"plain": plain, "code": code}
    template = environment.get_template("readme.md.j2")
    linked = (root.resolve().parent / "docs" / "concepts" / "statistics.md").exists()  # False in a plugin's repository
    text = template.render(board=board, updates=updates, linked=linked, **{table.__name__: table for table in tables})
    return re.sub("\n{3,}", "\n\n", text).rstrip() + "\n"
