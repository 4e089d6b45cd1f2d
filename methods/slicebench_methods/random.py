"""Lower reference: a random ranking."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class Random(SliceMethod):
    """Rank by a random number.

    The number is a hash of the seed and the example's id, so it does not depend on the rest of the
    split. The expected normalised score is 0; an evaluator that reports anything else is broken.

    It does not depend on the order of the rows either, and runs on every task.

    Parameters
    ----------
    seed : int, default 0
        Seed of the hash.

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
        """Return hardness uniform in [0, 1], shape (n,), a function of seed and id alone."""
        return SliceScores(hardness=np.array([self._draw(name) for name in split.ids.tolist()]))

    def _draw(self, name: str) -> float:
        digest = blake2b(f"{self.seed}\0{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64
