"""Directions in embedding space along which examples get harder, and captions that lie along them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import AuditData

    Floats = NDArray[np.float64]


def hardness_directions(data: AuditData, hardness: Floats) -> Floats:
    """Compute each class's direction of hardness in embedding space, shape (C, d).

    The direction is the covariance of the val embeddings with the rank of `hardness` (n val,): it
    tells how the mean embedding moves as examples get harder. Ranks are used because only the order
    of hardness counts. A class whose hardness does not vary gets 0. O(n d).

    This is the regression of hardness, Σ⁻¹ cov(x, rank), in the limit of a ridge that outweighs Σ.
    With a few dozen errors per class, that limit finds the plant's caption more often than smaller
    ridges do (docs/how-to/captions.md).
    """
    directions = np.zeros((max(1, len(data.class_names)), data.val.d))
    for c, rows in data.val.by_class():
        X = data.val.embeddings[rows].astype(np.float64)
        directions[c] = _ranks(hardness[rows]) @ (X - X.mean(axis=0)) / len(rows)
    return directions


def _ranks(h: Floats) -> Floats:
    """Return centred ranks, ties at their mean rank: scipy.stats.rankdata without its import."""
    _, at, counts = np.unique(h, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[at] - (len(h) + 1) / 2
    return ranks


def caption_cosines(directions: Floats, captions: Captions) -> Floats:
    """Compute the cosine between class directions (C, d) and caption differences, shape (C, m).

    A caption's difference is its embedding minus that of the class's reference. A class without a
    direction, or a caption that equals the reference, gets 0.
    """
    out = np.zeros((len(directions), len(captions.texts)))
    for c, direction in enumerate(directions):
        apart = captions.differences(c).astype(np.float64)
        norms = np.linalg.norm(apart, axis=1) * np.linalg.norm(direction)
        out[c] = apart @ direction / np.where(norms > 0, norms, 1)
    return out
