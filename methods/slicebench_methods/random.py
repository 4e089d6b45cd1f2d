"""The floor: a ranking that knows nothing."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class Random(SliceMethod):
    """Rank by a number drawn uniformly for each example.

    The number is a hash of the seed and the example's id, so it depends neither on the order of the rows nor on what else is
    in the split. Its normalised score is 0 in expectation: an evaluator that says otherwise is broken. Works for every task.

    Parameters
    ----------
    seed : int, default 0
        Another seed, another ranking.

    Complexity: O(n).

    Reference: none; the lower end of the scale.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import Split
    >>> split = Split(ids=["a", "b", "c"], embeddings=np.eye(3), losses=[0, 0, 0])
    >>> there = Random(seed=1).score(split).hardness
    >>> back = Random(seed=1).score(split.take(np.array([2, 1, 0]))).hardness
    >>> bool((there[::-1] == back).all())
    True

    """

    requires = frozenset()

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, data: AuditData) -> Self:  # noqa: ARG002 - nothing to learn
        """Return self: there is nothing to learn."""
        return self

    def score(self, split: Split) -> SliceScores:
        """Hardness uniform in [0, 1], shape (n,), a function of seed and id alone."""
        return SliceScores(hardness=np.array([self._draw(name) for name in split.ids.tolist()]))

    def _draw(self, name: str) -> float:
        digest = blake2b(f"{self.seed}\0{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64
