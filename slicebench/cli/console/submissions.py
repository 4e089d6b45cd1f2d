"""Tables of submissions: their metrics next to chance, and their slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import between, cell, results_console
from slicebench.cli.console.split import Column, print_split, wrapped
from slicebench.metrics.ranking import METRICS
from slicebench.metrics.slices import SLICE_METRICS
from slicebench.results.numbers import BEHIND, optional, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.evaluation.record import Record, SliceFinding, SliceOutcome
    from slicebench.evaluation.submissions import Evaluation


RANKING = ("mf_at_10", "mf_at_25", "mf_at_100", "ap", "auroc")
SLICES = ("matched_kappa_at_10", "corrected_p_at_10", "discovery_rate_8_5", "error_coverage")
MOST_SLICES = 10
"""Number of slices shown per submission."""


def print_evaluation(found: Evaluation, console: Console | None = None) -> None:
    """Print the submissions by nAMF between chance and `random`, then their slices and notes."""
    console = console or results_console()
    _print_scores(found, console)
    console.print(_legend(found))
    with_slices = [record for record in found.records if record.slices is not None]
    if with_slices and found.planted:
        _print_worth(with_slices, console)
    for record in with_slices:
        if record.slices is not None and record.slices.k:
            _print_slices(record.method, record.slices, console)
    for record in found.records:
        for note in record.notes:
            console.print(Text(f"{record.method}: {note}"))


def _print_scores(found: Evaluation, console: Console) -> None:
    chance = found.rows[0].record.chance
    names = [f"{row.record.method} (ref)" if row.reference else row.record.method for row in found.rows]
    columns = [Column("nAMF", [optional(chance.get("namf")), *(cell(row.namf) for row in found.rows)], "center")]
    columns += [
        Column(
            METRICS[key].label, [optional(chance.get(key)), *(optional(r.record.metrics.get(key)) for r in found.rows)]
        )
        for key in RANKING
    ]
    kept = Column("method", [Text("chance", style="dim"), *map(Text, names)], "left")
    print_split(console, f"{found.problem} s{found.seed}, {found.n_test:,} test examples", [kept], columns, head=1)


def _print_worth(records: Sequence[Record], console: Console) -> None:
    """Print how well slices match the planted groups, with chance in brackets if it is known."""
    slices = [record.slices for record in records if record.slices is not None]
    columns = []
    for key in SLICES:
        chances = ["" if (c := one.chance[key]) is None else f" ({short(c)})" for one in slices]
        values = [optional(one.metrics[key]) + chance for one, chance in zip(slices, chances, strict=True)]
        columns.append(Column(SLICE_METRICS[key].label, values))
    columns.append(Column("slices", [str(one.k) for one in slices]))
    names = Column("method", [Text(record.method) for record in records], "left")
    print_split(console, "Slices against the planted groups", [names], columns)
    console.print(Text("In brackets: chance, if it is known.", style="dim"))


def _legend(found: Evaluation) -> Text:
    base = found.rows[0].record.base_model
    assert base is not None
    if not found.planted:
        return Text("Nothing is planted among these examples, so no metric against the truth is defined.", style="dim")
    rates = (
        f"The base model is right on {optional(base.minority_accuracy)} of the planted minority ({optional(base.minority_rate)} "
        f"of the test examples) and {optional(base.majority_accuracy)} of the rest. "
        if base.accuracy is not None
        else ""
    )
    return Text(
        f"{rates}nAMF: within classes, chance is 0 and ideal is 1; the 95% interval below it covers these test examples at this "
        f"seed only. {BEHIND}: below the best submission (the paired interval does not contain 0). –: undefined. --json prints "
        "all metrics.",
        style="dim",
    )


def _print_slices(method: str, slices: SliceOutcome, console: Console) -> None:
    shown = slices.per_slice[:MOST_SLICES]
    room = _ABOUT if console.width >= _WIDE else _NARROW
    first = f"the first {len(shown)} of " if slices.k > len(shown) else ""
    columns = [
        Column("size", [f"{one.size:,}" for one in shown]),
        Column("error rate", [optional(one.error_rate) for one in shown]),
        Column("Δ to the rest\nof its class", [_apart(one) for one in shown]),
        Column("about", [wrapped(one.group or "–", room) for one in shown], "left"),
    ]
    title = f"{method}: {first}{slices.k} slice{'' if slices.k == 1 else 's'}"
    print_split(console, title, [Column("slice", [wrapped(one.name, room) for one in shown], "left")], columns)


_WIDE = 120
_NARROW = 24
_ABOUT = 36
"""Width at which names and groups of slices are wrapped on a wide terminal."""


def _apart(one: SliceFinding) -> str:
    apart = "–" if one.delta is None else f"{one.delta:+.2f}"
    return apart if one.low is None or one.high is None else f"{apart} {between(one.low, one.high)}"
