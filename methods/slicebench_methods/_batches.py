"""Batches of classes that are padded to one size and processed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BATCH_FLOATS = 2**24
PADDING = 1.25
"""Largest ratio of the sizes of two classes in one batch."""


def like_sized(
    sizes: NDArray[np.intp], width: int, *, square: bool = False, most: int = BATCH_FLOATS
) -> Iterator[NDArray[np.intp]]:
    """Yield the positions of classes of similar size, smallest first, in batches of bounded memory.

    A class of n rows takes n × `width` numbers, and n × n more if `square`; a batch has at most `most` numbers, but
    a class that is too large is a batch of its own.
    """
    order, start = np.argsort(sizes, kind="stable"), 0
    while start < len(order):
        stop = start + 1
        while stop < len(order):
            n = int(sizes[order[stop]])
            floats = (stop + 1 - start) * n * (width + (n if square else 0))
            if n > PADDING * sizes[order[start]] or floats > most:
                break
            stop += 1
        yield order[start:stop]
        start = stop
