"""Exchange the outcomes of a split among its examples.

An *outcome* is the base model's result on an example: probabilities, loss and correctness. These
move together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Split


def permuted_outcomes(split: Split, rng: np.random.Generator) -> Split:
    """Permute the outcomes within each class.

    The outcomes are then exchangeable whatever the inputs. The control C0 and blind scoring use this.
    """
    source = np.arange(split.n)
    for _, rows in split.by_class():
        source[rows] = rng.permutation(rows)
    return with_outcomes_of(split, source)


def with_outcomes_of(split: Split, source: NDArray[np.intp]) -> Split:
    """Return the split in which example i has the outcome of example `source[i]`.

    `source[i]` is of the same class as i.
    """

    def moved(value: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if value is None else value[source]

    return replace(split, losses=split.losses[source], probs=moved(split.probs), correct=moved(split.correct))
