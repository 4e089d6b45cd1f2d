"""Sets of examples as masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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
