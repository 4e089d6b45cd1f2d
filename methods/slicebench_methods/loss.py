"""The base model's own loss, for every task that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class Loss(SliceMethod):
    """Rank by the base model's loss.

    The baseline for tasks that have only losses, such as spans and ratings. It ranks like
    `confidence` where the loss is the cross-entropy of the true class. Misclassified examples are
    flagged if the task defines them.

    Complexity: O(n).

    Reference: none; methods that read losses, such as `spotlight`, have to improve on it.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import Split
    >>> scores = Loss().score(Split(ids=["a", "b"], embeddings=np.eye(2), losses=[0.5, 2.0]))
    >>> scores.hardness.tolist(), scores.flagged
    ([0.5, 2.0], None)

    """

    requires = frozenset({"losses"})

    def fit(self, data: AuditData) -> Self:  # noqa: ARG002 - nothing to learn
        """Return self: there is nothing to learn."""
        return self

    def score(self, split: Split) -> SliceScores:
        """Return the loss as hardness, shape (n,), and flag misclassified examples where they are known."""
        flagged = None if split.correct is None else ~split.correct
        return SliceScores(hardness=split.losses.astype(np.float64), flagged=flagged)
