"""Print the slices found in a user's own predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from slicebench.cli.console.numbers import between, p_value, results_console
from slicebench.cli.console.split import Column, print_split, wrapped
from slicebench.results.numbers import rate

if TYPE_CHECKING:
    from rich.console import Console

    from slicebench.discovery import Findings, FoundSlice, MethodNote


MOST = 20
"""Slices that the terminal shows; the report has all."""
MOST_NOTES = 3


def print_findings(found: Findings, console: Console | None = None) -> None:
    """Print the verdict, a table of the significant slices, and the notes."""
    console = console or results_console()
    percent, several = found.examples.wrong is not None, len(found.methods) > 1
    overall = np.mean(found.examples.losses if found.examples.wrong is None else found.examples.wrong)
    console.print(
        Text(
            f"{found.examples.n:,} examples of {found.source}, {found.measure} {rate(float(overall), percent=percent)}",
            style="dim",
        )
    )
    console.print(Text(found.verdict, style="bold"))
    if found.distinct:
        _print_slices(found, console, percent=percent, several=several)
        console.print(_legend(found))
    for note in (*found.notes, *(note for one in found.methods for note in _notes(one))):
        console.print(Text(f"note: {note}", style="dim"))
    for (one, other), rho in found.agreement.items():
        console.print(
            Text(
                f"{one} and {other} rank held-out examples with Spearman's ρ {rho:.2f} between them, within classes",
                style="dim",
            )
        )


def _notes(method: MethodNote) -> list[str]:
    """Return the notes of a method, at most `MOST_NOTES`: there may be one for each of a thousand classes."""
    told, more = [f"{method.name}: {note}" for note in method.notes], len(method.notes) - MOST_NOTES
    return told if more <= 0 else [*told[:MOST_NOTES], f"{method.name}: and {more} more such notes"]


_CLASS, _ABOUT = 20, 36
"""Widths at which names of classes and descriptions of slices are wrapped."""


def _print_slices(found: Findings, console: Console, *, percent: bool, several: bool) -> None:
    shown = found.distinct[:MOST]
    kept = [
        Column("slice", [Text(one.key) for one in shown], "left"),
        Column("class", [wrapped(one.class_name, _CLASS) for one in shown], "left"),
    ]
    columns = [
        Column("what it is about", [wrapped(one.name.text or one.label, _ABOUT) for one in shown], "left"),
        Column("size", [f"{one.size:,}" for one in shown]),
        Column(found.measure, [rate(one.verdict.rate, percent=percent) for one in shown]),
        Column("rest of class", [rate(one.verdict.rest, percent=percent) for one in shown]),
        Column("difference", [_difference(one, percent) for one in shown]),
        Column("p (Holm)", [p_value(one.verdict.p_holm) for one in shown]),
    ]
    if several:
        finders = [", ".join([one.method, *(m.method for m in one.matches)]) for one in shown]
        columns.append(Column("found by", [wrapped(names, _ABOUT) for names in finders], "left"))
    print_split(console, "", kept, columns)


def _difference(one: FoundSlice, percent: bool) -> str:  # noqa: FBT001
    scale, show = (100, "{:+.1f}".format) if percent else (1, "{:+.3g}".format)
    low, delta, high = (scale * value for value in (one.verdict.low, one.verdict.delta, one.verdict.high))
    return f"{show(delta)} {between(low, high, show)}"


def _least(found: Findings) -> str:
    """Write the least difference of a significant slice."""
    from slicebench.discovery.verdicts import MIN_LOSS_EFFECT
    from slicebench.metrics.slices.significance import MIN_EFFECT

    if found.measure == "error rate":
        return f"{100 * MIN_EFFECT:g} percentage points"
    return f"{MIN_LOSS_EFFECT:g} standard deviations of that class's losses"


def _legend(found: Findings) -> Text:
    from slicebench.metrics.statistics import ALPHA

    more = len(found.distinct) - MOST
    unit = ", percentage points" if found.measure == "error rate" else ""
    return Text(
        (f"And {more} more: see --html or --json. " if more > 0 else "")
        + f"Rates, differences (95% interval{unit}) and p are measured on {len(found.examples.at['test']):,} held-out "
        f"examples; sizes count all examples. A slice is significant if its {found.measure} exceeds that of the rest "
        f"of its class by at least {_least(found)} and p, corrected by Holm's method for all slices tested, is at most "
        f"{ALPHA}.",
        style="dim",
    )
