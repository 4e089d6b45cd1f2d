"""Turn the samples that lm-evaluation-harness logs (samples_*.jsonl) into a table of right and wrong answers.

Layout: `save_results_samples` in its lm_eval/loggers/evaluation_tracker.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import AUTO
from slicebench.data.schema.roles import parameter
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns


LAYOUT = ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps")
"""Columns by which the layout is recognised."""
OTHER = ("filter", "metrics", "doc_hash", "prompt_hash", "target_hash")
"""Columns that it has too, in some versions."""
RIGHT = ("acc", "exact_match")
"""Metrics that say what is right, the usual one first; then any other of 0 and 1."""
QUESTIONS = (
    "question", "query", "problem", "prompt", "instruction", "input", "sentence", "text", "ctx", "goal", "premise",
)  # fmt: skip
"""Fields of a document that hold its question, the usual one first; otherwise it is the first argument, the whole prompt."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A table with a row for each sample, the roles of its columns, and what a user must know of it."""

    frame: pd.DataFrame
    columns: Columns
    notes: tuple[str, ...]


def samples_of(frame: pd.DataFrame, columns: Columns) -> Samples | None:
    """Return a table of samples, or None if `frame` has another layout.

    - The fields of doc become columns, doc.subject and so on; the question becomes the column "text".
    - acc, exact_match or another metric of 0 and 1 becomes the column "correct". Without one, "loss" is 1 minus a metric
      between 0 and 1.
    - The target stays as a description: it is the position of an answer, or a text.
    - Answers and prompts, and metrics that `columns` does not name, are left out. Of several filters the first is read.

    Raises
    ------
    DataError
        if no metric is between 0 and 1, and `columns` does not say what is right.

    """
    import pandas as pd

    if not set(LAYOUT) <= {*frame} or not len(frame) or not all(isinstance(one, dict) for one in frame["doc"]):
        return None
    rows, notes = _of_one_filter(frame)
    fields_of_doc = pd.DataFrame(rows["doc"].tolist(), index=rows.index).add_prefix("doc.")
    text, source = _questions(rows, fields_of_doc)
    metrics = [str(name) for name in rows if name not in {*LAYOUT, *OTHER}]
    wanted = _named(columns)
    outcome, metric = _outcome(rows, metrics, wanted)
    kept = [name for name in metrics if name in wanted]
    made = pd.concat(
        [
            rows[["doc_id", "target", *kept]],
            outcome,
            text.rename("text"),
            fields_of_doc.drop(columns=source, errors="ignore"),
        ],
        axis=1,
    )
    left = [*(name for name in metrics if name not in (metric, *kept)), "arguments", "resps", "filtered_resps"]
    says = "says which answers are right" if "correct" in outcome else "says how good an answer is"
    about = (
        f"These are samples of lm-evaluation-harness. The text is {source!r}. "
        f"{f'{metric!r} {says}. ' if metric else ''}The columns {', '.join(map(repr, left))} are not used."
    )
    return Samples(made.reset_index(drop=True), _without_label(columns), (about, *notes))


def _of_one_filter(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the first filter: each filter repeats all documents."""
    names = [str(name) for name in frame["filter"].unique()] if "filter" in frame else []
    if len(names) < 2:
        return frame, []
    first = frame[frame["filter"].astype(str) == names[0]]
    note = f"Each sample is there once for each of the filters {', '.join(names)}; only {names[0]!r} is used."
    return first, [note]


def _questions(rows: pd.DataFrame, docs: pd.DataFrame) -> tuple[pd.Series[Any], str]:
    """Return the text of each sample, and the name of its column."""
    for name in QUESTIONS:
        column = docs.get(f"doc.{name}")
        if column is not None and all(isinstance(one, str) for one in column):
            return column, f"doc.{name}"
    return rows["arguments"].map(_first), "arguments"


def _first(argument: Any) -> str | None:
    """Return the first text in lists of arguments, which are lists or dictionaries."""
    while isinstance(argument, dict | list | tuple | np.ndarray) and len(argument):
        argument = next(iter(argument.values() if isinstance(argument, dict) else argument))
    return argument if isinstance(argument, str) else None


def _outcome(rows: pd.DataFrame, metrics: Sequence[str], wanted: set[str]) -> tuple[pd.DataFrame, str | None]:
    """Return the column "correct" or "loss", and the metric that it was made of; none where `wanted` has a metric."""
    import pandas as pd

    held = {name: values for name in metrics if (values := _numbers(rows[name])) is not None}
    if wanted & {*metrics}:
        return pd.DataFrame(index=rows.index), None
    binary = [name for name in (*RIGHT, *held) if name in held and np.isin(held[name], (0, 1)).all()]
    if binary:
        return pd.DataFrame({"correct": held[binary[0]] == 1}, index=rows.index), binary[0]
    shares = [name for name in held if held[name].min() >= 0 and held[name].max() <= 1]
    if shares:
        return pd.DataFrame({"loss": 1 - held[shares[0]]}, index=rows.index), shares[0]
    raise DataError(
        f"these are samples of lm-evaluation-harness, and none of their metrics is between 0 and 1 (they are "
        f"{', '.join(metrics) or 'missing'}); name one that is lower for better answers ({parameter('loss')})"
    )


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Return a metric as numbers; None if it holds lists or gaps."""
    if not all(isinstance(one, bool | int | float | np.number | np.bool_) for one in column):
        return None
    values = column.to_numpy(dtype=np.float64)
    return values if np.isfinite(values).all() else None


def _named(columns: Columns) -> set[str]:
    """Return all names that the caller gives."""
    values = [getattr(columns, field.name) for field in fields(columns)]
    listed = [one for value in values if isinstance(value, tuple | list) for one in value]
    return {one for one in (*values, *listed) if isinstance(one, str)}


def _without_label(columns: Columns) -> Columns:
    """Return the roles without a label, unless the caller names one: "target" is not compared with anything."""
    return replace(columns, label=None) if columns.label is AUTO else columns
