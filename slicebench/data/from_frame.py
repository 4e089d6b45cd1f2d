"""Build a `Problem` from a user's own table, with columns by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import Columns, resolved
from slicebench.data.from_arrays import from_arrays, split_names, split_positions
from slicebench.data.user_table import UserTable, if_named
from slicebench.errors import DataError
from slicebench.files.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem


MOST_WORDS = 1000
"""Largest number of categories in a feature column; each is a dimension of the embedding."""


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
    """Build a problem from a table with one row per example.

    Parameters
    ----------
    frame : DataFrame
        It must have no missing values in the named columns.
    label, prediction, loss, id, split, text : str, optional
        Names of columns. Labels may be words, whose sorted order numbers the classes. `text` holds raw
        texts.
    probs : list of str, or str, optional
        One column per class, or a prefix: "p_" means the columns p_<class name>.
    embedding : str
        Column of vectors. Give either this or `features`.
    features : list of str
        Columns that describe an example. Numbers are standardised and words one-hot, fitted on train.
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
    table = UserTable(frame, "table")
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
    )
    found = resolved(columns, table, look_for=())
    classes = () if found.label is None else table.classes(found.label)
    arrays = outcome_arrays(table, found, classes)
    at = split_positions(len(frame), if_named(table.texts, found.split), arrays["labels"], about.get("seed", 0))
    return from_arrays(
        embeddings=_embeddings(table, found, at["train"]),
        **arrays,
        groups=_groups(table, groups),
        splits=split_names(at, len(frame)),
        class_names=[*map(str, classes)],
        inputs=if_named(table.texts, found.text),
        metadata=_complete(table, metadata) if metadata else None,
        **about,
    )


def from_parquet(path: str | Path, **columns: Any) -> Problem:
    """Build a problem from a table in a Parquet, CSV, TSV, JSON lines or Arrow file.

    Takes the same columns as `from_frame` and raises the same errors.
    """
    return from_frame(read_frame(path), **columns)


def outcome_arrays(table: UserTable, found: Columns, classes: Sequence[str | int]) -> dict[str, Any]:
    """Return labels, outcomes and ids as arguments for `from_arrays`.

    `classes` are in the order of their numbers.
    """

    def numbers_of(name: str) -> NDArray[np.int64]:
        return table.class_numbers(name, classes)

    return {
        "labels": if_named(numbers_of, found.label),
        "predictions": if_named(numbers_of, found.prediction),
        "probs": None if found.probs is None else table.probabilities(found.probs, classes),
        "losses": if_named(table.numbers, found.loss),
        "correct": if_named(table.yes_or_no, found.correct),
        "ids": None if found.id is None else table.ids(found.id).tolist(),
    }


def _embeddings(table: UserTable, found: Columns, train: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the embeddings: a column of vectors, or vectors made of the features.

    Numbers are standardised and categories one-hot, fitted on `train`.
    """
    if len(found.ways) != 1:
        raise DataError("give either embedding, a column of vectors, or features, a list of columns")
    if found.embedding is not None:
        return table.vectors(found.embedding)
    return described(table.features(found.features), found.features, train)


def described(
    columns: Mapping[str, NDArray[Any]], features: Sequence[str], train: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Turn features into vectors, shape (n, d).

    `columns` are as `UserTable.features` reads them. Numbers are standardised and words one-hot,
    fitted on `train`.

    Raises
    ------
    DataError
        for more than `MOST_WORDS` different words in one column.

    """
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.DataFrame(dict(columns))
    numbers = [name for name in features if table[name].dtype.kind == "f"]
    words = [name for name in features if name not in numbers]
    for name in words:
        if len(set(columns[name])) > MOST_WORDS:
            raise DataError(f"feature {name!r} has more than {MOST_WORDS:,} different words; expected a category")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    maker = make_column_transformer((StandardScaler(), numbers), (one_hot, words))
    made: NDArray[np.float32] = maker.fit(table.iloc[train]).transform(table).astype(np.float32)
    return made


def _complete(table: UserTable, names: Sequence[str]) -> pd.DataFrame:
    """Return metadata without missing values."""
    for name in names:
        table.column(name)
    return table.metadata(names)


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
