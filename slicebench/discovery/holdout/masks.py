"""Sets of examples as masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]


def marked(rows: NDArray[np.intp], n: int) -> Bools:
    """Mark the given rows among n, (n,)."""
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask


def overlap(one: Bools, other: Bools) -> float:
    """Compute the intersection over the union of two sets of examples, (n,) bool; 0 if both are empty."""
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else 0.0


ROWS = 2**16
"""Rows whose masks are compared at a time."""


def overlaps(masks: Sequence[Bools]) -> NDArray[np.float64]:
    """Compute `overlap` of each two of m sets of examples, (n,) bool each; shape (m, m)."""
    both, n = np.zeros((len(masks), len(masks))), len(masks[0]) if masks else 0
    for start in range(0, n, ROWS):
        part = np.array([mask[start : start + ROWS] for mask in masks], dtype=np.float32)
        both += part @ part.T
    sizes = np.diag(both)
    either = sizes[:, None] + sizes - both
    shares: NDArray[np.float64] = both / np.maximum(either, 1)
    return shares
