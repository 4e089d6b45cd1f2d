"""Say which options were given and have no use for the user's data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.data.schema.roles import called
from slicebench.discovery.reading.measures import FNR, FPR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slicebench.data.columns import Columns
    from slicebench.discovery.reading.examples import Examples


def unused_options(examples: Examples, known: Columns, encoder: str | None, *, captions: bool) -> list[str]:
    """Return a note for each option that is valid and was not used; `known` are the options as they were given."""
    return [f"{called(name)} is not used: {why}." for name, why in _unused(examples, known, encoder, captions=captions)]


def _unused(examples: Examples, known: Columns, encoder: str | None, *, captions: bool) -> Iterator[tuple[str, str]]:
    outcomes, roles = examples.schema.outcomes, examples.schema.roles
    if encoder is not None and not captions and examples.looks != encoder:
        yield "encoder", f"the vectors are {examples.looks}"
    if known.error != "absolute" and outcomes.task != "regression":
        yield "error", "it is for regressions"
    if known.positive is not None and outcomes.positive is None and examples.measure not in (FPR, FNR):
        yield "positive", "no column is the score of one class"
    scored = outcomes.positive is not None and roles.prediction is None
    if known.threshold is not None and not scored and outcomes.task != "multi-label":
        yield "threshold", "no score decides what is predicted"
    if known.class_names and not outcomes.class_names and outcomes.task != "multi-label":
        yield "class_names", "there are no classes"
    if known.image_root is not None and not isinstance(roles.image, str):
        yield "image_root", "no column holds images"
