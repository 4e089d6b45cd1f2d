"""Read a user's table into examples for fitting and testing methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import check_resolved, resolved
from slicebench.data.from_arrays import from_arrays, split_names, split_positions
from slicebench.data.from_frame import outcome_arrays
from slicebench.data.user_table import UserTable, if_named
from slicebench.discovery.inputs import embeddings_of, raw_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.problem import Problem
    from slicebench.data.split import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """A user's n examples, in the order of the table.

    `problem` holds them split into train, val and test, and `at` has the rows of each split. `ids`
    are as the user wrote them. `labels` (n,) are class numbers, and so are `predicted` (n,), which
    may be None. `wrong` (n,) bool is None if only `losses` (n,) are known. `inputs` are raw images
    or texts, and `kind` says which ("image", "text", or "" for none). `metadata` has the columns
    that rules use, and `looks` says where the embeddings come from.
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
    """Read the examples of a table; paths of images are relative to `folder`.

    Raises
    ------
    ConfigError
        if a named column does not exist, or outcomes or embeddings are missing.
    DataError
        if a value is missing, not finite, duplicated or of an unknown class; the message names
        column and row.

    """
    table = UserTable(frame, "table")
    found = resolved(columns, table)
    check_resolved(found, table)
    keys, names = _classes(table, found)
    judged = found if names else replace(found, prediction=None, probs=None)
    arrays = outcome_arrays(table, judged, keys)
    y, predicted, probs, n = arrays["labels"], arrays["predictions"], arrays["probs"], len(table.frame)
    if predicted is None and probs is not None:
        predicted = probs.argmax(axis=1)
    at = split_positions(n, if_named(table.texts, found.split), y, seed)
    inputs, kind = raw_inputs(table, found, folder)
    metadata = table.metadata(found.metadata or ())
    rows = embeddings_of(table, found, inputs, kind, encoder, at["train"], say)
    problem = from_arrays(
        embeddings=rows,
        **arrays,
        splits=split_names(at, n),
        class_names=names,
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
        predicted=predicted,
        wrong=wrong,
        losses=losses,
        class_names=problem.data.class_names or ("all",),
        inputs=inputs,
        kind=kind,
        metadata=metadata,
        looks=_looks(found, encoder),
    )


def _looks(found: Columns, encoder: str | None) -> str:
    """Describe where the embeddings come from."""
    if found.embedding is not None:
        return f"column {found.embedding}"
    if found.features:
        return f"{len(found.features)} column{'s'[: len(found.features) != 1]} ({', '.join(found.features[:6])})"
    return "given" if found.embeddings is not None else str(encoder)


def _classes(table: UserTable, found: Columns) -> tuple[Sequence[str | int], tuple[str, ...]]:
    """Return the classes as the columns hold them, and their names, both by number.

    Both are empty in a task without classes.
    """
    if found.label is None:
        return (), ()
    given = tuple(map(str, found.class_names))
    columns = [name for name in (found.label, found.prediction) if name is not None]
    held = table.classes(*columns, also=() if given else _only_in_probs(table, found.probs))
    if given and isinstance(held[0], int):
        return range(len(given)), given
    return given or held, given or tuple(map(str, held))


def _only_in_probs(table: UserTable, probs: str | Sequence[str] | None) -> set[str]:
    """Return the classes named by columns of probabilities, p_<class>; labels may lack some of them."""
    if not isinstance(probs, str) or probs in table.frame:
        return set()
    return {name.removeprefix(probs) for name in table.probability_columns(probs)}


def _outcomes(
    problem: Problem, at: dict[str, NDArray[np.intp]], n: int
) -> tuple[NDArray[np.bool_] | None, NDArray[np.float32]]:
    """Return where the model is wrong, and its losses, in the order of the table."""
    splits = problem.splits()
    losses = np.zeros(n, dtype=np.float32)
    wrong = np.zeros(n, dtype=bool)
    for name, rows in at.items():
        losses[rows] = splits[name].losses
        correct = splits[name].correct
        wrong[rows] = False if correct is None else ~correct
    return (None if problem.test.correct is None else wrong), losses
