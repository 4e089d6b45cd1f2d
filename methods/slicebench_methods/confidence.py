"""Baseline that every slice-discovery method has to beat: the model's confidence in the true class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import needed

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class Confidence(SliceMethod):
    """Rank by the base model's own confidence in the true class.

    Hardness is 1 − p_true; misclassified examples are flagged. Nothing is learnt, so any gain of
    another method over this one comes from looking at several examples together.

    Complexity: O(n).

    Reference: baseline "confidences" of Jain, Lawrence, Moitra, Madry, "Distilling Model Failures as Directions in Latent
    Space", 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import Split
    >>> split = Split.from_probs(ids=["a", "b"], embeddings=np.eye(2), labels=[0, 0], probs=[[0.75, 0.25], [0.25, 0.75]])
    >>> scores = Confidence().score(split)
    >>> scores.hardness.tolist(), scores.flagged.tolist()
    ([0.25, 0.75], [False, True])

    """

    requires = frozenset({"labels", "probs"})

    def fit(self, data: AuditData) -> Self:  # noqa: ARG002 - nothing to learn
        """Return self: there is nothing to learn."""
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness 1 − p_true, shape (n,), and flag misclassified examples.

        Raises
        ------
        DataError
            if `split` has no labels or no probabilities.

        """
        labels, probs = needed(split, "labels", "confidence"), needed(split, "probs", "confidence")
        p_true = probs[np.arange(split.n), labels].astype(np.float64)
        return SliceScores(hardness=1 - p_true, flagged=~needed(split, "correct", "confidence"))
