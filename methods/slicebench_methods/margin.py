"""Lead of the base model's best wrong class over the true class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import needed

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

FLOOR = 1e-12
"""Probabilities are floored here before their logarithm is taken, as in the losses of a split."""


class Margin(SliceMethod):
    """Rank by the margin against the true class.

    Hardness is log p of the most probable wrong class minus log p of the true class; misclassified
    examples are flagged. With two classes it ranks like `confidence`. With more, it depends on
    whether one wrong class has the rest of the probability or many share it.

    Complexity: O(n C).

    Reference: minus the margin of Schapire, Freund, Bartlett, Lee, "Boosting the margin", 1998,
    between log-probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import Split
    >>> probs = [[0.5, 0.25, 0.25], [0.4, 0.5, 0.1]]
    >>> split = Split.from_probs(ids=["a", "b"], embeddings=np.eye(2), labels=[0, 0], probs=probs)
    >>> scores = Margin().score(split)
    >>> scores.hardness.round(2).tolist(), scores.flagged.tolist()
    ([-0.69, 0.22], [False, True])

    """

    requires = frozenset({"labels", "probs"})

    def fit(self, data: AuditData) -> Self:  # noqa: ARG002 - nothing to learn
        """Return self: there is nothing to learn."""
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness log p_rival − log p_true, shape (n,), and flag misclassified examples.

        Raises
        ------
        DataError
            if `split` has no labels or no probabilities.

        """
        labels, probs = needed(split, "labels", "margin"), needed(split, "probs", "margin")
        logs = np.log(np.maximum(probs.astype(np.float64), FLOOR))
        rows = np.arange(split.n)
        own = logs[rows, labels]
        logs[rows, labels] = -np.inf
        return SliceScores(hardness=logs.max(axis=1) - own, flagged=~needed(split, "correct", "margin"))
