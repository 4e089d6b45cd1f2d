"""The space that a method looks at: whitened embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def whitening(X: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and unbiased standard deviation per dimension, shapes (d,); 1 for a feature that is constant, which is only centred.

    Accumulated in float64 and kept in float32, as in the code of Jain et al. 2022.
    """
    X64 = X.astype(np.float64)
    std = X64.std(axis=0, ddof=min(1, len(X64) - 1))
    return X64.mean(axis=0).astype(np.float32), np.where(np.ptp(X64, axis=0) > 0, std, 1.0).astype(np.float32)


def whitened(X: NDArray[np.float32], mean: NDArray[np.float32], std: NDArray[np.float32]) -> NDArray[np.float64]:
    """Embeddings (n, d) centred and scaled by what `whitening` found: computed in float32, kept in float64."""
    Z: NDArray[np.float64] = ((X - mean) / std).astype(np.float64)
    return Z
