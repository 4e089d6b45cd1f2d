"""Classes that can be padded to one size and worked on together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BATCH_FLOATS = 2**24
PADDING = 1.25
"""Classes are batched while the largest is at most so many times the smallest."""


def like_sized(sizes: NDArray[np.intp], width: int, *, square: bool = False) -> Iterator[NDArray[np.intp]]:
    """Positions of classes of like size, smallest first, in batches whose padded arrays are bounded.

    A class of n rows takes n × `width` numbers, and n × n more if `square`; one that is too large is a batch of its own.
    """
    order, start = np.argsort(sizes, kind="stable"), 0
    while start < len(order):
        stop = start + 1
        while stop < len(order):
            n = int(sizes[order[stop]])
            floats = (stop + 1 - start) * n * (width + (n if square else 0))
            if n > PADDING * sizes[order[start]] or floats > BATCH_FLOATS:
                break
            stop += 1
        yield order[start:stop]
        start = stop
