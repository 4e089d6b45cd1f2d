"""Hardness by distance: an example is hard if an error of its own class lies near it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from slicebench import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench import AuditData, Split


class NearestError(SliceMethod):
    """Rank examples by the mean distance to the `k` nearest validation errors of their class, nearest first."""

    requires: ClassVar[frozenset[str]] = frozenset({"embeddings", "labels", "correct"})

    def __init__(self, k: int = 3) -> None:
        self.k = k

    def fit(self, data: AuditData) -> Self:
        """Keep the wrong validation examples of each class."""
        val = data.val
        self.errors_ = {c: val.embeddings[rows[~val.correct[rows]]] for c, rows in val.by_class()}
        return self

    def score(self, split: Split) -> SliceScores:
        """Minus the mean distance; a class without errors gets one constant."""
        from sklearn.neighbors import NearestNeighbors

        errors = self._fitted("errors_")
        hardness = np.zeros(split.n)
        for c, rows in split.by_class():
            known = errors.get(c, ())
            if len(known):
                nearest = NearestNeighbors(n_neighbors=min(self.k, len(known))).fit(known)
                hardness[rows] = -nearest.kneighbors(split.embeddings[rows])[0].mean(axis=1)
        return SliceScores(hardness=hardness)
