"""A user's table of known truth and a pool of candidates as a `Problem`, whose split that is scored is the pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.from_arrays import split_names
from slicebench.data.from_frame import from_frame
from slicebench.data.problem import SPLITS
from slicebench.data.split import deal
from slicebench.data.user_table import Part
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem


SHARES = {"train": 0.2, "val": 0.8}
"""How examples of known truth are dealt: train only gives methods their means and deviations, val is what they learn from."""


@dataclass(frozen=True, kw_only=True)
class PoolColumns:
    """Columns of both tables, as in `from_frame`; a label may be missing in the pool, and so may a loss.

    `label`, `prediction`, `embedding` and `id` are by default the columns of those names, where there are any; a prediction is
    looked for only where no `probs` are named, and an embedding only where no `features` are.
    """

    label: str | None = None
    prediction: str | None = None
    probs: Sequence[str] | str | None = None
    embedding: str | None = None
    features: Sequence[str] = ()
    id: str | None = None
    loss: str | None = None
    text: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolProblem:
    """A problem whose test split is the pool, in the pool's order.

    `ids` are the pool's as the user wrote them, `classes` the C class names (whole numbers where they are that), `weak` (n,) says
    whose label is the model's prediction, and `notes` what was done that a user must know.
    """

    problem: Problem
    ids: Sequence[Any]
    classes: tuple[str | int, ...]
    weak: NDArray[np.bool_]
    notes: tuple[str, ...]


def problem_with_pool(
    data: pd.DataFrame | None, pool: pd.DataFrame, columns: PoolColumns, *, split: str = "split", seed: int = 0
) -> PoolProblem:
    """Problem with train and val from `data` and the pool as test; as `select` has them.

    Takes the same parameters and raises the same errors.
    """
    known, candidates, splits = _parts(data, pool, split)
    columns = _found(columns, known, candidates)
    classes = ("all",) if columns.label is None else known.classes(columns.label)
    for part in (known, candidates):
        _describe(part, columns, classes)
    _check_one_space(known, candidates)
    notes = [*_identify(known, candidates, columns.id), *_fill_losses(known, candidates)]
    weak = _label(known, candidates, columns.label, classes)
    known.table["@split"] = _dealt(known.table, classes, seed) if splits is None else splits
    candidates.table["@split"] = "test"
    return PoolProblem(
        problem=_problem(known, candidates, columns.features, classes, seed),
        ids=range(len(weak)) if columns.id is None else candidates.frame[columns.id].tolist(),
        classes=classes,
        weak=weak,
        notes=tuple(notes),
    )


def _parts(data: pd.DataFrame | None, pool: pd.DataFrame, split: str) -> tuple[Part, Part, NDArray[np.str_] | None]:
    """Rows of known truth, candidates, and where one table holds both, the splits of the former."""
    if data is not None:
        return Part(data, "data table"), Part(pool, "pool table"), None
    if split not in pool:
        raise ConfigError(
            "nothing says which examples have a known truth: give them as a table of their own (data), or have a column of the "
            f"pool's table say train, val or pool of each row; it has no column {split!r} (split)"
        )
    whole = Part(pool, "table")
    names = whole.column(split).astype(str).to_numpy(dtype=str)
    whole.refuse(split, ~np.isin(names, SPLITS), f"expected one of {', '.join(SPLITS)}")
    if missing := [name for name in ("train", "val", "pool") if name not in names]:
        raise DataError(f"{whole.where(split)} says {' and '.join(missing)} of no row; train, val and pool are needed")
    known = np.isin(names, ("train", "val"))
    rows = whole.frame
    return Part(rows[known], "train and val rows"), Part(rows[names == "pool"], "pool rows"), names[known]


def _found(columns: PoolColumns, known: Part, pool: Part) -> PoolColumns:
    """Columns with the defaults filled in; an error where truth, outcome or embedding is nowhere."""

    def default(name: str, part: Part) -> str | None:
        return name if name in part.frame else None

    label = columns.label or default("label", known)
    found = replace(
        columns,
        label=label,
        prediction=columns.prediction or (None if columns.probs or label is None else default("prediction", known)),
        embedding=columns.embedding or (None if columns.features else default("embedding", known)),
        id=columns.id or default("id", pool),
    )
    if found.loss is not None:
        known.column(found.loss)
    if label is None and (found.loss is None or found.prediction or found.probs):
        raise ConfigError(f"the {known.name} has no column 'label'; say which column holds the true classes (label)")
    if label is not None and found.prediction is None and not found.probs:
        raise ConfigError(
            f"the {known.name} has no column 'prediction'; say which column holds what the model predicts (prediction), or which "
            "ones its probabilities (probs)"
        )
    if (found.embedding is None) == (not found.features):
        raise ConfigError(
            "say either which column holds vectors (embedding) or which ones describe an example (features)"
        )
    return found


def _describe(part: Part, columns: PoolColumns, classes: Sequence[str | int]) -> None:
    """Put into a part's table what both parts need: embedding or features, and what the model said."""
    import pandas as pd

    made: dict[str, Any] = {}
    if columns.embedding is not None:
        made["@embedding"] = list(part.vectors(columns.embedding))
    made |= {name: part.feature(name) for name in columns.features}
    if columns.probs:
        made |= {f"@p {c}": p for c, p in zip(classes, part.probabilities(columns.probs, classes).T, strict=True)}
    if columns.prediction is not None:
        made["@prediction"] = part.all_words(columns.prediction)
        part.refuse_unknown(columns.prediction, made["@prediction"], classes)
    if columns.loss is not None and columns.loss in part.frame:
        made["@loss"] = part.numbers(columns.loss)
    if columns.text is not None:
        made["@text"] = part.column(columns.text).astype(str)
    part.table = pd.DataFrame(made, index=part.frame.index)


def _check_one_space(known: Part, pool: Part) -> None:
    """Raise `DataError` unless vectors are of one length, and each feature a number in both parts or in none."""
    described = [name for name in known.table if name == "@embedding" or not str(name).startswith("@")]
    for name in described:
        one, other = known.table[name], pool.table[name]
        if name == "@embedding" and len(one.iloc[0]) != len(other.iloc[0]):
            raise DataError(
                f"embeddings have {len(one.iloc[0])} numbers in the {known.name}, {len(other.iloc[0])} in the {pool.name}"
            )
        if (one.dtype.kind == "f") != (other.dtype.kind == "f"):
            raise DataError(
                f"feature {name!r} holds {known.frame[name].dtype} in the {known.name}, {pool.frame[name].dtype} in the "
                f"{pool.name}; expected numbers in both, or words"
            )


def _identify(known: Part, pool: Part, name: str | None) -> list[str]:
    """Give both parts ids, none of them shared; a note where they are row numbers."""
    known.table["@id"] = [f"row {i} of the {known.name}" for i in range(len(known.frame))]
    pool.table["@id"] = pool.frame.index.astype(str)
    if name is None:
        return [f"the {pool.name} has no column 'id'; ids are row numbers among the {pool.name}, from 0"]
    pool.table["@id"] = pool.ids(name)
    if name in known.frame:
        known.table["@id"] = known.ids(name)
        both = pool.table["@id"].isin(known.table["@id"]).to_numpy()
        pool.refuse(name, both, f"that is an id of the {known.name} too, and a candidate must be new")
    return []


def _fill_losses(known: Part, pool: Part) -> list[str]:
    """Give the pool the mean loss where it has none; a note if so."""
    if "@loss" not in known.table or "@loss" in pool.table:
        return []
    pool.table["@loss"] = known.table["@loss"].mean()
    return ["the pool has no losses; the mean of the known ones stands in, by which no method can rank"]


def _label(known: Part, pool: Part, name: str | None, classes: Sequence[str | int]) -> NDArray[np.bool_]:
    """Label both parts, the pool by the model's prediction where it has no label, and say where that is so."""
    import pandas as pd

    if name is None:
        return np.zeros(len(pool.frame), dtype=bool)
    known.table["@label"] = known.words(name)
    words = pool.words(name)
    pool.refuse_unknown(name, words, classes)
    if "@prediction" in pool.table:
        predicted = pool.table["@prediction"]
    else:
        best = pool.table[[f"@p {c}" for c in classes]].to_numpy().argmax(axis=1)
        predicted = pd.Series(np.array([*map(str, classes)])[best], index=words.index, dtype="string")
    pool.table["@label"] = words.fillna(predicted)
    return words.isna().to_numpy(dtype=bool)


def _dealt(known: pd.DataFrame, classes: Sequence[str | int], seed: int) -> NDArray[np.str_]:
    """Train or val for each example of known truth, at random within each class."""
    rng, n = np.random.default_rng([seed, 0]), len(known)
    indices = known.groupby("@label").indices if "@label" in known else {str(classes[0]): np.arange(n)}
    parts = [deal(np.asarray(indices[str(c)]), SHARES, rng) for c in classes]
    at = {name: np.concatenate([part[name] for part in parts]) for name in SHARES}
    if empty := [name for name, found in at.items() if not len(found)]:
        raise DataError(f"{n} examples of known truth are too few: none would be left for {' and '.join(empty)}")
    return split_names(at, n)


def _problem(known: Part, pool: Part, features: Sequence[str], classes: Sequence[str | int], seed: int) -> Problem:
    import pandas as pd

    table = pd.concat([known.table, pool.table], ignore_index=True)
    if "@label" in table and isinstance(classes[0], int):
        table["@label"] = table["@label"].astype(np.int64)  # from_frame orders whole numbers by size
    roles: dict[str, Any] = {
        role: f"@{role}" for role in ("label", "prediction", "loss", "embedding", "text") if f"@{role}" in table
    }
    if f"@p {classes[0]}" in table:
        roles["probs"] = "@p "
    return from_frame(table, **roles, features=features, id="@id", split="@split", seed=seed)
