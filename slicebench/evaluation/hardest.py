"""Find the hardest and easiest examples of each class by a method's hardness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of, labels_of
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    from numpy.typing import NDArray


def most_aligned(
    hardness: NDArray[np.floating[Any]], labels: NDArray[np.int64] | None, k: int
) -> dict[int, tuple[Rows, Rows]]:
    """Return the positions of the k hardest and the k easiest examples of every class.

    The most extreme examples come first; classes without examples are left out. `hardness` (n,) is
    higher for harder examples. `labels` (n,) are true classes; without them all examples are of
    class 0. Of equally hard examples, the one with the smaller position comes first in both lists.
    A class with fewer than k examples returns all of them, and one with fewer than 2k has examples
    in both lists. O(n log n). Jain et al. (2022) show these "most aligned" images.

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


def hardest(
    hardness: NDArray[np.floating[Any]], labels: NDArray[np.int64], counts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the rows of the `counts[c]` hardest examples of each class c, ascending.

    `hardness` and `labels` are (n,), `counts` (C,). A class with fewer examples returns all of
    them. Ties are broken at random, so that among equal examples (for an oracle, all that are left
    once its subgroup is used up) the choice is random.

    Raises
    ------
    DataError
        for hardness that is not one finite number per example.

    >>> hardest(np.array([3.0, 1.0, 2.0]), np.array([0, 0, 1]), np.array([1, 1]), np.random.default_rng(0)).tolist()
    [0, 2]
    """
    if hardness.shape != labels.shape or not np.isfinite(hardness).all():
        raise DataError(
            f"hardness has shape {hardness.shape} for {len(labels)} examples; expected one finite number each"
        )
    order = rng.permutation(len(labels))
    order = order[np.argsort(-hardness[order], kind="stable")]
    chosen = [order[labels[order] == c][:count] for c, count in enumerate(counts.tolist())]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.intp)


def per_class(labels: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Count the examples of each class, shape (C,)."""
    return np.bincount(labels, minlength=n_classes).astype(np.int64)
