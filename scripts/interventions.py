"""The experiments of docs/interventions.md: runs what is missing, writes boards, pictures and the page's tables.

    python scripts/interventions.py                  # an hour on two cores; stops and goes on like any run
    python scripts/interventions.py synthesis        # one of them

Boards go to leaderboard/interventions/, pictures to docs/images/, tables into docs/interventions.md between its markers.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from slicebench.interventions.design import plan_arms
from slicebench.interventions.effects import intervention_board
from slicebench.interventions.picture import draw_interventions
from slicebench.interventions.run import run_arms
from slicebench.interventions.tables import debugging_table, effects_table
from slicebench.model_files import save_model
from slicebench.runner import Limits
from slicebench.suite import Filters, load_suite

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "interventions.md"
SCENES = ("scenes-correlation", "scenes-rare")
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "main": {
        "interventions": ("upweight", "filter"),
        "filters": Filters(methods=("confidence", "domino", "svm_directions")),
    },
    "rules": {
        "interventions": ("upweight",),
        "settings": ("upweight.rule=factor,balanced,soft",),
        "filters": Filters(methods=("svm_directions",), problems=SCENES),
    },
    "native": {
        "interventions": ("native",),
        "filters": Filters(methods=("early_stopping", "lff"), problems=(*SCENES, "colored-digits")),
    },
    "pool": {
        "interventions": ("filter",),
        "settings": ("filter.k=10,25,50,100",),
        "filters": Filters(methods=("confidence", "svm_directions"), problems=SCENES),
    },
    "synthesis": {
        "interventions": ("synthesise",),
        "settings": ("synthesise.prompt=hard,easy,reference",),
        "filters": Filters(methods=("confidence", "svm_directions"), problems=SCENES),
    },
    "debugging": {
        "suite": "debugging",
        "interventions": ("dcd",),
        "settings": ("dcd.selection=nearest,random,complete",),
    },
}


def run(name: str, work: Path, jobs: int) -> None:
    options = dict(EXPERIMENTS[name])
    suite = load_suite(options.pop("suite", "interventions"))
    arms = plan_arms(suite, **options)
    outcome = run_arms(
        arms,
        out=work / name,
        limits=Limits(jobs=jobs),
        on_progress=lambda done, total, what: print(f"{name}: {done} of {total}: {what}", flush=True),
    )
    for arm, record in outcome.failed.items():
        print(f"failed: {arm}: {record.reason}")
    board = intervention_board(outcome, suite.name)
    save_model(ROOT / "leaderboard" / "interventions" / f"{name}.json", board)
    draw_interventions(board, ROOT / "docs" / "images" / f"interventions-{name}.png")
    put(name, debugging_table(board) if name == "debugging" else effects_table(board))


def put(name: str, table: str) -> None:
    """Put a table into the page, between <!-- name --> and the next <!-- / -->."""
    text, start, end = PAGE.read_text(encoding="utf-8"), f"<!-- {name} -->\n", "<!-- / -->"
    if start in text:
        before, _, rest = text.partition(start)
        PAGE.write_text(before + start + table + end + rest.partition(end)[2], encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", choices=[[], *EXPERIMENTS], help="experiments to run; by default all")
    parser.add_argument("--work", type=Path, default=Path("runs/interventions"), help="run folders")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    for name in asked.name or EXPERIMENTS:
        run(name, asked.work, asked.jobs)


if __name__ == "__main__":
    main()
