"""Submissions from elsewhere: their metrics beside chance, and their slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from slicebench.cli.console.numbers import between, cell, results_console
from slicebench.metrics.ranking import METRICS
from slicebench.metrics.slices import SLICE_METRICS
from slicebench.results.numbers import optional, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from slicebench.evaluation.record import Record, SliceOutcome
    from slicebench.evaluation.submissions import Evaluation


RANKING = ("mf_at_10", "mf_at_25", "mf_at_100", "ap", "auroc")
SLICES = ("matched_kappa_at_10", "corrected_p_at_10", "discovery_rate_8_5", "error_coverage")
MOST_SLICES = 10
"""Slices of one submission that the terminal shows."""


def print_evaluation(found: Evaluation, console: Console | None = None) -> None:
    """Print the submissions by nAMF, chance above and `random` below, what their slices are worth, and what was derived."""
    console = console or results_console()
    console.print(_scores_table(found))
    console.print(_legend(found))
    with_slices = [record for record in found.records if record.slices is not None]
    if with_slices and found.planted:
        console.print(_worth_table(with_slices))
    for record in with_slices:
        if record.slices is not None and record.slices.k:
            console.print(_slice_table(record.method, record.slices))
    for record in found.records:
        for note in record.notes:
            console.print(Text(f"{record.method}: {note}"))


def _scores_table(found: Evaluation) -> Table:
    table = Table(title=f"{found.problem} s{found.seed}, {found.n_test:,} test examples", title_justify="left")
    table.add_column("method", overflow="fold", min_width=12)
    table.add_column("nAMF", justify="center", no_wrap=True)
    for key in RANKING:
        table.add_column(METRICS[key].label, justify="right", no_wrap=True)
    chance = found.rows[0].record.chance
    table.add_row(Text("chance", style="dim"), *(optional(chance.get(key)) for key in ("namf", *RANKING)))
    table.add_section()
    for row in found.rows:
        name = f"{row.record.method} (ref)" if row.reference else row.record.method
        table.add_row(Text(name), cell(row.namf), *(optional(row.record.metrics.get(key)) for key in RANKING))
    return table


def _worth_table(records: Sequence[Record]) -> Table:
    """Metrics of slices against the planted groups; chance in brackets where it depends on the slices themselves."""
    table = Table(title="What the slices are worth", title_justify="left")
    table.add_column("method", overflow="fold", min_width=12)
    for key in SLICES:
        table.add_column(SLICE_METRICS[key].label, justify="right")
    table.add_column("slices", justify="right")
    for record in records:
        assert record.slices is not None
        values, chance = record.slices.metrics, record.slices.chance
        cells = [
            optional(values[key]) + ("" if chance[key] is None else f" ({short(chance[key] or 0.0)})") for key in SLICES
        ]
        table.add_row(Text(record.method), *cells, str(record.slices.k))
    table.caption, table.caption_justify = "In brackets: chance, where it is known.", "left"
    return table


def _legend(found: Evaluation) -> Text:
    base = found.rows[0].record.base_model
    assert base is not None
    if not found.planted:
        return Text("Nothing is planted among these examples: no metric against the truth is defined.", style="dim")
    rates = (
        f"The base model is right on {optional(base.minority_accuracy)} of the planted minority ({optional(base.minority_rate)} "
        f"of the test examples) and {optional(base.majority_accuracy)} of the rest. "
        if base.accuracy is not None
        else ""
    )
    return Text(
        f"{rates}nAMF: chance 0, ideal 1, within classes; its 95 % interval speaks of these test examples at this one seed. = "
        "not separated from the best submission: the paired interval reaches 0. – undefined. --json has all metrics.",
        style="dim",
    )


def _slice_table(method: str, slices: SliceOutcome) -> Table:
    shown = slices.per_slice[:MOST_SLICES]
    first = f"the first {len(shown)} of " if slices.k > len(shown) else ""
    table = Table(title=Text(f"{method}: {first}{slices.k} slice{'' if slices.k == 1 else 's'}"), title_justify="left")
    table.add_column("slice", overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("error rate", justify="right")
    table.add_column("Δ to the rest of its class", justify="right", min_width=16)
    table.add_column("about", overflow="fold")
    for one in shown:
        apart = "–" if one.delta is None else f"{one.delta:+.2f}"
        if one.low is not None and one.high is not None:
            apart += f" {between(one.low, one.high)}"
        table.add_row(Text(one.name), f"{one.size:,}", optional(one.error_rate), apart, Text(one.group or "–"))
    return table
