"""The data a method sees, and the truth it may not: `AuditData`, `PlantedTruth`, `Problem`.

All are frozen; arrays in them are read-only. Constructors check everything once, so code behind them need not.
A method is handed `AuditData` (to fit) and a `Split` (to score); neither refers to a `PlantedTruth`, directly or through
anything it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from slicebench.errors import DataError
from slicebench.split import put_field
from slicebench.validation import array_of, ids_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from slicebench.split import Inputs, Split

SPLITS = ("train", "val", "test", "pool")


class TrainedModel(Protocol):
    """A model that a method trained through the `Trainer`."""

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Class probabilities, shape (n, C)."""
        ...


class Trainer(Protocol):
    """Trains models with the base model's own recipe on the train split; every second spent is counted as cost."""

    @property
    def recipe(self) -> BaseModel:
        """How the base model was trained; stored with a frozen problem."""
        ...

    @property
    def epochs(self) -> int:
        """Length of the base model's training, in epochs."""
        ...

    @property
    def seconds(self) -> float:
        """Seconds of training asked for so far, whether done here or found in the cache."""
        ...

    @property
    def seconds_saved(self) -> float:
        """Those of `seconds` that the cache saved."""
        ...

    def fit(
        self,
        *,
        loss: str | None = None,
        q: float | None = None,
        weights: NDArray[np.floating[Any]] | None = None,
        stop_epoch: int | None = None,
        seed: int | None = None,
    ) -> TrainedModel:
        """Train from scratch; what is not given is as the base model had it.

        `loss` is "ce", "gce" or "bce", `q` the exponent of "gce", `weights` one non-negative weight per train example, and
        `stop_epoch` ends the run after that many epochs of the unchanged learning-rate schedule.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Captions:
    """Candidate captions in the space of the embeddings.

    Parameters
    ----------
    texts : m strings
    embeddings : (m, d) float32
    candidates : (C, m) bool
        Which texts are candidates in which class; a task without classes counts as one.
    reference_texts : C strings
        Caption of each class as a whole ("a photo of a person"), against which its candidates are compared.
    references : (C, d) float32
        Their embeddings.

    Raises
    ------
    DataError
        naming the field, the first offending row and what was expected.

    """

    texts: tuple[str, ...]
    embeddings: NDArray[np.float32]
    candidates: NDArray[np.bool_]
    reference_texts: tuple[str, ...]
    references: NDArray[np.float32]

    def __post_init__(self) -> None:
        put_field(self, "texts", tuple(self.texts))
        put_field(self, "reference_texts", tuple(self.reference_texts))
        m, C = len(self.texts), len(self.reference_texts)
        put_field(self, "embeddings", array_of("captions.embeddings", self.embeddings, np.float32, 2, m))
        put_field(self, "references", array_of("captions.references", self.references, np.float32, 2, C))
        put_field(self, "candidates", array_of("captions.candidates", self.candidates, np.bool_, 2, C))
        if self.candidates.shape[1] != m:
            raise DataError(f"captions.candidates has {self.candidates.shape[1]} columns for {m} texts")
        if self.references.shape[1] != self.embeddings.shape[1]:
            raise DataError(
                f"captions.references has {self.references.shape[1]} columns, captions.embeddings "
                f"{self.embeddings.shape[1]}; expected one space"
            )

    def differences(self, c: int) -> NDArray[np.float32]:
        """Each text's embedding minus that of the reference of class `c`, shape (m, d): what sets the caption apart."""
        apart: NDArray[np.float32] = self.embeddings - self.references[c]
        return apart


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditData:
    """What `SliceMethod.fit` gets: train and held-out val, perhaps a pool; never the test split, never the truth."""

    train: Split
    val: Split
    pool: Split | None = None
    class_names: tuple[str, ...] = ()
    captions: Captions | None = None
    trainer: Trainer | None = None

    def __post_init__(self) -> None:
        put_field(self, "class_names", tuple(self.class_names))
        check_splits({k: s for k, s in self.splits() if s is not None}, len(self.class_names))
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
        """Names and splits, in the order train, val, pool."""
        return (("train", self.train), ("val", self.val), ("pool", self.pool))


def check_splits(splits: Mapping[str, Split], n_classes: int) -> None:
    """Raise `DataError` unless the splits share a space, have no example in common and know `n_classes` classes."""
    first, owner = next(iter(splits.values())), dict[str, str]()
    for name, split in splits.items():
        if split.d != first.d:
            raise DataError(
                f"{name}.embeddings has {split.d} columns, {next(iter(splits))}.embeddings {first.d}; expected equal"
            )
        if split.labels is not None and split.labels.max() >= n_classes:
            raise DataError(f"{name}.labels reaches {split.labels.max()}, but class_names has {n_classes} names")
        if split.probs is not None and split.probs.shape[1] != n_classes:
            raise DataError(f"{name}.probs has {split.probs.shape[1]} columns, but class_names has {n_classes} names")
        for key in split.ids.tolist():
            if owner.setdefault(key, name) != name:
                raise DataError(f"id {key!r} stands in {owner[key]} and in {name}; splits must not overlap")


@dataclass(frozen=True, eq=False, kw_only=True)
class PlantedTruth:
    """Which examples belong to the planted subgroups. Only the evaluator holds it.

    Parameters
    ----------
    ids : mapping of split name to (n,) strings
    groups : mapping of split name to (n, g) bool
        Group membership, aligned with `ids`; groups may overlap, and g may be 0 (nothing planted).
    group_names : g strings
    captions : mapping of group name to the captions that name it
    how : str
        How the plant was made, in words.

    """

    ids: Mapping[str, NDArray[np.str_]]
    groups: Mapping[str, NDArray[np.bool_]]
    group_names: tuple[str, ...]
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    how: str = ""

    def __post_init__(self) -> None:
        put_field(self, "group_names", tuple(self.group_names))
        if set(self.ids) != set(self.groups):
            raise DataError(f"truth has ids for {sorted(self.ids)} but groups for {sorted(self.groups)}")
        ids = {name: ids_of(f"truth.ids[{name!r}]", value) for name, value in self.ids.items()}
        groups = {
            name: array_of(f"truth.groups[{name!r}]", value, np.bool_, 2, len(ids[name]))
            for name, value in self.groups.items()
        }
        for name, value in groups.items():
            if value.shape[1] != len(self.group_names):
                raise DataError(
                    f"truth.groups[{name!r}] has {value.shape[1]} columns for {len(self.group_names)} group names"
                )
        unknown = set(self.captions) - set(self.group_names)
        if unknown:
            raise DataError(f"truth.captions names the groups {sorted(unknown)}, which are not in group_names")
        put_field(self, "ids", ids)
        put_field(self, "groups", groups)

    @cached_property
    def _by_id(self) -> tuple[dict[str, int], NDArray[np.bool_]]:
        """Row of each id among all splits, and the groups of all splits, stacked."""
        ids = [key for keys in self.ids.values() for key in keys.tolist()]
        return {key: row for row, key in enumerate(ids)}, np.concatenate(list(self.groups.values()))

    def groups_of(self, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Group membership of each example, looked up by id; shape (n, g).

        Raises
        ------
        DataError
            for an id that the truth does not know.

        """
        rows, groups = self._by_id
        try:
            chosen = [rows[key] for key in ids.tolist()]
        except KeyError as missing:
            raise DataError(f"the truth knows no example with id {missing}") from None
        found: NDArray[np.bool_] = groups[chosen]
        return found

    def minority(self, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Whether each example is in any planted group, looked up by id; shape (n,); errors as of `groups_of`."""
        any_group: NDArray[np.bool_] = np.any(self.groups_of(ids), axis=1)
        return any_group


class Identified(Protocol):
    """What a problem is, without its data: a `Problem`, or the header of a frozen one."""

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
    """Where the data of a problem come from."""

    source: str
    licence: str
    revision: str = ""
    planted_rate: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """One dataset configuration with one seed: what methods see, the test split, the truth and where it came from.

    `family` groups the problems that statistics treat as one (the dataset adapter's), `name` is the configuration's own, and
    `encoder` says what made the embeddings.
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
        """Splits that there are, in the order train, val, pool, test."""
        found = (*self.data.splits(), ("test", self.test))
        return {name: split for name, split in found if split is not None}

    @staticmethod
    def from_arrays(**arrays: Any) -> Problem:
        """Problem of your own predictions.

        Parameters
        ----------
        embeddings : (n, d) array
            Any representation of the examples; the better it knows what may set them apart, the better the slices.
        labels : (n,) class numbers, optional
        probs : (n, C) array, optional
            The model's class probabilities.
        predictions : (n,) class numbers, optional
            Where there are no probabilities, or another rule than the most probable class decides.
        losses : (n,) array, optional
            By default -log p of the true class; without `probs` 1 for an error and 0 for a right answer.
        correct : (n,) bool, optional
            Instead of `predictions`, where there is only a verdict.
        groups : mapping of name to (n,) bool, optional
            Subgroups that you know and want the methods' findings compared with; no method sees them.
        ids : n strings or integers, optional
            By default the positions.
        splits : n strings, optional
            "train", "val", "test" or "pool"; methods learn from train and val and are judged on test. By default a fifth goes to
            train, which gives methods means and deviations, two fifths each to val and test, at random within each class. All of
            it should be data that the model was not trained on.
        class_names : C strings, optional
        inputs, metadata : optional
            The raw examples (n images or texts) and a DataFrame with n rows.
        **arrays
            All of the above, and what records say of the problem: name, seed, encoder, modality, provenance.

        Raises
        ------
        DataError
            naming the array, the first offending row and what was expected.

        """
        from slicebench.own_data import problem_from_arrays

        return problem_from_arrays(**arrays)

    @staticmethod
    def from_frame(frame: pd.DataFrame, **columns: Any) -> Problem:
        """Problem of a table with a row per example; columns go by their names.

        Parameters
        ----------
        frame : DataFrame
            Without missing values in the columns named.
        label, prediction, loss, id, split, text : str, optional
            Columns; labels may be words, whose sorted order numbers the classes. `text` holds raw texts.
        probs : list of str, or str, optional
            One column per class, or a prefix: "p_" stands for the columns p_<class name>.
        embedding : str
            Column of vectors; or instead
        features : list of str
            Columns that describe an example: numbers are standardised, words one-hot, as fitted on train.
        groups : list of str, or {name: (column, value)}, optional
            Columns of booleans, or rows with a value in a column.
        metadata : list of str, optional
            Columns that methods may see.
        **columns
            All of the above but `frame`, and what `from_arrays` takes besides: name, seed, encoder, modality, provenance.

        Raises
        ------
        DataError
            naming the column, the first offending row and what was expected.

        """
        from slicebench.own_table import problem_from_frame

        return problem_from_frame(frame, **columns)

    @staticmethod
    def from_parquet(path: str | Path, **columns: Any) -> Problem:
        """Problem of a table in a file (Parquet, CSV, TSV, JSON lines, Arrow); parameters as of `from_frame`."""
        from slicebench.own_table import problem_from_frame
        from slicebench.tables import read_frame

        return problem_from_frame(read_frame(path), **columns)
