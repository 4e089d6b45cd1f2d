"""Tables of the benchmark of discovery: a row per finder, over all kinds of tables and for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import results_console
from slicebench.cli.console.split import Column, print_split
from slicebench.results.numbers import optional, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from slicebench.discovery.benchmark.bench import Summary


def print_discover_bench(
    title: str, summaries: Sequence[Summary], kinds: Mapping[str, Sequence[Summary]], console: Console | None = None
) -> None:
    """Print a row per finder, and the causes found and false slices of each kind."""
    console = console or results_console()
    names = Column("finder", [Text(one.finder) for one in summaries], "left")
    print_split(console, title, [names], _columns(summaries))
    shown = {kind: {one.finder: one for one in found} for kind, found in kinds.items() if kind not in ("null", "class")}
    if len(shown) > 1:
        columns = [Column(kind, [_found(of.get(one.finder)) for one in summaries]) for kind, of in shown.items()]
        print_split(console, "Causes found, and false slices per table, by kind", [names], columns)
    console.print(_LEGEND)


def _columns(summaries: Sequence[Summary]) -> list[Column]:
    columns = [
        Column("found", [part_of(one.found, one.causes) for one in summaries]),
        Column("alone in\ntheir class", [part_of(one.alone_found, one.alone) for one in summaries]),
        Column("P@10", [optional(one.precision_at_10) for one in summaries]),
        Column("false\nper table", [optional(one.false) for one in summaries]),
        Column("nulls with\na slice", [part_of(one.nulls_shown, one.nulls) for one in summaries]),
        Column("named\nright", [part_of(one.right, one.named) for one in summaries]),
        Column("faulty class\nfirst", [part_of(one.class_first, one.class_tables) for one in summaries]),
        Column("seconds", ["–" if one.seconds is None else f"{one.seconds:.1f}" for one in summaries]),
        Column("skipped", [str(one.skipped or "–") for one in summaries]),
        Column("failed", [str(one.failed or "–") for one in summaries]),
    ]
    return [one for one in columns if one.heading not in ("skipped", "failed") or set(one.cells) != {"–"}]


def _found(one: Summary | None) -> str:
    return "–" if one is None or not one.causes else f"{part_of(one.found, one.causes)}, {optional(one.false)}"


_LEGEND = Text(
    "A cause is found if a slice has precision at least 0.8 and recall at least 0.5. A slice is false if less than 80% of its "
    "members lie in any cause. named right: found causes whose description names all their attributes and nothing else, where "
    "attributes are visible. seconds: per table; those of peers include the start of a process.",
    style="dim",
)
