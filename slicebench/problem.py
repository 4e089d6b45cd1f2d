"""The data a method sees, and the truth it may not: `Split`, `AuditData`, `PlantedTruth`, `Problem`.

All are frozen; arrays in them are read-only. Constructors check everything once, so code behind them need not.
A method is handed `AuditData` (to fit) and a `Split` (to score); neither refers to a `PlantedTruth`, directly or through
anything it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from slicebench.errors import DataError
from slicebench.validation import array_of, ids_of, labels_of, probs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from pydantic import BaseModel

SPLITS = ("train", "val", "test", "pool")


@runtime_checkable
class Inputs(Protocol):
    """The raw examples, loaded when asked for: a NumPy array of images or vectors, a sequence of texts, a file."""

    def __len__(self) -> int:
        """Count the examples."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Give the examples at an integer, slice or index array."""
        ...


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


def _put(frozen: object, name: str, value: object) -> None:
    """Set a field of a frozen dataclass, from its own constructor."""
    object.__setattr__(frozen, name, value)


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """Aligned arrays of n examples.

    Parameters
    ----------
    ids : (n,) strings
        Distinct names; every join in slicebench is by id, never by position.
    embeddings : (n, d) float32
    losses : (n,) float32
        The base model's loss on each example: the one quantity that every task has.
    labels : (n,) int64, optional
        True classes 0..C-1. Absent for tasks with losses only (spans, ratings).
    probs : (n, C) float32, optional
        The base model's class probabilities.
    correct : (n,) bool, optional
        Whether the base model is right; follows from `labels` and `probs` unless given (a threshold model gives it).
    inputs : Inputs, optional
        The raw examples, loaded lazily.
    metadata : DataFrame, optional
        n rows of known attributes, never the planted one.

    Raises
    ------
    DataError
        naming the field, the first offending row and what was expected.

    """

    ids: NDArray[np.str_]
    embeddings: NDArray[np.float32]
    losses: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None
    probs: NDArray[np.float32] | None = None
    correct: NDArray[np.bool_] | None = None
    inputs: Inputs | None = None
    metadata: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        _put(self, "ids", ids_of("ids", self.ids))
        n = len(self.ids)
        _put(self, "embeddings", array_of("embeddings", self.embeddings, np.float32, 2, n))
        if self.embeddings.shape[1] == 0:
            raise DataError("embeddings has no columns; expected shape (n, d) with d >= 1")
        _put(self, "losses", array_of("losses", self.losses, np.float32, 1, n))
        if self.labels is not None:
            _put(self, "labels", labels_of("labels", self.labels, n))
        if self.probs is not None:
            _put(self, "probs", probs_of("probs", self.probs, n))
        self._check_labels_against_probs()
        if self.correct is not None:
            _put(self, "correct", array_of("correct", self.correct, np.bool_, 1, n))
        elif self.labels is not None and self.probs is not None:
            _put(self, "correct", array_of("correct", self.probs.argmax(axis=1) == self.labels, np.bool_, 1, n))
        for name in ("inputs", "metadata"):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise DataError(f"{name} has {len(value)} rows; expected {n}, one for each id")

    def _check_labels_against_probs(self) -> None:
        if self.labels is None or self.probs is None:
            return
        C = self.probs.shape[1]
        if self.labels.max() >= C:
            row = int(np.argmax(self.labels >= C))
            raise DataError(
                f"labels is {self.labels[row]} at row {row}, but probs has {C} columns; expected classes 0..{C - 1}"
            )

    @classmethod
    def from_probs(
        cls,
        *,
        ids: Sequence[object] | NDArray[Any],
        embeddings: NDArray[Any],
        labels: NDArray[Any],
        probs: NDArray[Any],
        inputs: Inputs | None = None,
        metadata: pd.DataFrame | None = None,
    ) -> Split:
        """Split of a classification task, its losses the cross-entropy of the true class (probabilities floored at 1e-12)."""
        n = len(ids)
        p, y = probs_of("probs", probs, n), labels_of("labels", labels, n)
        if y.max() >= p.shape[1]:
            row = int(np.argmax(y >= p.shape[1]))
            raise DataError(f"labels is {y[row]} at row {row}, but probs has {p.shape[1]} columns")
        losses = -np.log(np.maximum(p[np.arange(n), y], 1e-12))
        return cls(
            ids=ids_of("ids", ids),
            embeddings=embeddings,
            losses=losses,
            labels=y,
            probs=p,
            inputs=inputs,
            metadata=metadata,
        )

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.ids)

    @property
    def d(self) -> int:
        """Dimension of the embeddings."""
        return int(self.embeddings.shape[1])

    def by_class(self) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Classes present, each with the positions of its examples; a task without labels is one class, 0."""
        if self.labels is None:
            yield 0, np.arange(self.n)
            return
        for c in np.unique(self.labels):
            yield int(c), np.flatnonzero(self.labels == c)

    def take(self, rows: NDArray[np.intp]) -> Split:
        """Split of the examples at `rows`, in that order; metadata keeps its columns."""

        def pick(value: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if value is None else value[rows]

        return Split(
            ids=self.ids[rows],
            embeddings=self.embeddings[rows],
            losses=self.losses[rows],
            labels=pick(self.labels),
            probs=pick(self.probs),
            correct=pick(self.correct),
            inputs=None if self.inputs is None else _taken(self.inputs, rows),
            metadata=None if self.metadata is None else self.metadata.iloc[rows].reset_index(drop=True),
        )

    def with_inputs(self, inputs: Inputs | None) -> Split:
        """Return the same examples with other raw inputs."""
        return replace(self, inputs=inputs)


def _taken(inputs: Inputs, rows: NDArray[np.intp]) -> Inputs:
    """`inputs[rows]`, also for sequences (a list of texts) that take one position at a time."""
    if isinstance(inputs, list | tuple):
        return [inputs[i] for i in rows]
    taken: Inputs = inputs[rows]
    return taken


@dataclass(frozen=True, eq=False, kw_only=True)
class Captions:
    """Candidate captions in the space of the embeddings.

    `texts` are m strings, `embeddings` (m, d) float32; `reference_text` with `reference` (d,) is the caption of the task as
    a whole ("a photo of a person"), against which candidates are compared.
    """

    texts: tuple[str, ...]
    embeddings: NDArray[np.float32]
    reference_text: str
    reference: NDArray[np.float32]

    def __post_init__(self) -> None:
        _put(self, "texts", tuple(self.texts))
        object.__setattr__(
            self,
            "embeddings",
            array_of("captions.embeddings", self.embeddings, np.float32, 2, len(self.texts)),
        )
        reference = array_of("captions.reference", self.reference, np.float32, 1, self.embeddings.shape[1])
        _put(self, "reference", reference)


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
        _put(self, "class_names", tuple(self.class_names))
        check_splits({k: s for k, s in self.splits() if s is not None}, len(self.class_names))
        if self.captions is not None and self.captions.embeddings.shape[1] != self.train.d:
            raise DataError(
                f"captions.embeddings has {self.captions.embeddings.shape[1]} columns, train.embeddings {self.train.d}; "
                "expected one shared space"
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
        _put(self, "group_names", tuple(self.group_names))
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
        _put(self, "ids", ids)
        _put(self, "groups", groups)

    def minority(self, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Whether each example is in any planted group, looked up by id; shape (n,).

        Raises
        ------
        DataError
            for an id that the truth does not know.

        """
        known: dict[str, bool] = {}
        for name, keys in self.ids.items():
            known.update(zip(keys.tolist(), np.any(self.groups[name], axis=1).tolist(), strict=True))
        try:
            return np.array([known[key] for key in ids.tolist()], dtype=bool)
        except KeyError as missing:
            raise DataError(f"the truth knows no example with id {missing}") from None


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
        splits = {name: s for name, s in (*self.data.splits(), ("test", self.test)) if s is not None}
        check_splits(splits, len(self.data.class_names))
        for name, split in splits.items():
            if name not in self.truth.ids:
                raise DataError(f"truth has no groups for the split {name!r}")
            if not np.array_equal(self.truth.ids[name], split.ids):
                raise DataError(f"truth.ids[{name!r}] differs from {name}.ids; expected the same ids in the same order")
