"""A user's own predictions as a `Problem`: from arrays, or from a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, did_you_mean
from slicebench.problem import SPLITS, AuditData, PlantedTruth, Problem, Provenance
from slicebench.split import Split
from slicebench.validation import array_of, ids_of, labels_of, probs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from slicebench.split import Inputs

SHARES = {"train": 0.2, "val": 0.4, "test": 0.4}
"""How examples are dealt where the user names no splits: train only gives methods their means and deviations."""


def problem_from_arrays(
    *,
    embeddings: ArrayLike,
    labels: ArrayLike | None = None,
    probs: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    losses: ArrayLike | None = None,
    groups: Mapping[str, ArrayLike] | None = None,
    ids: Sequence[object] | None = None,
    splits: Sequence[str] | NDArray[np.str_] | None = None,
    class_names: Sequence[str] = (),
    inputs: Inputs | None = None,
    metadata: pd.DataFrame | None = None,
    name: str = "mine",
    seed: int = 0,
    encoder: str = "given",
    modality: str = "unknown",
    provenance: Provenance | None = None,
) -> Problem:
    """Problem of n examples; see `Problem.from_arrays`."""
    rows = np.asarray(embeddings, dtype=np.float32)
    if rows.ndim != 2:
        raise DataError(f"embeddings has shape {rows.shape}; expected (n, d)")
    n = len(rows)
    names = ids_of("ids", np.arange(n) if ids is None else np.asarray(ids))
    y = None if labels is None else labels_of("labels", labels, n)
    fields = _outcomes(n, y, probs, predictions, losses)
    truth = {key: array_of(f"groups[{key!r}]", value, np.bool_, 1, n) for key, value in (groups or {}).items()}
    table = np.stack([*truth.values()], axis=1) if truth else np.zeros((n, 0), dtype=bool)
    at = _positions(n, splits, y, seed)
    whole = Split(ids=names, embeddings=rows, labels=y, inputs=inputs, metadata=metadata, **fields)
    parts = {key: whole.take(positions) for key, positions in at.items()}
    return Problem(
        name=name,
        family=name,
        dataset=name,
        dataset_version="1",
        params={},
        seed=seed,
        modality=modality,
        encoder=encoder,
        data=AuditData(
            train=parts["train"],
            val=parts["val"],
            pool=parts.get("pool"),
            class_names=_class_names(y, fields.get("probs"), class_names),
        ),
        test=parts["test"],
        truth=PlantedTruth(
            ids={key: split.ids for key, split in parts.items()},
            groups={key: table[positions] for key, positions in at.items()},
            group_names=tuple(truth),
            how="groups given by the user" if truth else "no groups known",
        ),
        provenance=provenance or Provenance(source="the user's own arrays", licence="the user's"),
    )


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
    at = _positions(len(frame), None if split is None else columns.get(split).to_numpy(), y, about.get("seed", 0))
    return problem_from_arrays(
        embeddings=_embeddings(columns, embedding, features, at["train"]),
        labels=y,
        probs=p,
        predictions=predicted,
        losses=None if loss is None else columns.get(loss).to_numpy(),
        groups=_groups(columns, groups),
        ids=None if id is None else columns.get(id).tolist(),
        splits=_names_of(at, len(frame)),
        class_names=class_names,
        inputs=None if text is None else columns.get(text).astype(str).tolist(),
        metadata=frame[[columns.get(name).name for name in metadata]].reset_index(drop=True) if metadata else None,
        **about,
    )


def read_frame(path: str | Path) -> pd.DataFrame:
    """Table of a .parquet or .csv file (also .csv.gz, .tsv); `DataError` if it cannot be read."""
    import pandas as pd

    file = Path(path).expanduser()
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, sep="\t" if ".tsv" in file.suffixes else ",")
    except Exception as error:  # each format's library has errors of its own
        raise DataError(f"cannot read the table {file}: {error}; expected .parquet, .csv or .tsv") from error


class _Columns:
    """Columns of a table by name, or an error with near names."""

    def __init__(self, frame: pd.DataFrame) -> None:
        if not len(frame):
            raise DataError("the table has no rows; expected one per example")
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


def _outcomes(
    n: int, y: NDArray[np.int64] | None, probs: Any, predictions: Any, losses: Any
) -> dict[str, NDArray[Any]]:
    """Probabilities, right or wrong, and losses: given, or -log p of the true class, or 0 and 1."""
    out: dict[str, NDArray[Any]] = {}
    if probs is not None:
        out["probs"] = probs_of("probs", probs, n)
    if predictions is not None:
        if y is None:
            raise DataError("predictions are given without labels; expected both, or losses")
        out["correct"] = labels_of("predictions", predictions, n) == y
    if losses is not None:
        out["losses"] = array_of("losses", losses, np.float32, 1, n)
    elif "probs" in out and y is not None:
        if y.max() >= out["probs"].shape[1]:
            raise DataError(f"labels reach {y.max()}, but probs has {out['probs'].shape[1]} columns")
        out["losses"] = -np.log(np.maximum(out["probs"][np.arange(n), y], 1e-12))
    elif "correct" in out:
        out["losses"] = (~out["correct"]).astype(np.float32)
    else:
        raise DataError("nothing says where the model errs; give probs and labels, predictions and labels, or losses")
    return out


def _positions(n: int, splits: Any, y: NDArray[np.int64] | None, seed: int) -> dict[str, NDArray[np.intp]]:
    """Positions of each split: as named, or dealt at random within each class by `SHARES`."""
    if splits is not None:
        named = np.asarray(splits).astype(str)
        if named.shape != (n,):
            raise DataError(f"splits has shape {named.shape}; expected one name per example, ({n},)")
        unknown = sorted(set(named.tolist()) - set(SPLITS))
        if unknown:
            raise DataError(
                f"splits holds {unknown[0]!r} at row {int(np.argmax(named == unknown[0]))}; known: {', '.join(SPLITS)}"
            )
        found = {key: np.flatnonzero(named == key) for key in SPLITS if (named == key).any()}
        if missing := [key for key in SHARES if key not in found]:
            raise DataError(f"splits names no example of {' and '.join(missing)}; train, val and test are needed")
        return found
    return _dealt(n, y, np.random.default_rng(seed))


def _dealt(n: int, y: NDArray[np.int64] | None, rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
    """Positions of each split, at random within each class."""
    parts: dict[str, list[NDArray[np.intp]]] = {key: [] for key in SHARES}
    for c in [0] if y is None else np.unique(y):
        rows = rng.permutation(np.arange(n) if y is None else np.flatnonzero(y == c))
        ends = np.rint(np.cumsum([*SHARES.values()])[:-1] * len(rows)).astype(int)
        for key, part in zip(SHARES, np.split(rows, ends), strict=True):
            parts[key].append(part)
    dealt = {key: np.sort(np.concatenate(part)) for key, part in parts.items()}
    if empty := [key for key, rows in dealt.items() if not len(rows)]:
        raise DataError(f"{n} examples are too few to deal into train, val and test: {', '.join(empty)} would be empty")
    return dealt


def _names_of(at: Mapping[str, NDArray[np.intp]], n: int) -> NDArray[np.str_]:
    names = np.empty(n, dtype="U5")
    for key, rows in at.items():
        names[rows] = key
    return names


def _class_names(y: NDArray[np.int64] | None, probs: NDArray[Any] | None, given: Sequence[str]) -> tuple[str, ...]:
    if y is None:
        return tuple(given)
    C = max(int(y.max()) + 1, 0 if probs is None else probs.shape[1])
    return tuple(given) or tuple(f"class {c}" for c in range(C))


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
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = columns.frame[[columns.get(name).name for name in features]]
    numbers = [name for name in features if table[name].dtype.kind in "iufb"]
    words = [name for name in features if name not in numbers]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    maker = make_column_transformer((StandardScaler(), numbers), (one_hot, words))
    made: NDArray[np.float32] = maker.fit(table.iloc[train]).transform(table).astype(np.float32)
    return made


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
