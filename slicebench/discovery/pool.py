"""Build a `Problem` from a labelled table and a pool of candidates.

The pool is the split that methods score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import resolved
from slicebench.data.from_arrays import dealt, from_arrays, split_names
from slicebench.data.from_frame import described, outcome_arrays
from slicebench.data.problem import SPLITS
from slicebench.data.user_table import UserTable, if_named
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.problem import Problem


SHARES = {"train": 0.2, "val": 0.8}
"""Shares of the labelled examples: methods take means and deviations from train, and learn from val."""
USES = ("label", "prediction", "probs", "embedding", "features", "id", "loss", "text")
"""Fields of `Columns` that `select` accepts."""
MOVE = "drop such rows or move them to the pool"


@dataclass(frozen=True, eq=False)
class Part:
    """The labelled rows, or the candidates: their table, their features, and their `arrays` for `from_arrays`."""

    table: UserTable
    features: dict[str, NDArray[Any]]
    arrays: dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolProblem:
    """A problem whose test split is the pool, in the pool's order.

    `ids` are the pool's as the user wrote them, and `classes` the C class names (integers if the
    labels are integers). `weak` (n,) marks examples whose label is the model's prediction. `notes`
    are what a user must know.
    """

    problem: Problem
    ids: Sequence[Any]
    classes: tuple[str | int, ...]
    weak: NDArray[np.bool_]
    notes: tuple[str, ...]


def problem_with_pool(
    data: pd.DataFrame | None, pool: pd.DataFrame, columns: Columns, *, split: str = "split", seed: int = 0
) -> PoolProblem:
    """Build a problem with train and val from `data` and the pool as test.

    It takes the same parameters as `select` and raises the same errors.
    """
    *tables, splits = _tables(data, pool, split)
    found = _found(columns, *tables)
    classes = () if found.label is None else tables[0].classes(found.label, advice=MOVE)
    known, candidates = (_read(table, found, classes) for table in tables)
    _check_one_space(known, candidates)
    notes = [*_identify(known, candidates, found.id), *_fill_losses(known, candidates)]
    weak = _label(known, candidates, found.label, classes)
    return PoolProblem(
        problem=_problem(known, candidates, found.features, classes, splits, seed),
        ids=range(len(weak)) if found.id is None else candidates.table.frame[found.id].tolist(),
        classes=classes or ("all",),
        weak=weak,
        notes=tuple(notes),
    )


def _tables(
    data: pd.DataFrame | None, pool: pd.DataFrame, split: str
) -> tuple[UserTable, UserTable, NDArray[np.str_] | None]:
    """Return the labelled rows, the candidates, and the splits of the labelled rows.

    The splits are None unless one table holds both.
    """
    if data is not None:
        return UserTable(data, "data table"), UserTable(pool, "pool table"), None
    if split not in pool:
        raise ConfigError(
            f"cannot tell labelled examples from candidates: the pool table has no column {split!r} (split); "
            "pass the labelled examples as a table of their own (data), or add a column that marks each row as "
            "train, val or pool"
        )
    whole = UserTable(pool, "table")
    names = np.array(whole.texts(split))
    whole.refuse(split, ~np.isin(names, SPLITS), f"expected one of {', '.join(SPLITS)}")
    if missing := [name for name in ("train", "val", "pool") if name not in names]:
        marked = " or ".join(map(repr, missing))
        raise DataError(f"{whole.where(split)} has no row marked {marked}; train, val and pool are all required")
    known = np.isin(names, ("train", "val"))
    rows = whole.frame
    return UserTable(rows[known], "train and val rows"), UserTable(rows[names == "pool"], "pool rows"), names[known]


def _found(columns: Columns, known: UserTable, pool: UserTable) -> Columns:
    """Return the columns, with the usual names filled in.

    Raises `ConfigError` if labels, outcomes or embeddings are missing.
    """
    found = resolved(columns, known, look_for=("label", "embedding"))
    if found.label is not None and not found.probs:
        found = resolved(found, known, look_for=("prediction",))
    found = resolved(found, pool, look_for=("id",))
    if found.loss is not None:
        known.column(found.loss)
    if found.label is None and (found.loss is None or found.prediction or found.probs):
        raise ConfigError(f"the {known.name} has no column 'label'; say which column holds the true classes (label)")
    if found.label is not None and found.prediction is None and not found.probs:
        raise ConfigError(
            f"the {known.name} has no column 'prediction'; say which column holds what the model predicts (prediction), or which "
            "ones its probabilities (probs)"
        )
    if len(found.ways) != 1:
        raise ConfigError(
            "expected either a column of vectors (embedding) or columns that describe the examples (features); "
            f"got {' and '.join(found.ways) or 'neither'}"
        )
    return found


def _read(table: UserTable, found: Columns, classes: Sequence[str | int]) -> Part:
    """Read the arrays of one part: embeddings or features, and the model's answers.

    Labels and ids are added to both parts together.
    """
    loss = found.loss if found.loss in table.frame else None
    arrays = {
        "embeddings": if_named(table.vectors, found.embedding),
        **outcome_arrays(table, replace(found, label=None, id=None, loss=loss, probs=found.probs or None), classes),
        "inputs": if_named(table.texts, found.text),
    }
    features = table.features(found.features)
    return Part(table, features, {name: values for name, values in arrays.items() if values is not None})


def _check_one_space(known: Part, pool: Part) -> None:
    """Raise `DataError` unless vectors have one length, and each feature is a number in both parts or in none."""
    one, other = known.table, pool.table
    if "embeddings" in known.arrays:
        d, e = (part.arrays["embeddings"].shape[1] for part in (known, pool))
        if d != e:
            raise DataError(f"embeddings have {d} numbers in the {one.name}, {e} in the {other.name}")
    for name in known.features:
        if (known.features[name].dtype.kind == "f") != (pool.features[name].dtype.kind == "f"):
            raise DataError(
                f"feature {name!r} holds {one.frame[name].dtype} in the {one.name}, {other.frame[name].dtype} in the "
                f"{other.name}; expected numbers in both, or words"
            )


def _identify(known: Part, pool: Part, name: str | None) -> list[str]:
    """Give ids to both parts and check that they share none.

    Returns a note if the pool's ids are row numbers.
    """
    one, other = known.table, pool.table
    known.arrays["ids"] = np.array([f"row {i} of the {one.name}" for i in range(len(one.frame))])
    pool.arrays["ids"] = np.arange(len(other.frame)).astype(str)
    if name is None:
        return [f"no column 'id' in the {other.name}; ids are row numbers within the {other.name}, from 0"]
    pool.arrays["ids"] = other.ids(name)
    if name in one.frame:
        known.arrays["ids"] = one.ids(name)
        both = np.isin(pool.arrays["ids"], known.arrays["ids"])
        other.refuse(name, both, f"this id is also in the {one.name}; candidates must be new")
    return []


def _fill_losses(known: Part, pool: Part) -> list[str]:
    """Give the pool the mean known loss if it has no losses, and return a note on it."""
    if "losses" not in known.arrays or "losses" in pool.arrays:
        return []
    pool.arrays["losses"] = np.full(len(pool.table.frame), known.arrays["losses"].mean())
    return ["the pool has no losses; the mean of the known losses is used instead, so no method can rank by loss"]


def _label(known: Part, pool: Part, name: str | None, classes: Sequence[str | int]) -> NDArray[np.bool_]:
    """Label both parts, and mark the pool examples with a weak label, shape (n,).

    A weak label is the model's prediction, used where the pool has no label.
    """
    if name is None:
        return np.zeros(len(pool.table.frame), dtype=bool)
    known.arrays["labels"] = known.table.class_numbers(name, classes)
    labels = pool.table.class_numbers(name, classes, gaps=True)
    weak: NDArray[np.bool_] = labels < 0
    said = pool.arrays["predictions"] if "predictions" in pool.arrays else pool.arrays["probs"].argmax(axis=1)
    pool.arrays["labels"] = np.where(weak, said, labels)
    return weak


def _problem(
    known: Part,
    pool: Part,
    features: Sequence[str],
    classes: Sequence[str | int],
    splits: NDArray[np.str_] | None,
    seed: int,
) -> Problem:
    """Join both parts, the labelled rows first.

    The labelled rows are split by `SHARES`, unless `splits` assigns them.
    """
    n = len(known.table.frame)
    if splits is None:
        rng, labels = np.random.default_rng([seed, 0]), known.arrays.get("labels", np.zeros(n))
        splits = split_names(dealt(labels, SHARES, rng, "examples of known truth"), n)
    arrays = {key: np.concatenate([known.arrays[key], pool.arrays[key]]) for key in known.arrays if key != "inputs"}
    if "inputs" in known.arrays:
        arrays["inputs"] = known.arrays["inputs"] + pool.arrays["inputs"]
    if features:
        columns = {name: np.concatenate([known.features[name], pool.features[name]]) for name in features}
        arrays["embeddings"] = described(columns, features, np.flatnonzero(splits == "train"))
    return from_arrays(
        **arrays | {"ids": arrays["ids"].tolist()},
        splits=np.concatenate([splits, np.full(len(pool.table.frame), "test")]),
        class_names=[*map(str, classes)],
        seed=seed,
    )
