"""Assign the columns of a user's table to their roles; every reader of tables goes through here.

To add a role, add a field to `Columns` and its usual names here; `UserTable` has the reader of its values.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import ArrayLike

    from slicebench.data.user_table import UserTable


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns that hold each example's label, prediction, embedding and so on.

    For a field that is None, the column of the field's own name is used, if there is one. `discover`
    uses all of these, `select` and `from_frame` some. Each decides which usual names it looks for.

    Parameters
    ----------
    label, prediction, loss, correct, id, split : str, optional
        Names of columns. `correct` says whether the model is right, if there is no prediction to
        compare with the label. `loss` is for tasks without classes. `split` holds train, val or test
        for each row; without it, rows are dealt at random within each class.
    probs : str or list of str, optional
        Column of vectors, prefix of one column per class ("p_" for p_<class>), or the columns one by one.
    class_names : list of str, optional
        In the order of `probs`; needed if labels are words and `probs` is a column of vectors.
    embedding : str, optional
        Column of vectors.
    embeddings : array (n, d) or path of a .npy or .safetensors file, optional
        Instead of `embedding`.
    features : list of str, optional
        Instead of an embedding: columns of numbers and words that describe an example.
    image : str or array (n, H, W) or (n, H, W, 3) of uint8, optional
        Column of paths, of encoded images, or of Hugging Face's {"bytes", "path"}.
    image_root : path, optional
        Folder that paths in `image` are relative to; by default the table's, or the current one.
    text : str, optional
        Column of texts.
    metadata : list of str, optional
        Columns from which rules may be made; by default every other column of numbers or of few
        distinct values.

    """

    label: str | None = None
    prediction: str | None = None
    probs: str | Sequence[str] | None = None
    class_names: Sequence[str] = ()
    loss: str | None = None
    correct: str | None = None
    id: str | None = None
    split: str | None = None
    embedding: str | None = None
    embeddings: ArrayLike | str | Path | None = None
    features: Sequence[str] = ()
    image: str | ArrayLike | None = None
    image_root: str | Path | None = None
    text: str | None = None
    metadata: Sequence[str] | None = None

    def named(self) -> dict[str, str]:
        """Return the column of each role that a single column fills."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("embeddings", "image_root")}
        return {name: value for name, value in found.items() if isinstance(value, str)}

    @property
    def ways(self) -> list[str]:
        """Fields that are given among embedding, embeddings and features; each describes an example."""
        given = {"embedding": self.embedding is not None, "embeddings": self.embeddings is not None}
        return [name for name, there in (given | {"features": bool(self.features)}).items() if there]


FIELDS = tuple(f.name for f in fields(Columns))
BY_NAME = ("label", "prediction", "probs", "loss", "correct", "id", "split", "embedding", "image", "text")
"""Roles that default to the column of the same name, if the caller looks for it."""
PREFIXES = ("p_", "prob_", "proba_", "probs_")
"""Prefixes of probability columns that are found without being named."""
FEW = 50
"""Largest number of distinct values with which a column of words is metadata by default."""


def columns_given(given: Mapping[str, Any], caller: str, uses: Sequence[str] = FIELDS) -> Columns:
    """Return the columns that were given to a caller, which can use those in `uses`.

    Raises
    ------
    ConfigError
        for an unknown parameter, or one that the caller cannot use.

    """
    for name in given:
        if name not in FIELDS:
            raise ConfigError(f"{caller} has no parameter {name!r}; {did_you_mean(name, list(uses))}")
        if name not in uses:
            raise ConfigError(f"{caller} does not use {name!r}; it takes {', '.join(uses)}")
    return Columns(**given)


def resolved(columns: Columns, table: UserTable, look_for: Collection[str] = FIELDS) -> Columns:
    """Fill in the usual names of the roles in `look_for` that are not given.

    Other roles do not change. Metadata default to all columns that have no other role and are fit
    for rules. Features default to those of them without missing values, if there is no embedding,
    image or text.
    """
    there = [name for name in BY_NAME if name in look_for and name in table.frame and getattr(columns, name) is None]
    found = replace(columns, **{name: name for name in there if name != "embedding" or not columns.ways})
    if "probs" in look_for and found.probs is None:
        found = replace(found, probs=_usual_prefix(found, table))
    if "metadata" in look_for and found.metadata is None:
        found = replace(found, metadata=_usual_metadata(found, table))
    if "features" in look_for and not (found.ways or found.image is not None or found.text is not None):
        complete = [name for name in found.metadata or () if name not in table.frame or table.frame[name].notna().all()]
        found = replace(found, features=complete)
    return found


def _usual_prefix(found: Columns, table: UserTable) -> str | None:
    """Return the first usual prefix that has a column for every class of the labels."""
    if found.label is None or found.label not in table.frame:
        return None
    classes = table.words(found.label).dropna().unique()
    return next((p for p in PREFIXES if len(classes) and all(f"{p}{c}" in table.frame for c in classes)), None)


def _usual_metadata(found: Columns, table: UserTable) -> list[str]:
    """Return the columns without another role that hold numbers, booleans or a few words."""
    taken = {*found.named().values(), *table.probability_columns(found.probs)}
    return [
        name for name in table.frame if isinstance(name, str) and name not in taken and _is_metadata(table.frame[name])
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


def check_resolved(found: Columns, table: UserTable) -> None:
    """Raise `ConfigError` for missing columns, missing outcomes, or more than one embedding."""
    _check_named(found, table)
    _check_outcomes(found, table)
    if len(found.ways) > 1:
        raise ConfigError("embedding, embeddings and features are three ways to describe an example; choose one")


def _check_named(found: Columns, table: UserTable) -> None:
    names = found.named()
    prefix = {"probs"} if table.probability_columns(found.probs) else set()
    missing = [part for part, name in names.items() if name not in table.frame and part not in prefix]
    if missing:
        listed = " and ".join(f"{part} ({names[part]!r})" for part in missing)
        near = did_you_mean(names[missing[0]], [*map(str, table.frame)])
        raise ConfigError(f"the {table.name} has no column for {listed}; {near}")


def _check_outcomes(found: Columns, table: UserTable) -> None:
    judged = found.prediction or found.probs
    names = [*map(str, table.frame)]
    listed = f"the {table.name} has the columns {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
    if found.label is None and judged and not found.loss and not found.correct:
        raise ConfigError(f"{listed}; predictions need labels to compare with; name the label column (label)")
    if not (judged or found.correct or found.loss):
        raise ConfigError(
            f"{listed}; none of them says where the model errs: name a column of predictions (prediction), "
            "probabilities (probs), correctness (correct) or losses (loss)"
        )
