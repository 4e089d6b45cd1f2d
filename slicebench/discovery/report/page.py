"""Render findings on a user's own data as a self-contained HTML page, or as a notebook summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema import sorted_by_use
from slicebench.discovery.report.contrasts import (
    Contrast,
    columns_of,
    contrasts_of,
)
from slicebench.discovery.report.tiles import MOST_VALUES, Shown, tiles_of
from slicebench.discovery.report.vector_map import COLOURS, map_of
from slicebench.results.page.html import asset, digest, environment
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.findings import Findings, FoundSlice
    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


PACKAGE = "slicebench.discovery"
"""Package that holds the templates of these pages."""
MOST_RIGHT = 12
"""Most right answers per slice on the page."""
IN_NOTEBOOK = 3
"""Number of slices whose examples a notebook shows; the page shows those of all."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A significant slice as the page shows it; `place` is its number in `Findings.slices`.

    `errors` and `right` are some of its members, and `n_errors` and `n_right` count those that they are chosen from.
    """

    one: FoundSlice
    place: int
    colour: int
    contrasts: tuple[Contrast, ...]
    columns: tuple[str, ...]
    errors: list[Shown]
    n_errors: int
    right: list[Shown]
    n_right: int


def render_findings(findings: Findings) -> str:
    """Render the HTML page.

    It makes no request, and allows one style and one script by their hashes. Without the script it shows everything.
    Equal findings give equal bytes.
    """
    css = asset("board.css") + asset("findings.css", PACKAGE)
    script = asset("findings.js", PACKAGE)
    policy = (
        f"default-src 'none'; img-src data:; style-src '{digest(css)}'; script-src '{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        environment(PACKAGE)
        .get_template("findings.html.j2")
        .render(
            css=css,
            script=script,
            policy=policy,
            version=__version__,
            columns=sorted_by_use(findings.columns),
            map=map_of(findings),
            **_context(findings, len(findings.slices)),
        )
    )


def render_summary(findings: Findings) -> str:
    """Render the verdict, the facts, the table and some examples as a fragment of HTML, for notebooks."""
    return environment(PACKAGE).get_template("findings_summary.html.j2").render(**_context(findings, IN_NOTEBOOK))


def _context(findings: Findings, pictured: int) -> dict[str, Any]:
    standing, facts = findings.standing, findings.facts
    rates = [v for one in standing for v in (one.verdict.rate, one.verdict.rest)]
    classes = [v for one in facts.classes for v in (one.rate, one.high)]
    return {
        "findings": findings,
        "examples": findings.examples,
        "facts": facts,
        "standing": standing,
        "fallen": [one for one in findings.slices if not one.verdict.stands],
        "cards": _cards(findings, standing[:pictured]),
        "colours": {one.key: COLOURS[i % len(COLOURS)] for i, one in enumerate(standing)},
        "top": _largest(rates),
        "class_top": _largest(classes),
        "percent": findings.examples.wrong is not None,
        "tested": len(findings.examples.folds.tested),
        "methods": [one.name for one in findings.methods],
    }


def _largest(values: Sequence[float]) -> float:
    """Return the largest finite value, at which bars end; 1 if none is positive."""
    largest = max((v for v in values if np.isfinite(v)), default=0.0)
    return largest if largest > 0 else 1.0


def _cards(findings: Findings, some: Sequence[FoundSlice]) -> list[Card]:
    examples = findings.examples
    columns = columns_of(examples.metadata)
    place = {one.key: i for i, one in enumerate(findings.slices)}
    cards = []
    for i, one in enumerate(some):
        contrasts = contrasts_of(one.rows, columns, examples)
        names = _names([contrast.name for contrast in contrasts], examples)
        wrong = None if examples.wrong is None else examples.wrong[one.rows]
        card = Card(
            one=one,
            place=place[one.key],
            colour=COLOURS[i % len(COLOURS)],
            contrasts=contrasts,
            columns=names,
            errors=tiles_of(examples, one.errors, names),
            n_errors=len(one.rows) if wrong is None else int(wrong.sum()),
            right=tiles_of(examples, one.right[:MOST_RIGHT], names),
            n_right=len(one.rows) if wrong is None else int((~wrong).sum()),
        )
        cards.append(card)
    return cards


def _names(telling: Sequence[str], examples: Examples) -> tuple[str, ...]:
    """Return the columns whose values are shown, those that tell a slice apart first; none beside images and texts."""
    if examples.inputs is not None:
        return ()
    others = [name for name in map(str, examples.metadata.columns) if name not in telling]
    return tuple([*telling, *others][:MOST_VALUES])
