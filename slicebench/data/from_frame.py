"""Build a `Problem` from a user's own table, with columns by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slicebench.data.columns import Columns
from slicebench.data.from_arrays import from_arrays, split_names
from slicebench.data.schema import schema_of
from slicebench.data.schema.splits import positions_of
from slicebench.data.schema.user_table import if_named
from slicebench.data.schema.vectors import described, vectors_of
from slicebench.errors import DataError
from slicebench.files.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem
    from slicebench.data.schema import Schema
    from slicebench.data.schema.user_table import UserTable


def from_frame(
    frame: Any,
    *,
    label: str | None = None,
    probs: Sequence[str] | str | None = None,
    class_names: Sequence[str] = (),
    score: str | None = None,
    positive: str | float | None = None,
    prediction: str | None = None,
    loss: str | None = None,
    embedding: str | Sequence[str] | None = None,
    features: Sequence[str] = (),
    groups: Sequence[str] | Mapping[str, tuple[str, Any]] = (),
    id: str | None = None,  # noqa: A002 - the column's usual name
    split: str | None = None,
    group: str | None = None,
    text: str | None = None,
    metadata: Sequence[str] = (),
    **about: Any,
) -> Problem:
    """Build a problem from a table with one row per example.

    Parameters
    ----------
    frame : DataFrame, or anything else that `slicebench.data.schema.frames.as_frame` takes
        It must have no missing values in label, prediction, probabilities, losses and vectors.
    label, prediction, loss, id, split, text : str, optional
        Names of columns. Labels may be words, whose sorted order numbers the classes. `text` holds raw
        texts.
    probs, class_names, score, positive, group : optional
        As in `slicebench.Columns`. "p_" means the columns p_<class name>.
    embedding : str or list of str
        Column of vectors, or columns of numbers. Give either this or `features`.
    features : list of str
        Columns that describe an example. Numbers are standardised and words one-hot, fitted on train;
        gaps are filled and flagged.
    groups : list of str, or {name: (column, value)}, optional
        Columns of booleans, or rows with a value in a column.
    metadata : list of str, optional
        Columns that methods may see.
    **about
        Other parameters of `from_arrays`: name, seed, encoder, modality, provenance.

    Raises
    ------
    DataError
        naming the column, the first offending row and what was expected.

    """
    columns = Columns(
        label=label,
        probs=probs,
        prediction=prediction,
        loss=loss,
        embedding=embedding,
        features=features,
        id=id,
        split=split,
        text=text,
        metadata=metadata,
        class_names=class_names,
        score=score,
        positive=positive,
        group=group,
    )
    schema = schema_of(frame, columns, look_for=())
    for note in schema.notes:
        logging.getLogger("slicebench").warning("%s", note)
    table, roles, outcomes = schema.table, schema.roles, schema.outcomes
    at, _ = positions_of(schema, about.get("seed", 0))
    return from_arrays(
        embeddings=_embeddings(schema, at["train"]),
        **outcomes.arrays(),
        ids=None if roles.id is None else table.ids(roles.id).tolist(),
        groups=_groups(table, groups),
        splits=split_names(at, len(table.frame)),
        class_names=outcomes.class_names,
        inputs=if_named(table.texts, roles.text),
        metadata=schema.metadata if len(schema.metadata.columns) else None,
        **about,
    )


def from_parquet(path: str | Path, **columns: Any) -> Problem:
    """Build a problem from a table in a file of any format that `slicebench.files.tables` reads.

    Takes the same columns as `from_frame` and raises the same errors.
    """
    return from_frame(read_frame(path), **columns)


def _embeddings(schema: Schema, train: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the embeddings: columns of vectors or numbers, or vectors made of the features."""
    if bool(schema.roles.embedding) == bool(len(schema.features.columns)):
        raise DataError("give either embedding, a column of vectors, or features, a list of columns")
    if schema.roles.embedding:
        return vectors_of(schema.table, schema.roles.embedding)
    return described(schema.features, train)


def _groups(table: UserTable, groups: Sequence[str] | Mapping[str, tuple[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """Return the groups: columns of booleans by their own names, or {name: (column, value)}."""
    if isinstance(groups, str):
        raise DataError(f"groups is the string {groups!r}; expected a list of columns or {{name: (column, value)}}")
    if not isinstance(groups, Mapping):
        return {name: table.booleans(name) for name in groups}
    found = {}
    for name, (column, value) in groups.items():
        found[name] = (table.column(column).astype(str) == str(value)).to_numpy()
        if not found[name].any():
            raise DataError(f"group {name!r}: no row has {value!r} in column {column!r}")
    return found
