"""The examples that lie furthest along a method's hardness, at either end of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, DataError
from slicebench.validation import array_of, labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]


def most_aligned(
    hardness: NDArray[np.floating[Any]], labels: NDArray[np.int64] | None, k: int
) -> dict[int, tuple[Rows, Rows]]:
    """Positions of the hardest and of the easiest k examples of every class present, most extreme first.

    `hardness` (n,) is higher for harder examples, `labels` (n,) are true classes; without them all examples are class 0. Among
    equally hard examples the one that stands first comes first, in both lists. A class of fewer than k examples gives them all,
    one of fewer than 2k has examples in both lists. O(n log n). Jain et al. (2022) show these "most aligned" images.

    Raises
    ------
    DataError
        for hardness that is empty or not finite, and for labels that do not fit it.
    ConfigError
        for k below 1.

    >>> most_aligned(np.array([0.1, 0.9, 0.5]), None, 1)
    {0: (array([1]), array([0]))}

    """
    if k < 1:
        raise ConfigError(f"k is {k}; expected 1 or more examples per class")
    h = array_of("hardness", hardness, np.float64, 1)
    if not len(h):
        raise DataError("hardness is empty; expected one value per example")
    classes = np.zeros(len(h), dtype=np.int64) if labels is None else labels_of("labels", labels, len(h))
    hardest, easiest = np.argsort(-h, kind="stable"), np.argsort(h, kind="stable")
    return {
        int(c): (hardest[classes[hardest] == c][:k], easiest[classes[easiest] == c][:k]) for c in np.unique(classes)
    }
