"""The data that a method sees (`AuditData`), and the whole problem with its truth (`Problem`).

Both are frozen, and arrays in them are read-only. Constructors check everything once, so that other
code need not. A method gets `AuditData` to fit and a `Split` to score. Neither refers to a
`PlantedTruth`, directly or through anything it holds.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from slicebench.data.split import put_field
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.split import Split
    from slicebench.data.trainer import Trainer
    from slicebench.data.truth import PlantedTruth


SPLITS = ("train", "val", "test", "pool")


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditData:
    """Data for `SliceMethod.fit`: train, held-out val and perhaps a pool.

    The test split and the truth are never part of it. `train` and `val` may be one and the same split, if a model's
    training data are not at hand.
    """

    train: Split
    val: Split
    pool: Split | None = None
    class_names: tuple[str, ...] = ()
    captions: Captions | None = None
    trainer: Trainer | None = None

    def __post_init__(self) -> None:
        put_field(self, "class_names", tuple(self.class_names))
        others = {k: s for k, s in self.splits() if s is not None and not (k == "val" and s is self.train)}
        check_splits(others, len(self.class_names))
        if self.captions is not None:
            self._check_captions(self.captions)

    def _check_captions(self, captions: Captions) -> None:
        if captions.embeddings.shape[1] != self.train.d:
            raise DataError(
                f"captions.embeddings has {captions.embeddings.shape[1]} columns, train.embeddings {self.train.d}; "
                "expected one shared space"
            )
        C = max(1, len(self.class_names))
        if len(captions.reference_texts) != C:
            raise DataError(
                f"captions has {len(captions.reference_texts)} references for {C} classes; expected one each"
            )

    def splits(self) -> tuple[tuple[str, Split | None], ...]:
        """Return names and splits, in the order train, val, pool."""
        return (("train", self.train), ("val", self.val), ("pool", self.pool))


def check_splits(splits: Mapping[str, Split], n_classes: int) -> None:
    """Raise `DataError` unless the splits fit together.

    They must share an embedding space, have no example in common, and have `n_classes` classes.
    """
    first, owner = next(iter(splits.values())), dict[str, str]()
    for name, split in splits.items():
        if split.d != first.d:
            raise DataError(
                f"{name}.embeddings has {split.d} columns, {next(iter(splits))}.embeddings {first.d}; "
                "expected the same number"
            )
        if split.labels is not None and split.labels.max() >= n_classes:
            raise DataError(f"{name}.labels reaches {split.labels.max()}, but class_names has {n_classes} names")
        if split.probs is not None and split.probs.shape[1] != n_classes:
            raise DataError(f"{name}.probs has {split.probs.shape[1]} columns, but class_names has {n_classes} names")
        for key in split.ids.tolist():
            if owner.setdefault(key, name) != name:
                raise DataError(f"id {key!r} is in both {owner[key]} and {name}; splits must not overlap")


class Identified(Protocol):
    """Description of a problem without its data: a `Problem`, or the header of a frozen one."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def family(self) -> str: ...  # noqa: D102
    @property
    def dataset(self) -> str: ...  # noqa: D102
    @property
    def dataset_version(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def encoder(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Origin of the data of a problem.

    `files` has the fingerprints of the files that a problem was built from, by name, such as
    "sha256:..."; it is empty for generated data, and in problems saved by older versions.
    """

    source: str
    licence: str
    revision: str = ""
    planted_rate: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """One dataset configuration with one seed.

    It holds what methods see, the test split, the truth and the provenance.

    `family` comes from the dataset adapter; statistics treat the problems of one family as one. `name`
    is the configuration's own, and `encoder` names what made the embeddings.
    """

    name: str
    family: str
    dataset: str
    dataset_version: str
    params: Mapping[str, Any]
    seed: int
    modality: str
    encoder: str
    data: AuditData
    test: Split
    truth: PlantedTruth
    provenance: Provenance

    def __post_init__(self) -> None:
        splits = self.splits()
        check_splits(splits, len(self.data.class_names))
        for name, split in splits.items():
            if name not in self.truth.ids:
                raise DataError(f"truth has no groups for the split {name!r}")
            if not np.array_equal(self.truth.ids[name], split.ids):
                raise DataError(f"truth.ids[{name!r}] differs from {name}.ids; expected the same ids in the same order")

    def splits(self) -> dict[str, Split]:
        """Return the splits that exist, in the order train, val, pool, test."""
        found = (*self.data.splits(), ("test", self.test))
        return {name: split for name, split in found if split is not None}

    @staticmethod
    def from_arrays(**arrays: Any) -> Problem:
        """Call `slicebench.from_arrays`, which replaces this deprecated function."""
        return _moved("from_arrays")(**arrays)

    @staticmethod
    def from_frame(frame: pd.DataFrame, **columns: Any) -> Problem:
        """Call `slicebench.from_frame`, which replaces this deprecated function."""
        return _moved("from_frame")(frame, **columns)

    @staticmethod
    def from_parquet(path: str | Path, **columns: Any) -> Problem:
        """Call `slicebench.from_parquet`, which replaces this deprecated function."""
        return _moved("from_parquet")(path, **columns)


def _moved(name: str) -> Callable[..., Problem]:
    """Warn that a function has moved, and return its public successor.

    It is looked up by name, because its own module imports this one.
    """
    import slicebench

    warnings.warn(
        f"Problem.{name} is deprecated and will be removed in version 0.3; call slicebench.{name}",
        DeprecationWarning,
        stacklevel=3,
    )
    found: Callable[..., Problem] = getattr(slicebench, name)
    return found
