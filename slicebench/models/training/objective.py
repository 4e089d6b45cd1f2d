"""The protocol of training objectives, and the loss of given probabilities, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor


def true_class_loss(probs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute the cross-entropy -log p_y, shape (n,), in float64.

    The arguments are float32 probabilities (n, C) and class numbers (n,). Near p_y = 1, float32 is
    too coarse to order the examples; there it is -log(1 - the other classes' sum).

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


class Objective(Protocol):
    """Common objective of networks trained side by side; see `ModelTrainer.fit_together`."""

    def describe(self) -> Mapping[str, Any]:
        """Return JSON values that determine the objective; they are part of the cache key."""
        ...

    def start(self, labels: Tensor, n_classes: int) -> None:
        """Begin a run on the train `labels`, (n,) int64, forgetting any earlier one."""
        ...

    def __call__(self, rows: Tensor, logits: list[Tensor]) -> Tensor:
        """Return the scalar to minimise on the batch of examples `rows`, (b,).

        `logits` are those of each network, (b, C).
        """
        ...
