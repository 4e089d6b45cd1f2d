"""Write the output of `slicebench sparse`: table and plot of the path, features, images.

sparse.json    the layer, its features by class, and its accuracy without them
path.csv       every layer of the path: strength, features per class, accuracies
path.png       accuracy against features per class, if matplotlib is installed
features.png   per feature, the train images in which it is strongest, if the inputs are images
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.files.atomic import write_text
from slicebench.results.contact_sheets import SheetRow, are_images, contact_sheet
from slicebench.results.plots import COLOURS, save_figure
from slicebench.studies.sparse.inspection import group_accuracies, without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from slicebench.studies.sparse.inspection import Feature, GroupAccuracy, Studied


SHOWN = 5
"""Features per class on the contact sheet."""


def sparse_report(studied: Studied, found: Mapping[int, Sequence[Feature]], ablated: Sequence[int]) -> dict[str, Any]:
    """Return the report as JSON-ready values.

    It holds the chosen layer, its features by class, and its accuracies by class, with and without the
    features `ablated`.
    """
    problem, layer, names = studied.problem, studied.layer, studied.problem.data.class_names
    return {
        "problem": problem.name,
        "seed": problem.seed,
        "encoder": problem.encoder,
        "n_train": problem.data.train.n,
        "n_features": problem.data.train.d,
        "base_accuracy": None if problem.test.correct is None else float(problem.test.correct.mean()),
        "layer": {
            "lambda": layer.lam,
            "features_per_class": layer.per_class,
            "held_out_accuracy": float(studied.path.accuracies[studied.chosen]),
            "test_accuracy": float(studied.test_accuracies[studied.chosen]),
            "dense_test_accuracy": float(studied.test_accuracies[-1]),
        },
        "classes": {
            names[c]: {
                "accuracy": _accuracy(accuracy),
                "features": [asdict(feature) | {"without": _accuracy(feature.without)} for feature in found[c]],
            }
            for c, accuracy in group_accuracies(studied, layer).items()
        },
        "ablated": {
            "features": list(ablated),
            "classes": {
                names[c]: _accuracy(accuracy)
                for c, accuracy in group_accuracies(studied, without(studied, ablated)).items()
            },
        }
        if ablated
        else None,
    }


def _accuracy(accuracy: GroupAccuracy) -> dict[str, float | None]:
    return asdict(accuracy) | {"gap": accuracy.gap}


def write_report(
    studied: Studied, found: Mapping[int, Sequence[Feature]], ablated: Sequence[int], folder: Path
) -> dict[str, Any]:
    """Write all files into `folder` and return the content of sparse.json."""
    folder.mkdir(parents=True, exist_ok=True)
    report = sparse_report(studied, found, ablated)
    write_text(folder / "sparse.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
    write_text(folder / "path.csv", path_table(studied))
    if find_spec("matplotlib") is not None:
        draw_path(studied, folder / "path.png")
    _show_features(studied, found, folder / "features.png")
    return report


def path_table(studied: Studied) -> str:
    """Return the path as CSV, one line per layer; `gap` bounds the distance of the objective from its optimum."""
    lines = ["lambda,features_per_class,held_out_accuracy,test_accuracy,objective,gap,iterations,chosen"]
    for k, layer in enumerate(studied.path.layers):
        gap = "" if np.isnan(layer.gap) else f"{layer.gap:.3g}"
        lines.append(
            f"{layer.lam:.6g},{layer.per_class:g},{studied.path.accuracies[k]:.4f},{studied.test_accuracies[k]:.4f},"
            f"{layer.objective:.6g},{gap},{layer.iterations},{int(k == studied.chosen)}"
        )
    return "\n".join(lines) + "\n"


def draw_path(studied: Studied, path: Path) -> None:
    """Draw accuracy on test and on held-out train examples against features per class.

    The chosen layer is marked.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    x = studied.path.per_class
    axes.plot(x, studied.path.accuracies, color=COLOURS[5], label="held-out train examples")
    axes.plot(x, studied.test_accuracies, color=COLOURS[0], label="test")
    chosen = (x[studied.chosen], studied.test_accuracies[studied.chosen])
    axes.plot(
        *chosen, "o", color=COLOURS[1], label=f"chosen: {chosen[0]:.3g} features per class, {chosen[1]:.1%} on test"
    )
    axes.set_xscale("symlog", linthresh=1)
    ticks = [t for t in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if t <= max(x.max(), 1)]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set_xlabel("features per class (mean)")
    axes.set_ylabel("accuracy")
    axes.set_title(
        f"{studied.problem.name}, seed {studied.problem.seed}, features of {studied.problem.encoder}", fontsize=9
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save_figure(figure, path)


def _show_features(studied: Studied, found: Mapping[int, Sequence[Feature]], path: Path) -> None:
    """Draw a contact sheet: for every class's first features, the train images in which they are strongest.

    Planted members are framed. Nothing is drawn if the inputs are not images.
    """
    problem, train = studied.problem, studied.problem.data.train
    if train.inputs is None or not are_images(np.asarray(train.inputs[:1])):
        return
    row_of = {key: i for i, key in enumerate(train.ids.tolist())}
    rows = []
    for c, features in found.items():
        for feature in features[:SHOWN]:
            at = np.array([row_of[key] for key in feature.examples])
            label = f"{problem.data.class_names[c]}: feature {feature.index} ({feature.weight:+.2f})"
            rows.append(SheetRow(label, np.asarray(train.inputs[at]), problem.truth.minority(train.ids[at])))
    if rows:
        contact_sheet(rows, path)
