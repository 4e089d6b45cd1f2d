"""A sparse decision layer: its path in a line, its features class by class, and what it does without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import results_console
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


MOST = 10
"""Features per class that are printed; the report has all of them."""


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
    table = Table(title="Features, and the accuracy on the class without each", title_justify="left")
    for name in ("class", "feature", "weight", "pushed up by"):
        table.add_column(name, justify="left" if name in ("class", "pushed up by") else "right")
    for name in _ACCURACIES:
        table.add_column(name, justify="right")
    for name, one in report["classes"].items():
        table.add_row(Text(name, style="bold"), "", "", "", *_cells(one["accuracy"]), style="bold")
        for feature in one["features"][:MOST]:
            described = Text(", ".join(feature["described"]))
            table.add_row(
                "", str(feature["index"]), f"{feature['weight']:+.2f}", described, *_cells(feature["without"])
            )
        if len(one["features"]) > MOST:
            table.add_row(
                "", "", "", Text(f"and {len(one['features']) - MOST} more", style="dim"), *[""] * len(_ACCURACIES)
            )
    console.print(table)
    if report["ablated"] is not None:
        console.print(_ablated(report))
    console.print(_LEGEND)


_ACCURACIES = {"accuracy": "all", "minority": "minority", "majority": "majority", "gap": "gap"}

_LEGEND = Text(
    "Accuracies are those of the layer on test, within the class; minority and majority: in and outside the planted groups. "
    "Without a feature the layer's biases are set anew on train. A feature with a negative weight is described by what pushes "
    "it down.",
    style="dim",
)


def _cells(accuracy: Mapping[str, float | None]) -> list[str]:
    return [optional(accuracy[key]) for key in _ACCURACIES.values()]


def _ablated(report: Mapping[str, Any]) -> Table:
    features = report["ablated"]["features"]
    title = f"Without {len(features)} feature{'s'[: len(features) != 1]}: {', '.join(map(str, features))}"
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    for name in _ACCURACIES:
        table.add_column(name, justify="right")
    for name, after in report["ablated"]["classes"].items():
        before = report["classes"][name]["accuracy"]
        table.add_row(Text(name), *(_change(before[key], after[key]) for key in _ACCURACIES.values()))
    return table


def _change(before: float | None, after: float | None) -> str:
    return "–" if before is None or after is None else f"{short(before)} → {short(after)}"
