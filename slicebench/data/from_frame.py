"""A user's own table as a `Problem`: columns by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of
from slicebench.data.from_arrays import from_arrays, split_names, split_positions
from slicebench.data.user_table import Part
from slicebench.errors import DataError
from slicebench.files.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem


def from_frame(
    frame: pd.DataFrame,
    *,
    label: str | None = None,
    probs: Sequence[str] | str | None = None,
    prediction: str | None = None,
    loss: str | None = None,
    embedding: str | None = None,
    features: Sequence[str] = (),
    groups: Sequence[str] | Mapping[str, tuple[str, Any]] = (),
    id: str | None = None,  # noqa: A002 - the column's usual name
    split: str | None = None,
    text: str | None = None,
    metadata: Sequence[str] = (),
    **about: Any,
) -> Problem:
    """Return the problem of a table with a row per example; columns go by their names.

    Parameters
    ----------
    frame : DataFrame
        Without missing values in the columns named.
    label, prediction, loss, id, split, text : str, optional
        Columns; labels may be words, whose sorted order numbers the classes. `text` holds raw texts.
    probs : list of str, or str, optional
        One column per class, or a prefix: "p_" stands for the columns p_<class name>.
    embedding : str
        Column of vectors; or instead
    features : list of str
        Columns that describe an example: numbers are standardised, words one-hot, as fitted on train.
    groups : list of str, or {name: (column, value)}, optional
        Columns of booleans, or rows with a value in a column.
    metadata : list of str, optional
        Columns that methods may see.
    **about
        What `from_arrays` takes besides: name, seed, encoder, modality, provenance.

    Raises
    ------
    DataError
        naming the column, the first offending row and what was expected.

    """
    table = Part(frame, "table")
    classes = () if label is None else table.classes(label)
    y = None if label is None else table.numbered(label, classes)
    told = None if split is None else table.column(split).astype(str).to_numpy(dtype=str)
    at = split_positions(len(frame), told, y, about.get("seed", 0))
    return from_arrays(
        embeddings=_embeddings(table, embedding, features, at["train"]),
        labels=y,
        probs=None if probs is None else table.probabilities(probs, classes),
        predictions=None if prediction is None else table.numbered(prediction, classes),
        losses=None if loss is None else table.numbers(loss),
        groups=_groups(table, groups),
        ids=None if id is None else table.ids(id).tolist(),
        splits=split_names(at, len(frame)),
        class_names=[*map(str, classes)],
        inputs=None if text is None else table.column(text).astype(str).tolist(),
        metadata=table.frame[[table.column(name).name for name in metadata]] if metadata else None,
        **about,
    )


def from_parquet(path: str | Path, **columns: Any) -> Problem:
    """Return the problem of a table in a file: Parquet, CSV, TSV, JSON lines or Arrow.

    Takes the same columns as `from_frame` and raises the same errors.
    """
    return from_frame(read_frame(path), **columns)


def _embeddings(
    table: Part, embedding: str | None, features: Sequence[str], train: NDArray[np.intp]
) -> NDArray[np.float32]:
    """A column of vectors; or features, numbers standardised and categories one-hot, fitted on train."""
    if (embedding is None) == (not features):
        raise DataError("give either embedding, a column of vectors, or features, a list of columns")
    return table.vectors(embedding) if embedding is not None else described(table, features, train)


def described(table: Part, features: Sequence[str], train: NDArray[np.intp]) -> NDArray[np.float32]:
    """Columns as vectors, shape (n, d): numbers standardised and words one-hot, as the rows `train` have them.

    Raises
    ------
    DataError
        for a number that is not finite, and a column of neither numbers nor words, or of too many different ones.

    """
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = pd.DataFrame({name: table.feature(name) for name in features})
    numbers = [name for name in features if columns[name].dtype.kind == "f"]
    words = [name for name in features if name not in numbers]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    maker = make_column_transformer((StandardScaler(), numbers), (one_hot, words))
    made: NDArray[np.float32] = maker.fit(columns.iloc[train]).transform(columns).astype(np.float32)
    return made


def _groups(table: Part, groups: Sequence[str] | Mapping[str, tuple[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """Columns of booleans by their own names, or {name: (column, value)}."""
    if isinstance(groups, str):
        raise DataError(f"groups is the string {groups!r}; expected a list of columns or {{name: (column, value)}}")
    if not isinstance(groups, Mapping):
        return {name: array_of(table.where(name), table.column(name).to_numpy(), np.bool_, 1) for name in groups}
    found = {}
    for name, (column, value) in groups.items():
        found[name] = (table.column(column).astype(str) == str(value)).to_numpy()
        if not found[name].any():
            raise DataError(f"group {name!r}: no row has {value!r} in column {column!r}")
    return found
