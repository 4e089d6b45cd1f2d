"""A slice that was found without one fold, and is tested on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicebench.discovery.searches.conditions import Conjunction

    Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """A set of examples that may be a slice.

    `members` (n,) bool: those in `fold` were assigned without any outcome of that fold. `strength` (n,) orders members, the most
    typical highest. `rule` describes the members exactly, or is None. `class_number` is None for a slice over all classes. Where
    candidates explain nearly the same errors, the one with the highest `preference` is chosen. `crossed` is true if examples of
    the other folds, too, were ranked without their own outcomes.
    """

    method: str
    label: str
    fold: int
    members: Bools
    strength: NDArray[np.float64]
    class_number: int | None = None
    rule: Conjunction | None = None
    preference: float = 1.0
    crossed: bool = False
