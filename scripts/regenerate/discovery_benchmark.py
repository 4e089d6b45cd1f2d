"""Renew the comparison of finders on planted causes: python scripts/regenerate/discovery_benchmark.py

Chooses the settings of the peers on tuning tables, runs all finders on the report tables, and writes
leaderboard/discovery.json, the tables of docs/reference/discovery-benchmark.md and the pages of the leaderboard.
`--finder NAME`, repeatable, renews only the rows of these finders. Environments of peers are looked for in the folder
SLICEBENCH_PEERS. Results of single tables are kept in --out, and an interrupted run continues there: after a change of
a finder, name another file. All finders take hours on two cores, and `discover` alone some minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.discovery.benchmark.renewal import RENEWED, renewed
from slicebench.files.atomic import write_text
from slicebench.files.json_models import save_model
from slicebench.results.leaderboard.build import build
from slicebench.results.leaderboard.settings import load_discovery
from slicebench.results.markdown import discovery_kinds_table, discovery_table

if TYPE_CHECKING:
    from slicebench.results.board import DiscoveryBoard

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "leaderboard" / "discovery.json"
PAGE = ROOT / "docs" / "reference" / "discovery-benchmark.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finder", action="append", choices=RENEWED, help="renew only this finder; repeatable")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "discovery-benchmark.json")
    given = parser.parse_args()
    board = renewed(load_discovery(BOARD), given.finder or RENEWED, out=given.out, on_progress=told)
    save_model(BOARD, board)
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), board))
    for name, text in build(ROOT / "leaderboard").items():
        write_text(ROOT / "leaderboard" / name, text)


def told(done: int, total: int, what: str) -> None:
    print(f"{done} of {total}: {what}", file=sys.stderr)


def page(text: str, board: DiscoveryBoard) -> str:
    """Return the page with its tables renewed."""
    for name, made in (("results", discovery_table(board)), ("kinds", discovery_kinds_table(board))):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = text[: text.index(begin)] + f"{begin}\n\n{made}\n{end}" + text[text.index(end) + len(end) :]
    return text


if __name__ == "__main__":
    main()
