"""A user's table as examples that methods can be fitted on and tested with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import probs_of
from slicebench.data.from_arrays import from_arrays, split_names, split_positions
from slicebench.data.user_table import Part
from slicebench.discovery.columns import Columns, resolved
from slicebench.discovery.inputs import embeddings_of, raw_inputs
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem
    from slicebench.data.split import Inputs


FEW = 50
"""Values that a column of words may have to be looked at as metadata unasked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """n examples of a user, in the order of the table.

    `problem` holds them dealt to train, val and test, and `at` the rows of each split. `ids` are as the user wrote them, `labels`
    (n,) class numbers, `predicted` (n,) class numbers or None, `wrong` (n,) bool or None where only `losses` (n,) are known.
    `inputs` are raw images or texts, `kind` says which ("image", "text", or "" for none), `metadata` what rules are made of, and
    `looks` in words where the embeddings come from.
    """

    problem: Problem
    at: dict[str, NDArray[np.intp]]
    ids: Sequence[Any]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64] | None
    wrong: NDArray[np.bool_] | None
    losses: NDArray[np.float32]
    class_names: tuple[str, ...]
    inputs: Inputs | None
    kind: str
    metadata: pd.DataFrame
    looks: str

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
) -> Examples:
    """Examples of a table; `folder` is where its file lies.

    Raises
    ------
    ConfigError
        for columns that are nowhere, and where nothing says how the model did or what examples look like.
    DataError
        naming column and row of what is missing, not finite, of no known class, or there twice.

    """
    table = Part(frame, "table")
    found = resolved(columns, table)
    y, predicted, names = _classes(table, found)
    n = len(table.frame)
    probs = None if found.probs is None or y is None else _probabilities(table, found.probs, names)
    if predicted is None and probs is not None:
        predicted = probs.argmax(axis=1)
    told = None if found.split is None else table.column(found.split).astype(str).to_numpy(dtype=str)
    at = split_positions(n, told, y, seed)
    inputs, kind = raw_inputs(table, found, folder)
    metadata = table.frame[_metadata_columns(table, found)]
    if not (found.embedding or found.features or kind or found.embeddings is not None):
        found = _described_by_metadata(found, metadata)
    rows = embeddings_of(table, found, inputs, kind, encoder, at["train"], say)
    problem = from_arrays(
        embeddings=rows,
        labels=y,
        probs=probs,
        predictions=predicted if y is not None and found.prediction is not None else None,
        correct=None if found.correct is None else _booleans(table, found.correct),
        losses=None if found.loss is None else table.numbers(found.loss),
        ids=None if found.id is None else table.ids(found.id).tolist(),
        splits=split_names(at, n),
        class_names=names if y is not None else (),
        metadata=metadata if len(metadata.columns) else None,
        seed=seed,
        encoder=encoder or "given",
        modality=kind or "unknown",
    )
    wrong, losses = _outcomes(problem, at, n)
    return Examples(
        problem=problem,
        at=at,
        ids=range(n) if found.id is None else table.frame[found.id].tolist(),
        labels=np.zeros(n, dtype=np.int64) if y is None else y,
        predicted=predicted if y is not None else None,
        wrong=wrong,
        losses=losses,
        class_names=problem.data.class_names or ("all",),
        inputs=inputs,
        kind=kind,
        metadata=metadata,
        looks=_looks(found, encoder),
    )


def _looks(found: Columns, encoder: str | None) -> str:
    """Where the embeddings come from."""
    if found.embedding is not None:
        return f"column {found.embedding}"
    if found.features:
        return f"{len(found.features)} column{'s'[: len(found.features) != 1]} ({', '.join(found.features[:6])})"
    return "given" if found.embeddings is not None else str(encoder)


def _classes(table: Part, found: Columns) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None, tuple[str, ...]]:
    """Label and predicted class of each row as numbers, and the names of the classes."""
    if found.label is None:
        return None, None, ()
    words = {name: table.all_words(name) for name in (found.label, found.prediction) if name is not None}
    whole = all(table.frame[name].convert_dtypes().dtype.kind in "iu" for name in words)
    seen = set().union(*(set(column) for column in words.values()))
    given = tuple(map(str, found.class_names))
    if given and whole:
        numbers = {str(c): c for c in range(len(given))}
    elif given:
        numbers = {name: c for c, name in enumerate(given)}
    else:
        seen |= _suffixes(table, found)
        ordered = sorted(seen, key=int) if whole and all(_is_whole(word) for word in seen) else sorted(seen)
        numbers, given = {name: c for c, name in enumerate(ordered)}, tuple(ordered)
    for name, column in words.items():
        table.refuse(
            name, (~column.isin([*numbers])).to_numpy(dtype=bool), f"expected one of the {len(given)} class names"
        )
    y, *rest = [np.asarray(column.map(numbers), dtype=np.int64) for column in words.values()]
    return y, rest[0] if rest else None, given


def _suffixes(table: Part, found: Columns) -> set[str]:
    """Classes that only columns of probabilities name, p_<class>."""
    if not isinstance(found.probs, str) or found.probs in table.frame:
        return set()
    prefix = found.probs
    return {str(c).removeprefix(prefix) for c in table.frame if str(c).startswith(prefix) and str(c) != prefix}


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _probabilities(table: Part, probs: str | Sequence[str], names: tuple[str, ...]) -> NDArray[np.float32] | None:
    if isinstance(probs, str) and probs in table.frame:
        values: NDArray[Any] = table.vectors(probs)
        if names and values.shape[1] != len(names):
            raise ConfigError(
                f"{table.where(probs)} has {values.shape[1]} numbers for {len(names)} classes ({', '.join(names[:10])}); say "
                "which class each number belongs to (class_names)"
            )
        return probs_of(table.where(probs), values, len(values))
    return table.probabilities(probs, names)


def _booleans(table: Part, name: str) -> NDArray[np.bool_]:
    """Column of booleans, of 0 and 1, or of those words."""
    words = table.all_words(name).str.lower()
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    table.refuse(name, (~words.isin([*known])).to_numpy(dtype=bool), "expected true or false")
    right: NDArray[np.bool_] = words.map(known).to_numpy(dtype=bool)
    return right


def _outcomes(
    problem: Problem, at: dict[str, NDArray[np.intp]], n: int
) -> tuple[NDArray[np.bool_] | None, NDArray[np.float32]]:
    """Where the model is wrong, and its losses, in the order of the table."""
    splits = problem.splits()
    losses = np.zeros(n, dtype=np.float32)
    wrong = np.zeros(n, dtype=bool)
    for name, rows in at.items():
        losses[rows] = splits[name].losses
        correct = splits[name].correct
        wrong[rows] = False if correct is None else ~correct
    return (None if problem.test.correct is None else wrong), losses


def _described_by_metadata(found: Columns, metadata: pd.DataFrame) -> Columns:
    """Columns with all metadata that are never missing as features, where nothing else says what an example looks like."""
    return replace(found, features=[str(name) for name in metadata if not metadata[name].isna().any()])


def _metadata_columns(table: Part, found: Columns) -> list[str]:
    """Columns named, or those that play no other part and hold numbers, truths, or words with few values."""
    if found.metadata is not None:
        for name in found.metadata:
            table.known(name)
        return list(found.metadata)
    taken = set(found.named().values()) | (set(found.probs) if isinstance(found.probs, list | tuple) else set())
    prefix = found.probs if isinstance(found.probs, str) and found.probs not in table.frame else None
    return [
        name
        for name in table.frame
        if isinstance(name, str)
        and name not in taken
        and not (prefix and name.startswith(prefix))
        and _is_metadata(table.frame[name])
    ]


def _is_metadata(column: pd.Series[Any]) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_bool_dtype(column):
        return True
    if is_numeric_dtype(column):
        return (
            column.dtype.kind != "c"
            and bool(np.isfinite(column.dropna().to_numpy(dtype=np.float64)).all())
            and column.nunique() > 1
        )
    try:
        return 1 < column.nunique() <= FEW and all(isinstance(v, str) for v in column.dropna().unique())
    except TypeError:  # lists, images
        return False
