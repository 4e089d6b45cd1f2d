"""Print the slices found in a user's own predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from slicebench.cli.console.numbers import between, p_value, results_console
from slicebench.cli.console.split import Column, print_split, wrapped
from slicebench.results.numbers import rate

if TYPE_CHECKING:
    from rich.console import Console

    from slicebench.discovery import Findings, FoundSlice


MOST = 20
"""Slices that the terminal shows; the report has all."""
MOST_CLASSES = 5
"""Classes whose error rates the terminal shows."""


def print_findings(found: Findings, console: Console | None = None) -> None:
    """Print the facts, the verdict, a table of the significant slices, and the notes."""
    console = console or results_console()
    percent, several = found.examples.wrong is not None, len(found.methods) > 1
    for line in _facts(found, percent=percent):
        console.print(Text(line, style="dim"))
    console.print(Text(found.verdict, style="bold"))
    if found.standing:
        _print_slices(found, console, percent=percent, several=several)
        console.print(_legend(found))
    for note in filter(None, (found.left_out.text, *found.notes)):
        console.print(Text(f"note: {note}", style="dim"))
    _print_methods(found, console)


def _facts(found: Findings, *, percent: bool) -> list[str]:
    """Return what holds before any slice: the overall rate, the worst classes, and the commonest confusions."""
    facts = found.facts
    out = [f"{facts.n:,} examples of {found.source}, {found.measure} {rate(facts.rate, percent=percent)}"]
    if facts.bias is not None:
        out.append(f"On average the model {'over' if facts.bias > 0 else 'under'}-predicts by {abs(facts.bias):.3g}.")
    if facts.confidence is not None:
        out.append(
            f"The model is {facts.confidence:.1%} confident on average and right in {1 - facts.rate:.1%} "
            f"(expected calibration error {facts.calibration_error:.1%})."
        )
    out += [
        f"Class {one.name} is worse than the others: {found.measure} {rate(one.rate, percent=percent)} of {one.size:,}, "
        f"the others {rate(one.others, percent=percent)}."
        for one in facts.worse[:MOST_CLASSES]
    ]
    if facts.confusions:
        pairs = ", ".join(f"{one.label} as {one.prediction} ({one.share:.0%})" for one in facts.confusions)
        out.append(f"Most frequent errors: {pairs} of all errors.")
    return out


def _print_methods(found: Findings, console: Console) -> None:
    """Print in two lines what looked for slices, and how much they agree; notes of methods are in the report."""
    tested = len(found.examples.folds.tested)
    where = f" in {tested} folds" if tested > 1 else ""
    parts = [f"{one.name}: {_candidates(one.returned)}{where}, {one.seconds:.1f} s" for one in found.methods]
    noted = [one.name for one in found.methods if one.notes]
    console.print(
        Text(
            f"Searched by {'; '.join(parts)}."
            + (f" Notes of {', '.join(noted)}: see --html or --json." if noted else ""),
            style="dim",
        )
    )
    if found.agreement:
        pairs = ", ".join(f"{one} and {other} {rho:.2f}" for (one, other), rho in found.agreement.items())
        console.print(Text(f"Spearman's ρ between their rankings, within classes: {pairs}.", style="dim"))


def _candidates(n: int) -> str:
    return f"{n:,} candidate slice{'s'[: n != 1]}"


_CLASS, _ABOUT = 16, 34
"""Widths at which names of classes and descriptions of slices are wrapped."""


def _print_slices(found: Findings, console: Console, *, percent: bool, several: bool) -> None:
    shown = found.standing[:MOST]
    kept = [Column("slice", [Text(one.key) for one in shown], "left")]
    if len(found.examples.class_names) > 1:
        kept.append(Column("class", [wrapped(one.class_name, _CLASS) for one in shown], "left"))
    columns = [
        Column("what it is", [wrapped(one.text, _ABOUT) for one in shown], "left"),
        Column("size", [f"{one.size:,}" for one in shown]),
        Column(found.measure, [rate(one.verdict.rate, percent=percent) for one in shown]),
        Column("rest", [rate(one.verdict.rest, percent=percent) for one in shown]),
        Column("held-out difference", [_difference(one, percent) for one in shown]),
        Column("p", [p_value(one.verdict.p_holm) for one in shown]),
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

    if found.examples.wrong is not None:
        return f"{100 * MIN_EFFECT:g} percentage points"
    return f"{MIN_LOSS_EFFECT:g} standard deviations"


def _legend(found: Findings) -> Text:
    from slicebench.metrics.statistics import ALPHA

    more = len(found.standing) - MOST
    unit = ", percentage points" if found.examples.wrong is not None else ""
    folds = len(found.examples.folds.tested)
    held = (
        f"measured on rows that the search had not seen: it runs {folds} times, each time without one fold, and its slices are "
        "measured on that fold"
        if folds > 1
        else "measured on the rows for testing, which the search had not seen"
    )
    if found.held is not None:
        held = f"measured on the {found.held:,} rows outside of the sample, which the search had not seen"
    return Text(
        (f"And {more} more: see --html or --json. " if more > 0 else "")
        + f"Size, {found.measure} and that of the rest of the class count all rows that the slice selects. The difference "
        f"(95% interval{unit}) and p are {held}. Significant: a difference of at least {_least(found)}, "
        f"and p, corrected for all slices tested, at most {ALPHA}. Sorted by excess errors.",
        style="dim",
    )
