"""Tables of a sparse decision layer: its features by class, and its accuracy without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from slicebench.cli.console.numbers import results_console
from slicebench.cli.console.split import Column, print_split, wrapped
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


MOST = 10
"""Number of features printed per class; the report has all."""


def print_sparse(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the report of `slicebench sparse`."""
    console = console or results_console()
    layer = report["layer"]
    console.print(
        Text(
            f"{report['problem']}, seed {report['seed']}, features of {report['encoder']}: "
            f"{layer['features_per_class']:.3g} of {report['n_features']} features per class, "
            f"{layer['test_accuracy']:.1%} on test (dense layer {layer['dense_test_accuracy']:.1%})"
        )
    )
    _print_features(report, console)
    if report["ablated"] is not None:
        _print_ablated(report, console)
    console.print(_LEGEND)


def _print_features(report: Mapping[str, Any], console: Console) -> None:
    rows: list[tuple[Text, str, str, Text, list[str]]] = []
    for name, one in report["classes"].items():
        rows.append((Text(name, style="bold"), "all", "", Text(""), _cells(one["accuracy"])))
        for feature in one["features"][:MOST]:
            said = wrapped(", ".join(feature["described"]), _DESCRIBED)
            rows.append(
                (Text(name), str(feature["index"]), f"{feature['weight']:+.2f}", said, _cells(feature["without"]))
            )
        if (more := len(one["features"]) - MOST) > 0:
            rows.append((Text(name), f"{more} more", "", Text(""), [""] * len(_ACCURACIES)))
    classes, features, weights, described, accuracies = zip(*rows, strict=True)
    columns = [Column("weight", weights), Column("pushed up by", described, "left")]
    columns += [Column(name, cells) for name, cells in zip(_ACCURACIES, zip(*accuracies, strict=True), strict=True)]
    kept = [Column("class", classes, "left"), Column("feature", features)]
    print_split(console, "Features, and the accuracy on the class without each one", kept, columns)


_DESCRIBED = 40
"""Width at which the description of a feature is wrapped."""

_ACCURACIES = {"accuracy": "all", "minority": "minority", "majority": "majority", "gap": "gap"}

_LEGEND = Text(
    "Accuracies are the layer's on test, within the class; minority and majority: in and outside the planted groups. A row all: "
    "with all features; a feature's row: without it, with the layer's biases fitted again on train. A feature with a negative "
    "weight is described by what pushes it down.",
    style="dim",
)


def _cells(accuracy: Mapping[str, float | None]) -> list[str]:
    return [optional(accuracy[key]) for key in _ACCURACIES.values()]


def _print_ablated(report: Mapping[str, Any], console: Console) -> None:
    features = report["ablated"]["features"]
    title = f"Without {len(features)} feature{'s'[: len(features) != 1]}: {', '.join(map(str, features))}"
    pairs = [(report["classes"][name]["accuracy"], after) for name, after in report["ablated"]["classes"].items()]
    columns = [
        Column(name, [_change(before[key], after[key]) for before, after in pairs]) for name, key in _ACCURACIES.items()
    ]
    print_split(
        console, title, [Column("class", [Text(name) for name in report["ablated"]["classes"]], "left")], columns
    )


def _change(before: float | None, after: float | None) -> str:
    return "–" if before is None or after is None else f"{short(before)} → {short(after)}"
