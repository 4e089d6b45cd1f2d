"""Show one example: an image, a text, or values of columns, and the model's answer."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


THUMBNAIL = 160
"""Longer edge, in pixels, of an image on the page; the page enlarges smaller images by its style."""
LARGE = 12_000
"""Bytes of a PNG above which an image is a JPEG, if that is smaller."""
LONGEST = 400
"""Characters of a text that the page shows."""
LONGEST_VALUE = 40
"""Characters of a value in a table."""
LONGEST_NAME = 24
"""Characters of the name of a class beside an example."""
MOST_VALUES = 6
"""Most columns whose values are shown of an example."""


@dataclass(frozen=True)
class Shown:
    """One example as the page shows it: an image, a text or values of columns.

    `said` describes the model's answer.
    """

    key: str
    image: str
    text: str
    values: tuple[str, ...]
    said: str


def tiles_of(examples: Examples, rows: Rows, names: Sequence[str]) -> list[Shown]:
    """Return what is shown of the examples at `rows`; `names` are the columns whose values are shown."""
    out = []
    for row in map(int, rows):
        raw = None if examples.inputs is None else examples.inputs[row]
        out.append(
            Shown(
                key=str(examples.ids[row]),
                image=_data_uri(raw) if examples.kind == "image" else "",
                text=shortened(raw, LONGEST) if isinstance(raw, str) else "",
                values=tuple(_value(examples.metadata[name].iloc[row]) for name in names),
                said=_said(examples, row),
            )
        )
    return out


def _said(examples: Examples, row: int) -> str:
    """Describe the model's answer on an example."""
    if examples.wrong is None:
        return _said_of_numbers(examples, row)
    wrong = bool(examples.wrong[row])
    if examples.predicted is None:
        return "wrong" if wrong else "right"
    truth, said = (
        shortened(examples.class_names[c], LONGEST_NAME) for c in (examples.labels[row], examples.predicted[row])
    )
    return f"{truth} taken for {said}" if wrong else f"{said}, right"


def _said_of_numbers(examples: Examples, row: int) -> str:
    schema, roles = examples.schema, examples.schema.roles
    errors = schema.outcomes.errors
    if errors is None or roles.label is None or roles.prediction is None:
        return f"loss {examples.losses[row]:.3g}"
    truth, said = (_value(schema.table.frame[name].iloc[row]) for name in (roles.label, roles.prediction))
    return f"{said} for {truth} ({errors[row]:+.3g})".replace("-", "−")


def _value(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "missing" if np.isnan(value) else f"{value:.4g}"
    return shortened(str(value).removesuffix(" 00:00:00"), LONGEST_VALUE)


def shortened(text: str, longest: int) -> str:
    """Cut a text that is too long."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _data_uri(image: Any) -> str:
    """Return an image (H, W) or (H, W, 3) of bytes as a data URI.

    Its longer edge is at most `THUMBNAIL`. It is a PNG, or a JPEG if that makes a large one smaller.
    """
    from PIL import Image

    picture, buffer, kind = Image.fromarray(np.asarray(image)), io.BytesIO(), "png"
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(buffer, format="PNG", optimize=True)
    if buffer.tell() > LARGE:
        smaller = io.BytesIO()
        picture.convert("RGB").save(smaller, format="JPEG", quality=85)
        if smaller.tell() < buffer.tell():
            buffer, kind = smaller, "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
