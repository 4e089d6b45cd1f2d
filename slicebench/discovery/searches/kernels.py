"""Gaussian likeness to landmarks, and ridge regressions on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]


BANDWIDTH = 0.5
"""Squared width of the kernel, in squared distances of two typical examples."""


def likeness(X: Vectors, landmarks: Vectors, width: float, out: Vectors | None = None) -> Vectors:
    """Return the Gaussian likeness of each row of X (n, d) to each landmark (k, d), (n, k), in `out` if that is given."""
    if out is None:
        out = np.empty((len(X), len(landmarks)), dtype=np.float32)
    np.matmul(X, (2 / width * landmarks).T, out=out)
    out -= ((X**2).sum(axis=1) / width)[:, None]
    out -= (landmarks**2).sum(axis=1) / width
    np.exp(np.minimum(out, 0, out=out), out=out)
    return out


def squared_distances(X: Vectors, Y: Vectors) -> Vectors:
    """Return the squared distance of each row of X (n, d) to each of Y (k, d), (n, k)."""
    squares = (X**2).sum(axis=1)[:, None] + (Y**2).sum(axis=1) - 2 * (X @ Y.T)
    distances: Vectors = np.maximum(squares, 0)
    return distances


def solved(gram: Floats, moment: Floats, ridge: float) -> Vectors:
    """Return the weights of a ridge regression, (k,), from sums over rows: gram (k, k) and moment (k,).

    `ridge` is the share of the mean eigenvalue that is added to all. One Cholesky factorisation for each of a few ridges takes a
    quarter of the time of one eigendecomposition for all.
    """
    from scipy.linalg import cho_factor, cho_solve

    ridged = gram.copy()
    ridged[np.diag_indices_from(ridged)] += max(ridge * float(np.trace(gram)) / len(gram), 1e-9)
    factor = cho_factor(ridged, overwrite_a=True, check_finite=False)
    weights: Vectors = cho_solve(factor, moment, check_finite=False).astype(np.float32)
    return weights
