"""Boards of interventions as Markdown, for pages that quote a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.results.markdown import table
from slicebench.results.numbers import NONE, bare, estimated, optional
from slicebench.results.numbers import signed as with_sign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.metrics.estimate import Estimate
    from slicebench.studies.interventions.record import ArmRow, InterventionBoard


SUBSETS = {"near_hard": "near the hard caption, against reference", "near_easy": "near the easy one"}
"""Parts of test that synthesis adds, with their headings."""


def effects_table(board: InterventionBoard, methods: Sequence[str | None] | None = None) -> str:
    """A line per arm: minority accuracy, differences with 95 % intervals, recovery, and what was chosen.

    Only the arms of `methods`, by default of all. Where test has parts near captions, their differences too.
    """
    rows = [row for row in board.rows if row.values and (methods is None or row.method in methods)]
    subsets = [name for name in SUBSETS if any(name in row.against for row in rows)]
    head = ["problem", "arm", "minority", "against none", "against reference", *(SUBSETS[name] for name in subsets)]
    head += ["overall, against none", "recovery", "chosen minority"]
    return table(head, [_effects(row, subsets) for row in rows])


def debugging_table(board: InterventionBoard) -> str:
    """Data-Centric Debugging as its paper's tables have it: accuracy on seed, heldout and test in per cent, and the search.

    With a column for the test examples that several models get wrong, where they are known.
    """
    rows = [row for row in board.rows if row.values]
    parts = ["seed", "heldout", "heldout_all", "overall"]
    if not any("heldout_all" in row.values for row in rows):
        parts.remove("heldout_all")
    names = {"overall": "test", "heldout_all": "heldout, all models"}
    head = ["problem", "arm", "added", *(names.get(part, part) for part in parts)]
    head += ["heldout, against random", "dimensions", "MB", "search s"]
    return table(head, [_debugging(row, parts) for row in rows])


def signed(one: Estimate | None) -> str:
    """A difference with its interval, bold where that excludes 0."""
    text = estimated(one, lambda value: bare(with_sign(value)))
    excludes_0 = one is not None and one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
    return f"**{text}**" if excludes_0 else text


def _effects(row: ArmRow, subsets: Sequence[str]) -> tuple[str, ...]:
    minority = row.values.get("minority")
    return (
        row.problem,
        f"{row.variant} {row.method or ''}".strip(),
        optional(minority.mean if minority else None),
        signed(row.change.get("minority")),
        *(signed(row.against.get(name)) for name in ("minority", *subsets)),
        signed(row.change.get("overall")),
        NONE if row.recovery is None else f"{row.recovery.mean:.0%}",
        optional(row.chosen_minority),
    )


def _debugging(row: ArmRow, parts: Sequence[str]) -> tuple[str, ...]:
    means = [row.values[name].mean if name in row.values else None for name in parts]
    cost = [row.measures.get(name) for name in ("dimensions", "megabytes", "retrieval_s")]
    return (
        row.problem,
        row.variant,
        f"{row.chosen or 0:,.0f}",
        *(NONE if mean is None else f"{100 * mean:.2f}" for mean in means),
        signed(row.against.get("heldout")),
        *(optional(value, "{:.3g}".format) for value in cost),
    )
