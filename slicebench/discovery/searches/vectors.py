"""Bring vectors into a space of few dimensions on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


DIMENSIONS = 64
"""Principal components of longer vectors that are looked at."""
SAMPLE = 20_000
"""Rows from which they are computed."""


@dataclass(frozen=True, eq=False)
class Compact:
    """Standardises vectors of d numbers by `mean` and `std` (d,), and projects them on `axes` (k, d) unless these are None."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    axes: Vectors | None

    @classmethod
    def learnt(cls, embeddings: Vectors, seed: int) -> Compact:
        """Learn from vectors (n, d); longer ones than `DIMENSIONS` are projected on that many principal axes."""
        from sklearn.decomposition import PCA

        mean, std = embeddings.mean(axis=0, dtype=np.float64), embeddings.std(axis=0, dtype=np.float64)
        plain = cls(mean, np.where(std > 0, std, 1), None)
        if embeddings.shape[1] <= DIMENSIONS:
            return plain
        some = plain(embeddings[np.random.default_rng(seed).permutation(len(embeddings))[:SAMPLE]])
        axes = PCA(min(DIMENSIONS, len(some)), random_state=seed).fit(some).components_
        return cls(plain.mean, plain.std, axes)

    def __call__(self, embeddings: Vectors) -> Vectors:
        """Return any vectors (n, d) in the space of few dimensions, (n, k)."""
        Z: Vectors = ((embeddings - self.mean) / self.std).astype(np.float32)
        return Z if self.axes is None else (Z @ self.axes.T).astype(np.float32)
