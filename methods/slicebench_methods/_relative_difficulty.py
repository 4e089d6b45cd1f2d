"""Training rule of learning from failure: each example is weighted by its relative difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T", "NDArray[np.float64]", "Tensor")


def relative_difficulty(biased: T, debiased: T) -> T:
    """Compute W = CE_b / (CE_b + CE_d), eq. 3, shape (n,); 0 where both losses are 0."""
    return biased / (biased + debiased + 1e-8)


class RunningLoss:
    """Exponential average of each train example's loss, (n,), readable as a share of the largest in its class.

    The first value of an example counts in full. A class that is absent, or whose losses are all 0,
    has shares of 0.
    """

    def __init__(self, labels: Tensor, n_classes: int, alpha: float) -> None:
        self.labels, self.n_classes, self.alpha = labels, n_classes, alpha
        self.values = labels.new_full(labels.shape, -1).float()  # losses are not negative: -1 is "not seen yet"

    def update(self, rows: Tensor, losses: Tensor) -> None:
        """Update with the `losses`, (b,), of the examples `rows`, (b,)."""
        old = self.values[rows]
        self.values[rows] = (self.alpha * old + (1 - self.alpha) * losses).where(old >= 0, losses)

    def shares(self, rows: Tensor) -> Tensor:
        """Divide the running losses of `rows` by the largest of their class: (b,), in [0, 1]."""
        largest = self.values.new_zeros(self.n_classes).scatter_reduce(0, self.labels, self.values, "amax")
        return self.values[rows] / largest.where(largest > 0, 1.0)[self.labels[rows]]


class LearningFromFailure:
    """Algorithm 1 as an `Objective`: GCE of the biased network plus W-weighted cross-entropy of the debiased one."""

    def __init__(self, *, q: float, ema: float) -> None:
        self.q, self.ema = q, ema

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {"objective": "learning from failure", "q": self.q, "ema": self.ema}

    def start(self, labels: Tensor, n_classes: int) -> None:
        """Forget all losses."""
        self.labels = labels
        self.running = [RunningLoss(labels, n_classes, self.ema) for _ in range(2)]

    def __call__(self, rows: Tensor, logits: list[Tensor]) -> Tensor:
        """Add both batch means; W is a constant to the gradient, so each network gets only its own term."""
        from slicebench.models.training.losses import cross_entropy, generalised_cross_entropy

        y = self.labels[rows]
        losses = [cross_entropy(z, y) for z in logits]
        for running, loss in zip(self.running, losses, strict=True):
            running.update(rows, loss.detach())
        w = relative_difficulty(self.running[0].shares(rows), self.running[1].shares(rows))
        return generalised_cross_entropy(logits[0], y, self.q).mean() + (w * losses[1]).mean()
