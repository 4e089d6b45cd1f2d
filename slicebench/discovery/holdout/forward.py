"""Choose slices one after the other, each for the errors that it explains beyond those chosen before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.excess import likelihood_gain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.holdout.candidates import Candidate
    from slicebench.discovery.holdout.excess import Excess

    Bools = NDArray[np.bool_]


MOST_SLICES = 10
"""Slices that are tested in a fold."""
LEAST_GAIN = 5.0
"""Least gain in log-likelihood, on rows that judge, of a slice that is worth a test."""
LEAST_NEW = 10
"""Least members that a slice adds to those before, on rows that judge."""
SMALLEST_EXCESS = 0.05
"""Least rate of a slice beyond its class's, on rows that judge."""
LARGEST = 0.6
"""Largest share of its class, or of all classes, that a slice may hold: what is left over by another slice is none."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A chosen slice and the rows, (n,) bool, that no slice before it has."""

    candidate: Candidate
    left: Bools


def chosen_forward(candidates: Sequence[Candidate], excess: Excess, judge: Bools) -> list[Chosen]:
    """Choose from the candidates of a fold by the rows `judge` (n,) bool.

    The order is by the gain in log-likelihood of what a slice adds to those before.
    """
    left, out, rest = np.ones(len(judge), dtype=bool), list[Chosen](), [*candidates]
    while rest and len(out) < MOST_SLICES:
        rows = judge & left
        over = excess.over_mean(rows)
        gains = [_gain(one, rows, over, excess) for one in rest]
        best = int(np.argmax(gains))
        if gains[best] < LEAST_GAIN:
            break
        one = rest.pop(best)
        out.append(Chosen(one, left))
        left = left & ~one.members
    return out


def _gain(one: Candidate, rows: Bools, over: NDArray[np.float64], excess: Excess) -> float:
    new = one.members & rows
    size = int(new.sum())
    bad, above = excess.badness[new].sum(), over[new].sum()
    compared = rows if one.class_number is None else rows & (excess.classes == one.class_number)
    if size < LEAST_NEW or size > LARGEST * compared.sum() or above < SMALLEST_EXCESS * size:
        return 0.0
    gain = float(likelihood_gain(np.array([bad]), np.array([size]), np.array([bad - above]))[0])
    return gain * one.preference
