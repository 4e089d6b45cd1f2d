"""Run the missing experiments of docs/reference/interventions.md, and write boards, pictures and tables.

    python scripts/regenerate/interventions.py              # an hour on two cores; can be resumed
    python scripts/regenerate/interventions.py synthesis    # one of them

Boards go to leaderboard/interventions/, pictures to docs/images/, tables between the markers of
docs/reference/interventions.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from interventions_markdown import page_table

from slicebench.files.json_models import save_model
from slicebench.models.encoders.cached import embed
from slicebench.models.encoders.encoder import make_encoder
from slicebench.problems.cache import build_missing, frozen_folder
from slicebench.problems.frozen import load_audit, load_truth
from slicebench.results.markdown import table
from slicebench.runs.plan import Filters, plan
from slicebench.runs.suite import load_suite
from slicebench.runs.tasks import Limits
from slicebench.studies.interventions.design import plan_arms
from slicebench.studies.interventions.effects import intervention_board
from slicebench.studies.interventions.kinds.retrieval import retention
from slicebench.studies.interventions.picture import draw_interventions
from slicebench.studies.interventions.run import run_arms

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "interventions.md"
SCENES = ("scenes-correlation", "scenes-rare")
ENCODERS, KS = ("nano-clip", "own-latent", "pixels-pca"), (1, 10, 50)
FEW = (0, 1, 2)
"""Seeds of the experiments that only compare variants."""
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "main": {
        "interventions": ("upweight", "filter"),
        "filters": Filters(methods=("confidence", "domino", "svm_directions"), seeds=tuple(range(10))),
    },
    "flagged": {
        "interventions": ("upweight",),
        "settings": ("upweight.like=svm_directions",),
        "filters": Filters(methods=("svm_directions",), seeds=tuple(range(10))),
    },
    "rules": {
        "interventions": ("upweight",),
        "settings": ("upweight.rule=factor,balanced,soft",),
        "filters": Filters(methods=("svm_directions",), problems=SCENES[:1], seeds=FEW),
    },
    "native": {
        "interventions": ("native",),
        "filters": Filters(methods=("early_stopping", "lff"), problems=(*SCENES, "colored-digits"), seeds=FEW),
    },
    "pool": {
        "interventions": ("filter",),
        "settings": ("filter.k=10,25,50,100",),
        "filters": Filters(methods=("confidence", "svm_directions"), problems=SCENES, seeds=FEW),
    },
    "synthesis": {
        "interventions": ("synthesise",),
        "settings": ("synthesise.prompt=hard,easy,reference",),
        "filters": Filters(methods=("svm_directions",), problems=SCENES),
    },
    "debugging": {
        "suite": "debugging",
        "interventions": ("dcd",),
        "settings": ("dcd.selection=nearest,random,complete",),
    },
    "spaces": {
        "suite": "debugging",
        "interventions": ("dcd",),
        "settings": ("dcd.encoder=nano-clip,own-latent", "dcd.same_label=true,false"),
        "filters": Filters(problems=("scenes-correlation-weak",), seeds=FEW),
    },
    "multi": {
        "suite": "debugging",
        "interventions": ("dcd",),
        "settings": ("dcd.selection=nearest,random,complete", "dcd.models=4"),
        "filters": Filters(problems=("scenes-correlation-weak",), seeds=FEW),
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
    put(name, page_table(name, board))


def retained() -> None:
    """Measure class and context retention of several encoders on one test split, and write the table."""
    suite = load_suite("interventions")
    problem = plan(suite, Filters(methods=("random",), problems=("scenes-correlation",), seeds=(0,)))[0].problem
    build_missing(problem, frozen_folder(problem))
    data, test = load_audit(frozen_folder(problem))
    scenes = load_truth(frozen_folder(problem), "test")
    # The pairs of class and usual background alternate, so a group's membership and the class tell the background.
    context = (scenes.minority(test.ids) != (test.labels % 2 == 1)).astype(np.int64)
    model, rows = data.trainer.fit(), []
    for name in ENCODERS:
        embeddings = embed(make_encoder(name).fit(data.train.inputs, model), test.inputs, test.ids)
        found = [retention(embeddings, keys, KS) for keys in (test.labels, context)]
        cells = [f"{one[k]:.2f}" for one in found for k in KS]
        rows.append([f"`{name}`", str(embeddings.shape[1]), *cells])
    head = ["encoder", "dimensions", *(f"{what}, k = {k}" for what in ("class", "context") for k in KS)]
    put("retention", table(head, rows))


def put(name: str, text: str) -> None:
    """Put a table into the page, between <!-- name --> and the next <!-- / -->."""
    page, start, end = PAGE.read_text(encoding="utf-8"), f"<!-- {name} -->\n", "<!-- / -->"
    if start in page:
        before, _, rest = page.partition(start)
        PAGE.write_text(before + start + text + end + rest.partition(end)[2], encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help=f"experiments to run, out of {', '.join([*EXPERIMENTS, 'retention'])}")
    parser.add_argument("--work", type=Path, default=Path("runs/interventions"), help="run folders")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    for name in asked.name or [*EXPERIMENTS, "retention"]:
        if name == "retention":
            retained()
        else:
            run(name, asked.work, asked.jobs)


if __name__ == "__main__":
    main()
