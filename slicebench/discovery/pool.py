"""Build a `Problem` from a labelled table and a pool of candidates.

The pool is the split that methods score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import Auto
from slicebench.data.from_arrays import dealt, from_arrays, split_names
from slicebench.data.problem import SPLITS
from slicebench.data.schema import schema_of
from slicebench.data.schema.frames import as_frame
from slicebench.data.schema.kinds import kind_of
from slicebench.data.schema.layouts.image_folders import FILE_NAME, IMAGE_FOLDER
from slicebench.data.schema.outcomes import outcomes_of
from slicebench.data.schema.parts import parts_of
from slicebench.data.schema.roles import called, parameter
from slicebench.data.schema.user_table import UserTable, if_named
from slicebench.data.schema.vectors import described, vectors_of
from slicebench.discovery.reading.images import read_images
from slicebench.discovery.reading.inputs import DEFAULT_ENCODERS, encoded
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.problem import Problem
    from slicebench.data.schema import Schema
    from slicebench.data.schema.outcomes import Outcomes
    from slicebench.data.schema.roles import Roles


SHARES = {"train": 0.2, "val": 0.8}
"""Shares of the labelled examples: methods take means and deviations from train, and learn from val."""
USES = (
    "label", "prediction", "probs", "class_names", "score", "positive", "threshold", "embedding", "features",
    "id", "loss", "text", "ignore", "keep",
)  # fmt: skip
"""Fields of `Columns` that `select` accepts."""
MOVE = "drop such rows or move them to the pool"


@dataclass(frozen=True, eq=False)
class Part:
    """One of the two tables: its rows, their outcomes, and other `arrays` as `from_arrays` takes them."""

    table: UserTable
    outcomes: Outcomes
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
    data: Any, pool: Any, columns: Columns, *, split: str = "split", encoder: str | None = None, seed: int = 0
) -> PoolProblem:
    """Build a problem with train and val from `data` and the pool as test.

    It takes the same parameters as `select` and raises the same errors.
    """
    from slicebench.models.encoders.encoder import make_encoder

    labelled = None if data is None else as_frame(data, "data table")
    if encoder is not None:
        make_encoder(encoder)  # an unknown name is an error even where nothing is encoded
    candidates_given = as_frame(pool, "pool table")
    folders = [
        one.attrs.get(IMAGE_FOLDER) for one in (candidates_given if labelled is None else labelled, candidates_given)
    ]
    known_table, pool_table, splits = _tables(labelled, candidates_given, split)
    columns = replace(columns, image=FILE_NAME if all(folders) and isinstance(columns.image, Auto) else columns.image)
    schema = _schema(columns, known_table, pool_table)
    roles = schema.roles
    known = Part(known_table, schema.outcomes, _looks(known_table, roles))
    candidates = _candidates(pool_table, schema)
    images = _images((known, candidates), folders) if schema.roles.image is not None else None
    _check_one_space(known, candidates)
    unused = [f"{called('encoder')} is not used: the tables are no folders of images."] * (encoder is not None)
    notes = [
        *schema.notes,
        *(unused if images is None else ()),
        *_identify(known, candidates, roles.id),
        *_fill_losses(known, candidates),
    ]
    weak = _label(candidates, roles.label)
    return PoolProblem(
        problem=_problem(
            known, candidates, schema, splits, _Encoding(images, encoder or DEFAULT_ENCODERS["image"]), seed
        ),
        ids=range(len(weak)) if roles.id is None else candidates.table.frame[roles.id].tolist(),
        classes=tuple(schema.outcomes.classes) or ("all",),
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
    rows = whole.frame.drop(columns=split)
    return UserTable(rows[known], "train and val rows"), UserTable(rows[names == "pool"], "pool rows"), names[known]


def _schema(columns: Columns, known: UserTable, pool: UserTable) -> Schema:
    """Return the schema of the labelled table; an id is looked for in the pool.

    Raises `ConfigError` if outcomes or embeddings are missing.
    """
    key = ("id" if "id" in pool.frame else None) if isinstance(columns.id, Auto) else columns.id
    inside = replace(columns, id=key if key in known.frame else None)
    schema = schema_of(known.frame, inside, name=known.name, advice=MOVE, look_for=FOUND)
    roles = replace(schema.roles, id=key)
    if roles.label is not None and roles.prediction is None and not roles.has_probabilities:
        raise ConfigError(
            f"the {known.name} has no column of predictions; name predicted classes ({parameter('prediction')}) or "
            f"probabilities ({parameter('probs')})"
        )
    if not roles.embedding and not len(schema.features.columns) and roles.image is None:
        raise ConfigError(
            f"nothing says what an example looks like; name a column of vectors ({parameter('embedding')}) or columns that "
            f"describe it ({parameter('features')})"
        )
    return replace(schema, roles=roles)


def _looks(table: UserTable, roles: Roles) -> dict[str, Any]:
    """Return the embeddings and texts of a table, where it has columns of them."""
    arrays = {
        "embeddings": vectors_of(table, roles.embedding) if roles.embedding else None,
        "inputs": if_named(table.texts, roles.text),
    }
    return {name: values for name, values in arrays.items() if values is not None}


def _candidates(table: UserTable, schema: Schema) -> Part:
    """Read the pool, whose labels and losses may be missing."""
    roles = schema.roles
    for role in ("prediction", "score"):
        if getattr(roles, role) is not None:
            table.known(getattr(roles, role))
    label, loss = ((name if name in table.frame else None) for name in (roles.label, roles.loss))
    outcomes = outcomes_of(table, replace(roles, label=label, loss=loss), schema.outcomes)
    return Part(table, outcomes, _looks(table, roles))


def _check_one_space(known: Part, pool: Part) -> None:
    """Raise `DataError` unless the vectors of both parts have one length."""
    one, other = known.table, pool.table
    if "embeddings" in known.arrays:
        d, e = (part.arrays["embeddings"].shape[1] for part in (known, pool))
        if d != e:
            raise DataError(f"embeddings have {d} numbers in the {one.name}, {e} in the {other.name}")


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
    if known.outcomes.losses is None or pool.outcomes.losses is not None:
        return []
    pool.outcomes.losses = np.full(len(pool.table.frame), known.outcomes.losses.mean())
    return ["the pool has no losses; the mean of the known losses is used instead, so no method can rank by loss"]


def _label(pool: Part, name: str | None) -> NDArray[np.bool_]:
    """Label the pool where it has no labels, and mark the examples with such a weak label, shape (n,).

    A weak label is the model's prediction.
    """
    n, found = len(pool.table.frame), pool.outcomes
    if name is None:
        return np.zeros(n, dtype=bool)
    labels = np.full(n, -1, dtype=np.int64) if found.labels is None else found.labels
    weak: NDArray[np.bool_] = labels < 0
    said = found.predicted
    found.labels = labels if said is None else np.where(weak, said, labels)
    return weak


@dataclass(frozen=True, eq=False)
class _Encoding:
    """Images of both parts, (n, H, W, 3), or None; and the encoder that embeds them where nothing else describes them."""

    images: NDArray[np.uint8] | None
    encoder: str


def _images(parts: Sequence[Part], folders: Sequence[str | None]) -> NDArray[np.uint8]:
    """Read the images of two folders as one array."""
    paths = [
        str(Path(folder or "", name).expanduser().absolute())
        for part, folder in zip(parts, folders, strict=True)
        for name in part.table.column(FILE_NAME)
    ]
    return read_images(paths, f"column {FILE_NAME!r} of both tables", Path()).pixels


def _problem(
    known: Part, pool: Part, schema: Schema, splits: NDArray[np.str_] | None, encoding: _Encoding, seed: int
) -> Problem:
    """Join both parts, the labelled rows first.

    The labelled rows are split by `SHARES`, unless `splits` assigns them.
    """
    n, labels = len(known.table.frame), known.outcomes.labels
    if splits is None:
        rng = np.random.default_rng([seed, 0])
        at = dealt(np.zeros(n) if labels is None else labels, SHARES, rng, "examples of known truth")
        splits = split_names(at, n)
    both = [{**part.outcomes.arrays(), **part.arrays} for part in (known, pool)]
    arrays = {key: _joined(*(part[key] for part in both)) for key in both[0] if both[0][key] is not None}
    train = np.flatnonzero(splits == "train")
    if not schema.roles.embedding and len(schema.features.columns):
        arrays["embeddings"] = described(_features(known, pool, schema), train)
    elif not schema.roles.embedding and encoding.images is not None:
        arrays["embeddings"] = encoded(encoding.images, encoding.encoder, train)
    return from_arrays(
        **arrays | {"ids": arrays["ids"].tolist()},
        splits=np.concatenate([splits, np.full(len(pool.table.frame), "test")]),
        class_names=schema.outcomes.class_names,
        seed=seed,
    )


def _joined(one: Any, other: Any) -> Any:
    return one + other if isinstance(one, list) else np.concatenate([one, other])


def _features(known: Part, pool: Part, schema: Schema) -> pd.DataFrame:
    """Return the columns that describe an example, of both tables; each must be of one kind in both."""
    import pandas as pd

    made: dict[str, Any] = {}
    for use in schema.uses:
        if "features" not in use.use:
            continue
        one, other = known.table.frame[use.column], pool.table.frame[pool.table.known(use.column)]
        whole = pd.concat([one, other], ignore_index=True)
        kinds = {kind_of(one) in NUMBERS, kind_of(other) in NUMBERS | {"constant"}}
        if len(kinds) > 1:
            raise DataError(
                f"feature {use.column!r} holds {one.dtype} in the {known.table.name}, {other.dtype} in the "
                f"{pool.table.name}; expected numbers in both, or words"
            )
        made |= parts_of(use.column, whole, use.kind if use.kind in NUMBERS else kind_of(whole))
    return pd.DataFrame(made)


NUMBERS = frozenset({"numbers", "whole numbers"})
"""Kinds of columns that hold numbers."""
FOUND = ("label", "prediction", "probs", "score", "embedding", "features")
"""Roles that are looked for where they are not named."""
