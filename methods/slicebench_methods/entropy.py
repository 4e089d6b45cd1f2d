"""How undecided the base model is, whatever the true class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import needed

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class Entropy(SliceMethod):
    """Rank by the entropy of the predicted distribution.

    Hardness is −Σ_c p_c log p_c. Labels are not used, so it runs on unlabelled data, but an error
    that the model is sure of looks easy: ranking like this method is finding uncertainty, not
    failure.

    It flags nothing.

    Complexity: O(n C).

    Reference: Shannon, "A mathematical theory of communication", 1948; a standard baseline for selective prediction.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import Split
    >>> split = Split.from_probs(ids=["a", "b"], embeddings=np.eye(2), labels=[1, 0], probs=[[1.0, 0.0], [0.5, 0.5]])
    >>> Entropy().score(split).hardness.round(3).tolist()
    [0.0, 0.693]

    """

    requires = frozenset({"probs"})

    def fit(self, data: AuditData) -> Self:  # noqa: ARG002 - nothing to learn
        """Return self: there is nothing to learn."""
        return self

    def score(self, split: Split) -> SliceScores:
        """Return the entropy in nats, shape (n,).

        Raises
        ------
        DataError
            if `split` has no probabilities.

        """
        from scipy.special import entr

        probs = np.maximum(needed(split, "probs", "entropy").astype(np.float64), 0)  # rounding may leave them below 0
        return SliceScores(hardness=entr(probs).sum(axis=1))
