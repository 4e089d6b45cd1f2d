"""nearest_error: an example is as hard as its neighbours.

Replace the idea with your own, and keep the structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from slicebench import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench import AuditData, Split


class NearestError(SliceMethod):
    """An example is hard if the model errs on the validation examples of its class around it.

    Parameters
    ----------
    k : int, default 15
        Number of neighbours.

    Attributes
    ----------
    known_ : dict
        For each class, its validation embeddings (m, d) and whether the model is wrong on them (m,).

    Complexity: fitting stores the validation split; scoring n test examples against m validation examples is O(n m d).

    Reference: the paper of the method: authors, "title", year. Say where you deviate from it, and why.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"embeddings", "labels", "correct"})
    version: ClassVar[str] = "1"  # change it when the same parameters give other scores: records then count as new

    def __init__(self, k: int = 15) -> None:
        self.k = k

    def fit(self, data: AuditData) -> Self:
        """Store the embeddings and errors of each class of the validation split."""
        val = data.val
        self.known_ = {c: (val.embeddings[rows], ~val.correct[rows]) for c, rows in val.by_class()}
        return self

    def score(self, split: Split) -> SliceScores:
        """Return the error rate among the neighbours; 0 for a class that validation does not have."""
        from sklearn.neighbors import NearestNeighbors  # here, because `slicebench list` imports this file

        known = self._fitted("known_")
        hardness = np.zeros(split.n)
        for c, rows in split.by_class():
            if c in known:
                embeddings, wrong = known[c]
                nearest = NearestNeighbors(n_neighbors=min(self.k, len(wrong))).fit(embeddings)
                neighbours = nearest.kneighbors(split.embeddings[rows], return_distance=False)
                hardness[rows] = wrong[neighbours].mean(axis=1)
        return SliceScores(hardness=hardness)
