"""What "worse" means: all errors, false positives, false negatives, a loss, or a column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema import schema_of
from slicebench.data.schema.classes import class_called
from slicebench.data.schema.roles import parameter
from slicebench.discovery.reading.inputs import vectors_in
from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns

    Bools = NDArray[np.bool_]


RATE, LOSS, FPR, FNR = "rate", "loss", "fpr", "fnr"
MEASURES = {RATE: "error rate", LOSS: "mean loss", FPR: "false positive rate", FNR: "false negative rate"}
"""Measures that have a name, and how they are printed; any other is a column, of which higher is worse."""
POSITIVE = ("1", "1.0", "true", "yes", "positive")
"""Labels that are the positive class unless one is named."""


@dataclass(frozen=True, eq=False)
class Measured:
    """The rows that a measure compares, and their columns.

    `rows` are their positions in the table, or None for all of them. `by_loss` is true if losses count, not errors.
    """

    frame: pd.DataFrame
    columns: Columns
    rows: NDArray[np.intp] | None = None
    by_loss: bool = False
    notes: tuple[str, ...] = ()


def measured(frame: pd.DataFrame, columns: Columns, measure: str) -> Measured:
    """Bring a table into the form in which the measure is the error rate, or the loss.

    False positives are the errors among the rows of another class, false negatives those among the rows of the positive class.

    Raises
    ------
    ConfigError
        if the measure is no column of the table, or nothing says which class is positive.

    """
    if not isinstance(measure, str):
        raise ConfigError(f"measure is {measure!r}; expected a column, or one of {', '.join(MEASURES)}")
    if measure == RATE:
        return Measured(frame, columns)
    if measure == LOSS:
        return Measured(frame, columns, by_loss=True)
    if measure in (FPR, FNR):
        return _of_class(frame, columns, measure)
    if measure not in frame.columns:
        known = [*MEASURES, *map(str, frame.columns)]
        raise ConfigError(
            f"measure {measure!r} is neither a column nor one of {', '.join(MEASURES)}; {did_you_mean(measure, known)}"
        )
    return Measured(frame, replace(columns, loss=measure), by_loss=True)


def _of_class(frame: pd.DataFrame, columns: Columns, measure: str) -> Measured:
    bare = columns if isinstance(columns.score, str) else replace(columns, positive=None)
    outcomes = schema_of(frame, bare).outcomes
    if outcomes.labels is None:
        raise ConfigError(f"measure {measure!r} needs true classes; name their column ({parameter('label')})")
    positive = _positive(outcomes.class_names, columns.positive)
    rows = (outcomes.labels == positive) == (measure == FNR)
    name = outcomes.class_names[positive]
    which = f"is {name}" if measure == FNR else f"is not {name}"
    note = f"Only the {int(rows.sum()):,} of {len(rows):,} rows whose label {which} are compared, by the {MEASURES[measure]}."
    return Measured(frame[rows].reset_index(drop=True), _kept(bare, rows), np.flatnonzero(rows), notes=(note,))


def _positive(names: tuple[str, ...], given: str | float | None) -> int:
    """Return the number of the positive class."""
    named = None if given is None else class_called(names, given)
    found = [i for i, name in enumerate(names) if (name.lower() in POSITIVE if given is None else i == named)]
    if len(found) != 1:
        raise ConfigError(
            f"which of the classes {', '.join(names[:10])} is the positive one? Name it: {parameter('positive', 'CLASS')}"
        )
    return found[0]


def _kept(columns: Columns, rows: Bools) -> Columns:
    """Return the columns with what is given beside the table cut to the rows."""
    vectors, image = columns.embeddings, columns.image
    if vectors is not None:
        found: Any = (
            vectors_in(Path(vectors).expanduser(), len(rows))
            if isinstance(vectors, str | Path)
            else np.asarray(vectors)
        )
        columns = replace(columns, embeddings=found[rows])
    if isinstance(image, np.ndarray):
        columns = replace(columns, image=image[rows])
    return columns
