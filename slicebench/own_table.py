"""A user's own table as a `Problem`: columns by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, did_you_mean
from slicebench.own_data import problem_from_arrays, split_names, split_positions
from slicebench.own_part import refuse_repeated
from slicebench.validation import array_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.problem import Problem


def problem_from_frame(
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
    """Problem of a table with a row per example; see `Problem.from_frame`."""
    columns = _Columns(frame)
    y, class_names = (None, ()) if label is None else _coded(columns.get(label), label)
    p = None if probs is None else _probabilities(columns, probs, class_names)
    predicted = None if prediction is None else _coded(columns.get(prediction), prediction, class_names)[0]
    at = split_positions(len(frame), None if split is None else columns.get(split).to_numpy(), y, about.get("seed", 0))
    return problem_from_arrays(
        embeddings=_embeddings(columns, embedding, features, at["train"]),
        labels=y,
        probs=p,
        predictions=predicted,
        losses=None if loss is None else columns.get(loss).to_numpy(),
        groups=_groups(columns, groups),
        ids=None if id is None else columns.get(id).tolist(),
        splits=split_names(at, len(frame)),
        class_names=class_names,
        inputs=None if text is None else columns.get(text).astype(str).tolist(),
        metadata=frame[[columns.get(name).name for name in metadata]].reset_index(drop=True) if metadata else None,
        **about,
    )


MOST_WORDS = 1000
"""Categories of a column that describes examples; each is a dimension of the embedding."""


class _Columns:
    """Columns of a table by name, or an error with near names."""

    def __init__(self, frame: pd.DataFrame) -> None:
        if not len(frame):
            raise DataError("the table has no rows; expected one per example")
        refuse_repeated(frame, "table")
        self.frame = frame

    def get(self, name: str) -> pd.Series[Any]:
        """Column without missing values."""
        if name not in self.frame:
            raise DataError(f"the table has no column {name!r}; {did_you_mean(name, [*map(str, self.frame.columns)])}")
        column = self.frame[name]
        if column.isna().any():
            row = int(np.argmax(column.isna().to_numpy()))
            raise DataError(
                f"column {name!r} has no value at row {row} ({int(column.isna().sum())} such rows); drop or fill them"
            )
        return column


def _coded(column: pd.Series[Any], name: str, known: Sequence[str] = ()) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers and names; numbers in the order of `known`, by default sorted."""
    values = column.astype(str)
    if not known:
        numeric = column.dtype.kind in "iub"
        known = [str(v) for v in sorted(column.unique())] if numeric else sorted(values.unique())
    codes = {value: code for code, value in enumerate(known)}
    missing = ~values.isin(list(codes)).to_numpy()
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"column {name!r} is {column.iloc[row]!r} at row {row}; expected one of {', '.join(known)}")
    return np.array([codes[value] for value in values], dtype=np.int64), tuple(known)


def _probabilities(columns: _Columns, probs: Sequence[str] | str, class_names: Sequence[str]) -> NDArray[np.float32]:
    """Columns named one by one, or by a prefix: "p_" stands for p_<class name> of every class."""
    names = [f"{probs}{c}" for c in class_names] if isinstance(probs, str) else list(probs)
    if len(names) != len(class_names):
        raise DataError(f"probs names {len(names)} columns for {len(class_names)} classes ({', '.join(class_names)})")
    return np.stack([columns.get(name).to_numpy(dtype=np.float32) for name in names], axis=1)


def _embeddings(
    columns: _Columns, embedding: str | None, features: Sequence[str], train: NDArray[np.intp]
) -> NDArray[np.float32]:
    """A column of vectors; or features, numbers standardised and categories one-hot, fitted on train."""
    if (embedding is None) == (not features):
        raise DataError("give either embedding, a column of vectors, or features, a list of columns")
    if embedding is not None:
        vectors = columns.get(embedding).tolist()
        lengths = [len(v) for v in vectors]
        if len(set(lengths)) > 1:
            row = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise DataError(f"column {embedding!r} has {lengths[row]} numbers at row {row}, {lengths[0]} at row 0")
        return np.asarray(vectors, dtype=np.float32)
    return described(columns.frame, [str(columns.get(name).name) for name in features], train)


def described(frame: pd.DataFrame, features: Sequence[str], train: NDArray[np.intp]) -> NDArray[np.float32]:
    """Columns as vectors, shape (n, d): numbers standardised and words one-hot, as the rows `train` have them.

    Raises
    ------
    DataError
        for a number that is not finite, and a column of neither numbers nor words, or of more than `MOST_WORDS` of them.

    """
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.DataFrame({name: _feature(frame[name], name) for name in features})
    numbers = [name for name in features if table[name].dtype.kind == "f"]
    words = [name for name in features if name not in numbers]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    maker = make_column_transformer((StandardScaler(), numbers), (one_hot, words))
    made: NDArray[np.float32] = maker.fit(table.iloc[train]).transform(table).astype(np.float32)
    return made


def _feature(column: pd.Series[Any], name: str) -> NDArray[Any]:
    """Column as finite float64, or as words."""
    from pandas.api.types import is_numeric_dtype

    if is_numeric_dtype(column) and column.dtype.kind != "c":
        return array_of(f"column {name!r}", column.to_numpy(np.float64, na_value=np.nan), np.float64, 1)
    bad = [not isinstance(value, str | int | float | date) for value in column.tolist()]
    if any(bad):
        row = bad.index(True)
        raise DataError(
            f"column {name!r} holds a {type(column.iloc[row]).__name__} at row {row}; expected numbers or words to describe an "
            "example by"
        )
    words = column.astype(str).to_numpy(dtype=str)
    if len(np.unique(words)) > MOST_WORDS:
        raise DataError(f"column {name!r} holds more than {MOST_WORDS:,} different words; expected a category")
    return words


def _groups(columns: _Columns, groups: Sequence[str] | Mapping[str, tuple[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """Columns of booleans by their own names, or {name: (column, value)}."""
    if isinstance(groups, str):
        raise DataError(f"groups is the string {groups!r}; expected a list of columns or {{name: (column, value)}}")
    if not isinstance(groups, Mapping):
        return {name: array_of(f"column {name!r}", columns.get(name).to_numpy(), np.bool_, 1) for name in groups}
    found = {}
    for name, (column, value) in groups.items():
        found[name] = (columns.get(column).astype(str) == str(value)).to_numpy()
        if not found[name].any():
            raise DataError(f"group {name!r}: no row has {value!r} in column {column!r}")
    return found
