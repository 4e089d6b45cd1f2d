"""Read a user's table into examples for fitting and testing methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.from_arrays import from_arrays, split_names
from slicebench.data.schema import schema_of
from slicebench.data.schema.leaks import wrong_of
from slicebench.data.schema.repeats import repeated_rows
from slicebench.data.schema.splits import positions_of
from slicebench.discovery.inputs import DEFAULT_ENCODERS, Inputs, embeddings_of, read_inputs
from slicebench.errors import SlicebenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.problem import Problem
    from slicebench.data.schema import Schema
    from slicebench.data.schema.roles import Roles
    from slicebench.data.split import Inputs as RawInputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """A user's n examples, in the order of the table.

    `problem` holds them split into train, val and test, and `at` has the rows of each split. `ids`
    are as the user wrote them. `labels` (n,) are class numbers, and so are `predicted` (n,), which
    may be None. `wrong` (n,) bool is None if only `losses` (n,) are known. `groups` (n,) numbers the
    rows that belong together, or is None. `inputs` are raw images or texts, and `kind` says which
    ("image", "text", or "" for none). `metadata` has the columns that rules use, and `looks` says
    where the embeddings come from. `schema` is the table as it was read, and `notes` are what a user
    must know of it.
    """

    problem: Problem
    at: dict[str, NDArray[np.intp]]
    ids: Sequence[Any]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64] | None
    wrong: NDArray[np.bool_] | None
    losses: NDArray[np.float32]
    class_names: tuple[str, ...]
    groups: NDArray[np.intp] | None
    inputs: RawInputs | None
    kind: str
    metadata: pd.DataFrame
    looks: str
    schema: Schema
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.ids)


def examples_of(
    frame: pd.DataFrame,
    columns: Columns,
    *,
    encoder: str | None,
    seed: int,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    on_schema: Callable[[Schema], None] = lambda _: None,
) -> Examples:
    """Read the examples of a table; paths of images are relative to `folder`.

    `on_schema` is called with the table's schema before anything else is done.

    Raises
    ------
    ConfigError
        if a named column does not exist, or outcomes or embeddings are missing.
    DataError
        if a value is missing, not finite, duplicated or of an unknown class; the message names
        column and row.

    """
    schema, raw = _read(frame, columns, encoder, folder)
    on_schema(schema)
    table, roles, outcomes = schema.table, schema.roles, schema.outcomes
    n = len(table.frame)
    at, dealing = positions_of(schema, seed)
    encoder = encoder or (None if _has_vectors(schema) else DEFAULT_ENCODERS.get(raw.kind))
    rows = embeddings_of(schema, raw, encoder, at["train"], say)
    metadata = schema.metadata.assign(**raw.attributes)
    problem = from_arrays(
        embeddings=rows,
        **outcomes.arrays(),
        ids=None if roles.id is None else table.ids(roles.id).tolist(),
        splits=split_names(at, n),
        class_names=outcomes.class_names,
        metadata=metadata if len(metadata.columns) else None,
        seed=seed,
        encoder=encoder or "given",
        modality=raw.kind or "unknown",
    )
    repeats = repeated_rows(problem, schema)
    return Examples(
        problem=problem,
        at=at,
        ids=range(n) if roles.id is None else table.frame[roles.id].tolist(),
        labels=np.zeros(n, dtype=np.int64) if outcomes.labels is None else outcomes.labels,
        predicted=outcomes.predicted,
        wrong=wrong_of(outcomes),
        losses=_losses(problem, at, n),
        class_names=problem.data.class_names or ("all",),
        groups=schema.groups,
        inputs=raw.inputs,
        kind=raw.kind,
        metadata=metadata,
        looks=_looks(roles, schema, encoder),
        schema=schema,
        notes=(*schema.notes, *raw.notes, *dealing, *([repeats] if repeats else [])),
    )


def _read(frame: pd.DataFrame, columns: Columns, encoder: str | None, folder: Path | None) -> tuple[Schema, Inputs]:
    """Return the schema and the raw images or texts.

    Images that cannot be read stop the run only if nothing else describes the examples.
    """
    schema = schema_of(frame, columns)
    try:
        return schema, read_inputs(schema, folder)
    except SlicebenchError as error:
        without = schema_of(frame, replace(columns, image=None))
        if encoder is not None or not (_has_vectors(without) or without.roles.text):
            raise
        note = f"Images of column {schema.roles.image!r} are not shown: {error}"
        found = read_inputs(without, folder)
        return without, replace(found, notes=(*found.notes, note))


def _has_vectors(schema: Schema) -> bool:
    """Return True if columns or a file describe the examples, without an encoder."""
    roles = schema.roles
    return bool(roles.embedding) or roles.embeddings is not None or len(schema.features.columns) > 0


def _looks(roles: Roles, schema: Schema, encoder: str | None) -> str:
    """Describe where the embeddings come from."""
    if roles.embedding:
        first, *more = roles.embedding
        return f"column {first}" if not more else f"columns {first} to {more[-1]}"
    names = [*schema.features]
    if names:
        return (
            f"{len(names)} column{'s'[: len(names) != 1]} ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})"
        )
    return "given" if roles.embeddings is not None else str(encoder)


def _losses(problem: Problem, at: dict[str, NDArray[np.intp]], n: int) -> NDArray[np.float32]:
    """Return losses in the order of the table."""
    splits = problem.splits()
    losses = np.zeros(n, dtype=np.float32)
    for name, rows in at.items():
        losses[rows] = splits[name].losses
    return losses
