"""Render findings on a user's own data as a self-contained HTML page, or as a notebook summary."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema import sorted_by_use
from slicebench.results.numbers import Axis
from slicebench.results.page.html import asset, digest, environment
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.findings import Findings


PACKAGE = "slicebench.discovery"
"""Package that holds the templates of these pages."""
THUMBNAIL = 160
"""Longer edge, in pixels, of an image on the page; the page enlarges smaller images by its style."""
LONGEST = 400
"""Characters of a text that the page shows."""
MOST_COLUMNS = 6
IN_NOTEBOOK = 3
"""Number of slices whose examples a notebook shows; the page shows those of all."""


@dataclass(frozen=True)
class Shown:
    """One example as the page shows it: an image, a text or metadata values.

    `said` describes the model's answer.
    """

    key: str
    image: str
    text: str
    values: tuple[tuple[str, str], ...]
    said: str


def render_findings(findings: Findings) -> str:
    """Render the HTML page.

    It has no script, makes no request, and allows one style by its hash. Equal findings give equal
    bytes.
    """
    css = asset("board.css") + asset("findings.css", PACKAGE)
    policy = f"default-src 'none'; img-src data:; style-src '{digest(css)}'; base-uri 'none'; form-action 'none'"
    template = environment(PACKAGE).get_template("findings.html.j2")
    columns = sorted_by_use(findings.columns)
    context = _context(findings, len(findings.slices))
    return template.render(css=css, policy=policy, version=__version__, columns=columns, **context)


def render_summary(findings: Findings) -> str:
    """Render the verdict, the table and some examples as a fragment of HTML, for notebooks."""
    return environment(PACKAGE).get_template("findings_summary.html.j2").render(**_context(findings, IN_NOTEBOOK))


def _context(findings: Findings, pictured: int) -> dict[str, Any]:
    examples = findings.examples
    rates = [v for one in findings.slices for v in (one.verdict.rate, one.verdict.rest)]
    deltas = [v for one in findings.slices for v in (one.verdict.low, one.verdict.high)]
    standing = findings.distinct
    return {
        "findings": findings,
        "examples": examples,
        "standing": standing,
        "fallen": [one for one in findings.slices if not one.verdict.stands],
        "shown": {one.key: (_shown(findings, one.errors), _shown(findings, one.right)) for one in standing[:pictured]},
        "overall": float(np.mean(examples.losses if examples.wrong is None else examples.wrong)),
        "held_out": len(examples.at["test"]),
        "axis": Axis.over(deltas, high=0.1),
        "rate_axis": Axis.over(rates, high=0.1),
        "percent": examples.wrong is not None,
        "linked": {one.key for one in findings.slices if one.repeats is None},
        "methods": [one.name for one in findings.methods],
    }


def _shown(findings: Findings, rows: Sequence[int] | NDArray[np.intp]) -> list[Shown]:
    examples = findings.examples
    columns = list(examples.metadata.columns[:MOST_COLUMNS])
    out = []
    for row in map(int, rows):
        raw = None if examples.inputs is None else examples.inputs[row]
        out.append(
            Shown(
                key=str(examples.ids[row]),
                image=_data_uri(raw) if examples.kind == "image" else "",
                text=_shortened(raw) if isinstance(raw, str) else "",
                values=tuple((str(name), _value(examples.metadata[name].iloc[row])) for name in columns),
                said=_said(findings, row),
            )
        )
    return out


def _said(findings: Findings, row: int) -> str:
    """Describe the model's answer on an example."""
    examples = findings.examples
    if examples.predicted is not None and examples.wrong is not None:
        return f"taken for {examples.class_names[examples.predicted[row]]}" if examples.wrong[row] else "right"
    if examples.wrong is not None:
        return "wrong" if examples.wrong[row] else "right"
    return f"loss {examples.losses[row]:.3g}"


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _data_uri(image: Any) -> str:
    """Return an image (H, W) or (H, W, 3) of bytes as a PNG in a data URI.

    Its longer edge is at most `THUMBNAIL`.
    """
    from PIL import Image

    picture, buffer = Image.fromarray(np.asarray(image)), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
