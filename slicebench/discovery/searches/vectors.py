"""Bring vectors into a space of few dimensions on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


DIMENSIONS = 64
"""Principal components of longer vectors that are looked at."""
SAMPLE = 20_000
"""Rows from which they are computed."""


def compact(embeddings: Vectors, seed: int) -> Vectors:
    """Standardise vectors (n, d) and project them on at most `DIMENSIONS` principal axes."""
    from sklearn.decomposition import PCA

    mean, std = embeddings.mean(axis=0, dtype=np.float64), embeddings.std(axis=0, dtype=np.float64)
    Z: Vectors = ((embeddings - mean) / np.where(std > 0, std, 1)).astype(np.float32)
    if Z.shape[1] <= DIMENSIONS:
        return Z
    some = Z[np.random.default_rng(seed).permutation(len(Z))[:SAMPLE]]
    axes: NDArray[np.float32] = PCA(min(DIMENSIONS, len(some)), random_state=seed).fit(some).components_
    projected: Vectors = (Z @ axes.T).astype(np.float32)
    return projected
