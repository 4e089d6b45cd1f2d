"""Tables of one method's captions on one problem, by class and by judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from slicebench.cli.console.numbers import between, results_console
from slicebench.cli.console.split import EDGE, Column, print_split, wrapped
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console


def print_captions(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the report of `slicebench captions`: captions and gap by class, then the gap by judge."""
    console = console or results_console()
    title = f"{report['method']} on {report['problem']}, seed {report['seed']}, in {report['encoder']}"
    classes = report["captions"]["per_class"]
    room = _WIDE if console.width >= 2 * (_WIDE + EDGE) + _REST else _NARROW
    columns = []
    for end in ("hardest", "easiest"):
        ends = [_first(one[end], one, report["accuracy_near"].get(name, {}), room) for name, one in classes.items()]
        columns.append(Column(f"{end} captions", ends, "left"))
    ranks = ["–" if one["metrics"]["mrr"] is None else _rank(one) for one in classes.values()]
    columns += [
        Column("names the plant", ranks, "left"),
        Column("gap", [_gap(one["metrics"]) for one in classes.values()]),
    ]
    print_split(console, title, [Column("class", [Text(name) for name in classes], "left")], columns, lines=True)
    judges = report["judges"]
    columns = [
        Column("gap", [optional(judged["gap"]) for judged in judges.values()]),
        Column("share of own", [optional(judged["retention"]) for judged in judges.values()]),
    ]
    print_split(console, "Easy–hard gap by judge", [Column("judge", [Text(name) for name in judges], "left")], columns)
    for name, accuracy in report.get("decoded", {}).items():
        console.print(Text(f"decoded {name}: the base model is right on {accuracy:.0%}"))
    console.print(_LOOK_LEGEND)


_LOOK_LEGEND = Text(
    "*: the caption names a planted group. The method ranks the captions, hardest first. The number after a caption is the base "
    "model's accuracy on the tenth of the class's test images that is nearest to it.",
    style="dim",
)


_WIDE, _NARROW = 40, 27
"""Widths at which a caption is wrapped, on a wide and on a narrow terminal."""

_REST = 52
"""Width that the other columns may take on a wide terminal."""


def _first(texts: Sequence[str], one: Mapping[str, Any], near: Mapping[str, float], width: int) -> Text:
    """Return the first three captions, each with its mark and the accuracy nearby; wrapped lines are indented."""
    lines = []
    for text in texts[:3]:
        accuracy = f" {short(near[text])}" if text in near else ""
        marked = f"{'* ' if text in one['naming'] else ''}{text}{accuracy}"
        lines += str(wrapped(marked, width, indent="  ")).split("\n")
    return Text("\n".join(lines))


def _rank(one: Mapping[str, Any]) -> str:
    """Return the rank of the first caption that names a group, and the number of captions."""
    rank = 1 / one["metrics"]["mrr"]
    return f"{'yes' if rank < 1.5 else 'no'}: rank {rank:.3g}\nof {one['candidates']}"


def _gap(metrics: Mapping[str, float | None]) -> str:
    value, low, high = (metrics[key] for key in ("gap", "gap_low", "gap_high"))
    return "–" if value is None or low is None or high is None else f"{short(value)}\n{between(low, high)}"
