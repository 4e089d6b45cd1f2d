"""One method's captions on one problem, class by class, and what other judges say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import between, results_console
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


def print_captions(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the report of `slicebench captions`: captions and gap of every class, then the gap before each judge."""
    console = console or results_console()
    title = f"{report['method']} on {report['problem']}, seed {report['seed']}, in {report['encoder']}"
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in ("class", "hardest captions", "easiest captions", "names the plant", "gap"):
        table.add_column(name, justify="right" if name == "gap" else "left", no_wrap=name in ("class", "gap"))
    for name, one in report["captions"]["per_class"].items():
        near = report["accuracy_near"].get(name, {})
        hardest, easiest = ([_described(text, one, near) for text in one[end][:3]] for end in ("hardest", "easiest"))
        ranked = "–" if one["metrics"]["mrr"] is None else _rank(one)
        ends = (Text("\n".join(texts)) for texts in (hardest, easiest))
        table.add_row(Text(name), *ends, ranked, _gap(one["metrics"]))
    console.print(table)
    judges = Table(title="Easy–hard gap by judge", title_justify="left")
    for name in ("judge", "gap", "share of own"):
        judges.add_column(name, justify="left" if name == "judge" else "right", no_wrap=True)
    for name, judged in report["judges"].items():
        judges.add_row(name, optional(judged["gap"]), optional(judged["retention"]))
    console.print(judges)
    for name, accuracy in report.get("decoded", {}).items():
        console.print(Text(f"decoded {name}: the base model is right on {accuracy:.0%}"))
    console.print(_LOOK_LEGEND)


_LOOK_LEGEND = Text(
    "* names a planted group. Captions are ranked by the method, hardest first; behind each the base model's accuracy on the "
    "tenth of the class's test images that is nearest to it.",
    style="dim",
)


def _described(text: str, one: Mapping[str, Any], near: Mapping[str, float]) -> str:
    """A caption with its mark, and the accuracy nearby."""
    accuracy = f"  {short(near[text])}" if text in near else ""
    return f"{'* ' if text in one['naming'] else ''}{text}{accuracy}"


def _rank(one: Mapping[str, Any]) -> str:
    """Reciprocal rank of the first caption that names a group, as a rank, of how many."""
    rank = 1 / one["metrics"]["mrr"]
    return f"{'yes' if rank < 1.5 else 'no'}: rank {rank:.3g}\nof {one['candidates']}"


def _gap(metrics: Mapping[str, float | None]) -> str:
    value, low, high = (metrics[key] for key in ("gap", "gap_low", "gap_high"))
    return "–" if value is None or low is None or high is None else f"{short(value)}\n{between(low, high)}"
