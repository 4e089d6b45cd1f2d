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
    from scipy.stats import rankdata
    from sklearn.covariance import ledoit_wolf

    directions = np.zeros((max(1, len(data.class_names)), data.val.d))
    for c, rows in data.val.by_class():
        X = data.val.embeddings[rows].astype(np.float64)
        X -= X.mean(axis=0)
        ranks = rankdata(hardness[rows])
        ranks -= ranks.mean()
        if len(rows) > 1 and ranks.any() and X.any():
            covariance, _ = ledoit_wolf(X, assume_centered=True)
            directions[c] = np.linalg.solve(covariance, X.T @ ranks / len(rows))
    return directions


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
