"""Directions in embedding space along which examples get harder, and captions that lie along them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.problem import AuditData, Captions

    Floats = NDArray[np.float64]


def hardness_directions(data: AuditData, hardness: Floats) -> Floats:
    """Per class the gradient of a linear regression of the rank of `hardness` (n val,) on the val embeddings, shape (C, d).

    Σ⁻¹ cov(x, rank), Σ the class's covariance shrunk towards a multiple of the identity (Ledoit and Wolf 2004), which needs no
    constant to be chosen. Ranks, because only the order of hardness counts. A class of fewer than two examples, or whose
    hardness or embeddings do not vary, gets 0. O(n d² + C d³).
    """
    val = data.val
    directions = np.zeros((max(1, len(data.class_names)), val.d))
    for c, rows in val.by_class():
        X = val.embeddings[rows].astype(np.float64)
        X -= X.mean(axis=0)
        ranks = _ranks(hardness[rows])
        if len(rows) > 1 and ranks.any() and X.any():
            covariance = shrunk_covariance(X)
            covariance += np.eye(val.d) * (1e-6 * np.trace(covariance) / val.d)  # two examples are not shrunk at all
            directions[c] = np.linalg.solve(covariance, X.T @ ranks / len(rows))
    return directions


def shrunk_covariance(X: Floats) -> Floats:
    """Covariance of centred rows (n, d), shrunk towards μI by Ledoit and Wolf's (2004) estimate of the best share, shape (d, d).

    As `sklearn.covariance.ledoit_wolf(X, assume_centered=True)`, without the second that its import takes in every worker.
    """
    n, d = X.shape
    S = X.T @ X / n
    mu = np.trace(S) / d
    spread = np.square(S).sum()  # ‖S‖²
    distance = spread / d - mu**2  # ‖S − μI‖² / d
    noise = (np.square(np.square(X).sum(axis=1)).sum() / n - spread) / (n * d)
    share = min(max(noise, 0.0), distance) / distance if distance > 0 else 0.0
    shrunk: Floats = (1 - share) * S + share * mu * np.eye(d)
    return shrunk


def _ranks(h: Floats) -> Floats:
    """Ranks with their mean taken off, ties at their mean rank: scipy.stats.rankdata without its import."""
    _, at, counts = np.unique(h, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[at] - (len(h) + 1) / 2
    return ranks


def caption_cosines(directions: Floats, captions: Captions) -> Floats:
    """Cosine between each class's direction (C, d) and each caption's difference to the class's reference, shape (C, m).

    A class without a direction, or a caption that equals the reference, gets 0.
    """
    out = np.zeros((len(directions), len(captions.texts)))
    for c, direction in enumerate(directions):
        apart = captions.differences(c).astype(np.float64)
        norms = np.linalg.norm(apart, axis=1) * np.linalg.norm(direction)
        out[c] = apart @ direction / np.where(norms > 0, norms, 1)
    return out
