"""Deal examples to folds: slices are found on the other folds and tested on one, so that each row serves both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.schema.splits import dealt_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Integers = NDArray[np.int64]


N_FOLDS = 5
"""Four fifths of the rows look for slices, and each row is in the test once."""


@dataclass(frozen=True, eq=False)
class Folds:
    """The fold of each of n examples, `number` (n,), and the folds on which slices are tested.

    All folds are tested, unless the user's table says which rows are for testing: these are fold 0 then.
    """

    number: Integers
    tested: tuple[int, ...]

    def learn(self, fold: int) -> Bools:
        """Mark the rows on which slices for `fold` are found, (n,)."""
        learn: Bools = self.number != fold
        return learn

    def others(self, fold: int) -> list[int]:
        """Return the numbers of the other folds."""
        return [int(f) for f in np.unique(self.number) if f != fold]


def dealt_folds(
    classes: Integers, wrong: Bools | None, groups: NDArray[np.intp] | None, held_out: Bools | None, seed: int
) -> Folds:
    """Deal rows to folds at random; groups stay whole.

    Each fold gets its share of each class, and of its errors. If rows are `held_out` (n,) they are fold 0, the only one that is
    tested, and the others are dealt to the other folds.
    """
    rng = np.random.default_rng(seed)
    strata = classes * 2 + (0 if wrong is None else wrong)
    if held_out is None:
        return Folds(_dealt(strata, groups, N_FOLDS, rng), tuple(range(N_FOLDS)))
    number = np.zeros(len(classes), dtype=np.int64)
    rest = ~held_out
    number[rest] = 1 + _dealt(strata[rest], None if groups is None else groups[rest], N_FOLDS - 1, rng)
    return Folds(number, (0,))


def _dealt(strata: Integers, groups: NDArray[np.intp] | None, k: int, rng: np.random.Generator) -> Integers:
    if groups is not None:
        return dealt_groups(strata, groups, [1] * k, rng).astype(np.int64)
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    number = np.empty(len(strata), dtype=np.int64)
    number[order] = (np.arange(len(strata)) + rng.integers(k)) % k
    return number
