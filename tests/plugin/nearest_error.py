"""Hardness by company: an example is hard if the model errs on the validation examples of its class around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from slicebench import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench import AuditData, Split


class NearestError(SliceMethod):
    """Rank examples by the error rate among their `k` nearest validation examples of the same class."""

    requires: ClassVar[frozenset[str]] = frozenset({"embeddings", "labels", "correct"})

    def __init__(self, k: int = 15) -> None:
        self.k = k

    def fit(self, data: AuditData) -> Self:
        """Keep embeddings and errors of each class."""
        val = data.val
        self.known_ = {c: (val.embeddings[rows], ~val.correct[rows]) for c, rows in val.by_class()}
        return self

    def score(self, split: Split) -> SliceScores:
        """Error rate of the neighbourhood; 0 for a class that validation does not have."""
        from sklearn.neighbors import NearestNeighbors

        known = self._fitted("known_")
        hardness = np.zeros(split.n)
        for c, rows in split.by_class():
            if c in known:
                embeddings, wrong = known[c]
                nearest = NearestNeighbors(n_neighbors=min(self.k, len(wrong))).fit(embeddings)
                neighbours = nearest.kneighbors(split.embeddings[rows], return_distance=False)
                hardness[rows] = wrong[neighbours].mean(axis=1)
        return SliceScores(hardness=hardness)
