"""What a model's probabilities say of each example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def true_class_loss(probs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cross-entropy -log p_y, shape (n,), of float32 probabilities (n, C) and class numbers (n,).

    Near p_y = 1, where float32 is too coarse to order the examples, it is -log(1 - the other classes' sum).

    >>> true_class_loss(np.array([[0.5, 0.5], [1.0, 1e-9]], dtype=np.float32), np.array([0, 0])).tolist()
    [0.6931471805599453, 9.999999722180686e-10]
    """
    p = probs.astype(np.float64)
    rows = np.arange(len(p))
    true = p[rows, labels]
    others = p.copy()
    others[rows, labels] = 0
    rest = np.minimum(others.sum(axis=1), 1)
    with np.errstate(divide="ignore"):
        return np.where(true > 0.5, -np.log1p(-rest), -np.log(np.maximum(true, np.finfo(np.float32).tiny)))
