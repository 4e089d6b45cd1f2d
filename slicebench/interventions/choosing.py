"""Who is acted on: the hardest examples of each class, as many as the budget allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def hardest(
    hardness: NDArray[np.floating[Any]], labels: NDArray[np.int64], counts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Rows of the `counts[c]` hardest examples of each class c, in ascending order.

    `hardness` and `labels` are (n,), `counts` (C,); a class that has fewer gives all it has. Ties are broken at random, so that a
    method that cannot tell examples apart (an oracle whose subgroup is used up) chooses among them as chance does.

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
