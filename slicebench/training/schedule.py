"""The triangular learning rate."""

from __future__ import annotations


def triangular(epoch: float, *, epochs: int, peak_epoch: float, peak_lr: float) -> float:
    """Learning rate at a fractional `epoch`: 0 at 0, `peak_lr` at `peak_epoch`, 0 at `epochs`, linear between.

    >>> [triangular(e, epochs=4, peak_epoch=1, peak_lr=0.6) for e in (0, 0.5, 1, 2.5, 4)]
    [0.0, 0.3, 0.6, 0.3, 0.0]
    """
    if epoch < peak_epoch:
        return peak_lr * epoch / peak_epoch
    if epoch >= epochs:
        return peak_lr if epochs == peak_epoch else 0.0
    return peak_lr * (epochs - epoch) / (epochs - peak_epoch)
