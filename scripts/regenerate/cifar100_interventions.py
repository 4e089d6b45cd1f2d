"""Run filtering and Data-Centric Debugging on CIFAR-100's superclasses, with the published figures.

    python scripts/regenerate/cifar100_interventions.py ../shared/data --features runs/cifar100/mobilenet.npz
                                                                          → leaderboard/cifar100-interventions.json

The folder holds cifar100/ (Hugging Face layout) and weights_mobilenet_v2/. Splits, rare subclasses
and K are the paper's (Jain et al. 2022: train 40%, val 20%, pool 40%; a quarter of one subclass
stays in train; K = 25 to 100 per superclass). Because there was no GPU, the base model differs: it
is a small network on the features of a MobileNetV2 trained on ImageNet, which are also the
embeddings. The paper's is a ResNet-18 trained from scratch, and its embeddings are CLIP's. Features
take a quarter of an hour and are stored in --features.

For debugging (Singla et al. 2022), 30% of the pool's labels are wrong.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cifar100_captions import conse, kept
from interventions import put
from interventions_markdown import debugging_table

from slicebench.cli.console import print_interventions
from slicebench.data.captions.grammar import caption_set
from slicebench.models.training import Recipe
from slicebench.problems.building import build_problem
from slicebench.problems.frozen import save_problem
from slicebench.results.markdown import table
from slicebench.runs.suite import ProblemSpec, Suite
from slicebench.runs.tasks import Limits
from slicebench.studies.interventions.design import plan_arms
from slicebench.studies.interventions.effects import intervention_board
from slicebench.studies.interventions.picture import draw_interventions
from slicebench.studies.interventions.run import run_arms
from slicebench_datasets.cifar100_superclass import CIFAR100Superclass

if TYPE_CHECKING:
    from slicebench.studies.interventions.record import InterventionBoard

OUT = Path(__file__).parents[2] / "leaderboard" / "cifar100-interventions.json"
RECIPE = {"arch": "mlp", "width": 128, "epochs": 15, "batch_size": 256, "peak_lr": 0.02, "peak_epoch": 3}
PUBLISHED = {
    "minority, K = 75": {"none": 0.4345, "random": 0.4915, "confidence": 0.4985, "svm_directions": 0.519},
    "overall, K = 100": {"none": 0.696, "random": 0.712, "confidence": 0.716, "svm_directions": 0.720},
}
"""Figures of Jain et al., from their notebooks and table."""
NOISE = 0.3
DEBUGGING = {
    "debugging": ("dcd.selection=nearest,random,complete", "dcd.n=1"),
    "whole-pool": ("dcd.same_label=true,false", "dcd.n=1"),
    "shared-errors": ("dcd.selection=nearest,random,complete", "dcd.models=4", "dcd.n=2"),
}
"""Variants of Data-Centric Debugging: the algorithm, the ablation, and seeds that four models all get wrong."""


def adapter_of(data: Path, noise: float) -> CIFAR100Superclass:
    return CIFAR100Superclass(root=str(data / "cifar100"), encoder="identity", recipe=RECIPE, pool_noise=noise)


def freeze(data: Path, features: Path, noise: float, folder: Path) -> None:
    """Freeze the problem with MobileNetV2's features in place of the images in `folder`."""
    adapter = adapter_of(data, noise)
    raw = adapter.raw(0)
    captions = caption_set("cifar100", adapter.read().names["coarse_label"])
    found = kept(features, lambda: conse(data, dict(raw.splits), captions.texts, 128))
    splits = {name: replace(part, inputs=found[name][0].astype(np.float32)) for name, part in raw.splits.items()}
    one = replace(raw, splits=splits, base_model=Recipe(**RECIPE), captions=None, captions_for_groups=None)
    save_problem(build_problem(adapter, one, 0), folder)


def suite_of(name: str, data: Path, noise: float) -> Suite:
    spec = ProblemSpec(name=name, dataset="cifar100_superclass", params=adapter_of(data, noise).get_params())
    return Suite(name=name, description="", seeds=(0,), methods=("confidence", "svm_directions"), problems=(spec,))


def board_of(name: str, asked: argparse.Namespace, noise: float, **options: Any) -> InterventionBoard:
    """Freeze the problem if needed, run the arms, print and draw."""
    shelf = asked.work / f"problems-{name}"
    if not shelf.exists():
        freeze(asked.data, asked.features, noise, shelf / f"{name}.s0")
    suite = suite_of(name, asked.data, noise)
    arms = plan_arms(suite, retrain=asked.retrain, **options)

    def say(done: int, total: int, what: str) -> None:
        print(f"{done} of {total}: {what}", flush=True)

    outcome = run_arms(arms, out=asked.work / name, problems=shelf, limits=Limits(jobs=asked.jobs), on_progress=say)
    board = intervention_board(outcome, name)
    print_interventions(board)
    if asked.pictures:
        draw_interventions(board, asked.pictures / f"{name}.png")
    return board


def filtering_table(board: InterventionBoard) -> str:
    """Minority and overall accuracy by K and method, published figures last."""
    methods = ("none", "random", "confidence", "svm_directions", "oracle")
    rows = []
    for part in ("minority", "overall"):
        for k in (25, 50, 75, 100):
            arms = {row.method or "none": row for row in board.rows if row.variant in ("none", f"filter k={k}")}
            rows.append([f"{part}, K = {k}", *(f"{arms[method].values[part].mean:.3f}" for method in methods)])
    rows += [
        [f"published: {what}", *(f"{figures.get(m, '–')}" for m in methods)] for what, figures in PUBLISHED.items()
    ]
    return table(["accuracy", *methods], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with cifar100/ and weights_mobilenet_v2/")
    parser.add_argument("--features", type=Path, default=Path("runs/cifar100/mobilenet-128.npz"), help="kept features")
    parser.add_argument("--work", type=Path, default=Path("runs/cifar100"), help="problems and records")
    parser.add_argument("--retrain", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--pictures", type=Path, help="folder of a picture each (needs matplotlib)")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    asked.data = asked.data.resolve()
    asked.features.parent.mkdir(parents=True, exist_ok=True)
    filtering = board_of("cifar100-filter", asked, 0.0, interventions=("filter",), settings=("filter.k=25,50,75,100",))
    debugging = {
        name: board_of(f"cifar100-{name}", asked, NOISE, interventions=("dcd",), settings=(*settings, "dcd.n_val=0"))
        for name, settings in DEBUGGING.items()
    }
    out = {
        "date": datetime.now(UTC).date().isoformat(),
        "published": PUBLISHED,
        "recipe": RECIPE,
        "pool_noise": NOISE,
        "filtering": filtering.model_dump(mode="json"),
        "debugging": {name: board.model_dump(mode="json") for name, board in debugging.items()},
    }
    asked.out.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    put("cifar100-filtering", filtering_table(filtering))
    put("cifar100-debugging", debugging_table(*debugging.values()))


if __name__ == "__main__":
    main()
