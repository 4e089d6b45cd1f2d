"""Aligned arrays of the n examples that a method sees (`Split`), checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from slicebench.data.checks import array_of, ids_of, labels_of, probs_of
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray


LARGEST = 1e36
"""Largest value in an embedding: well below float32's maximum, so that differences stay finite."""


@runtime_checkable
class Inputs(Protocol):
    """Raw examples, loaded on demand: a NumPy array of images or vectors, a sequence of texts, a file."""

    def __len__(self) -> int:
        """Count the examples."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the examples at an integer, slice or index array."""
        ...


def deal(rows: NDArray[np.intp], shares: Mapping[str, float], rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
    """Deal `rows` at random by shares that sum to 1; return each part in ascending order."""
    ends = np.rint(np.cumsum([*shares.values()])[:-1] * len(rows)).astype(int)
    parts = np.split(rng.permutation(rows), ends)
    return {name: np.sort(part) for name, part in zip(shares, parts, strict=True)}


def cross_entropy(probs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Compute -log p of the true class, shape (n,), of probabilities (n, C) floored at 1e-12."""
    losses: NDArray[np.float32] = -np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-12))
    return losses


def put_field(frozen: object, name: str, value: object) -> None:
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
        The base model's loss on each example; the one quantity that every task has.
    labels : (n,) int64, optional
        True classes 0..C-1. Absent for tasks with losses only (spans, ratings).
    probs : (n, C) float32, optional
        The base model's class probabilities.
    correct : (n,) bool, optional
        Whether the base model is right. It is computed from `labels` and `probs` unless given, as for
        a model that decides by a threshold.
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
        put_field(self, "ids", ids_of("ids", self.ids))
        n = len(self.ids)
        put_field(self, "embeddings", array_of("embeddings", self.embeddings, np.float32, 2, n, LARGEST))
        if self.embeddings.shape[1] == 0:
            raise DataError("embeddings has no columns; expected shape (n, d) with d >= 1")
        put_field(self, "losses", array_of("losses", self.losses, np.float32, 1, n))
        if self.labels is not None:
            put_field(self, "labels", labels_of("labels", self.labels, n))
        if self.probs is not None:
            put_field(self, "probs", probs_of("probs", self.probs, n))
        self._check_labels_against_probs()
        if self.correct is not None:
            put_field(self, "correct", array_of("correct", self.correct, np.bool_, 1, n))
        elif self.labels is not None and self.probs is not None:
            put_field(self, "correct", array_of("correct", self.probs.argmax(axis=1) == self.labels, np.bool_, 1, n))
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
        """Make the split of a classification task from class probabilities.

        Its losses are the cross-entropy of the true class (probabilities floored at 1e-12).
        """
        n = len(ids)
        p, y = probs_of("probs", probs, n), labels_of("labels", labels, n)
        if y.max() >= p.shape[1]:
            row = int(np.argmax(y >= p.shape[1]))
            raise DataError(
                f"labels is {y[row]} at row {row}, but probs has {p.shape[1]} columns; expected one per class"
            )
        return cls(
            ids=ids_of("ids", ids),
            embeddings=embeddings,
            losses=cross_entropy(p, y),
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
        """Yield the classes present, each with the positions of its examples.

        A task without labels is one class, 0.
        """
        if self.labels is None:
            yield 0, np.arange(self.n)
            return
        order = np.argsort(self.labels, kind="stable")
        starts = np.flatnonzero(np.diff(self.labels[order], prepend=-1))
        for rows in np.split(order, starts[1:]):
            yield int(self.labels[rows[0]]), rows

    def take(self, rows: NDArray[np.intp]) -> Split:
        """Return the split of the examples at `rows`, in that order."""

        def pick(value: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if value is None else value[rows]

        return Split(
            ids=self.ids[rows],
            embeddings=self.embeddings[rows],
            losses=self.losses[rows],
            labels=pick(self.labels),
            probs=pick(self.probs),
            correct=pick(self.correct),
            inputs=None if self.inputs is None else taken(self.inputs, rows),
            metadata=None if self.metadata is None else self.metadata.iloc[rows].reset_index(drop=True),
        )


def taken(inputs: Inputs, rows: NDArray[np.intp]) -> Inputs:
    """Return `inputs[rows]`, also for sequences (a list of texts) indexed one by one."""
    if isinstance(inputs, list | tuple):
        return [inputs[i] for i in rows]
    taken: Inputs = inputs[rows]
    return taken
