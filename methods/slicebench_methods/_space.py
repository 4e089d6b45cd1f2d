"""Whitened and projected embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


BLOCK = 16_384
"""Rows that are converted to float64 together."""


FARTHEST = np.float32(1e12)
"""Largest whitened value, in standard deviations, so that its square and inverse stay finite."""


def row_blocks(n: int) -> Iterator[slice]:
    """Yield slices of at most `BLOCK` rows that cover n."""
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def moments(X: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mean and unbiased standard deviation per dimension, shapes (d,), in float64, block by block."""
    n = len(X)
    mean = sum((X[rows].sum(axis=0, dtype=np.float64) for rows in row_blocks(n)), np.zeros(X.shape[1])) / n
    squares = (np.square(X[rows] - mean).sum(axis=0) for rows in row_blocks(n))
    return mean, np.sqrt(sum(squares, np.zeros(X.shape[1])) / max(1, n - 1))


def whitening(X: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute mean and unbiased standard deviation per dimension, shapes (d,).

    The deviation of a constant feature is 1, so that it is only centred. Accumulated in float64 and
    kept in float32, as in the code of Jain et al. 2022.
    """
    mean, std = (value.astype(np.float32) for value in moments(X))
    return mean, np.where((np.ptp(X, axis=0) > 0) & (std > 0), std, np.float32(1))


def whitened(X: NDArray[np.float32], mean: NDArray[np.float32], std: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centre and scale embeddings (n, d) by what `whitening` found: computed in float32, kept in float64.

    Values beyond `FARTHEST`, in a dimension that hardly varied, are clipped to it.
    """
    with np.errstate(over="ignore"):
        Z = (X - mean) / std
    kept: NDArray[np.float64] = np.clip(Z, -FARTHEST, FARTHEST, out=Z).astype(np.float64)
    return kept


def projection(Z: NDArray[np.float64], dimensions: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mean (d,) and principal axes (d', d) of `Z` (n, d), d' at most `dimensions`."""
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # the share of variance explained, 0/0 for constant embeddings, is not used
        pca = PCA(min(dimensions, *Z.shape), random_state=seed).fit(Z)
    return pca.mean_, pca.components_
