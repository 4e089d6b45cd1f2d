"""Measure slices as sets: discovery rates, false discovery rates and redundancy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.slices.matching import mean_known

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


def discoveries(hard: Bools, groups: Bools, precision: float, recall: float) -> tuple[Floats, Floats]:
    """Compute discovery rate and false discovery rate of the first 1..k slices, (k,) each.

    A slice belongs to a group if at least a share `precision` of its members are in the group. A
    group is discovered if the slices that belong to it together contain at least a share `recall`
    of it. A slice that belongs to no group is a false discovery. Neither slices nor groups may be
    empty. Plumb et al., "Towards a more rigorous science of blindspot discovery", 2023.
    """
    belongs = (hard.T.astype(np.float64) @ groups) / hard.sum(axis=0)[:, None] >= precision
    discovered = [_held(hard, groups[:, b], belongs[:, b]) >= recall for b in range(groups.shape[1])]
    return np.mean(discovered, axis=0), np.cumsum(~belongs.any(axis=1)) / np.arange(1, len(belongs) + 1)


def _held(hard: Bools, group: Bools, belongs: Bools) -> Floats:
    """Compute the share of a group's members in the first 1..k of its slices, (k,).

    Only slices that belong to the group count.
    """
    first = np.where(hard[group] & belongs, np.arange(len(belongs)), len(belongs)).min(axis=1)
    return np.cumsum(np.bincount(first, minlength=len(belongs))[: len(belongs)]) / len(first)


def full_discovery(hard: Bools, groups: Bools, precision: float, recall: float) -> tuple[float, float]:
    """Compute the discovery rate of all slices, and the false discovery rate at which it is reached.

    The latter is taken over the fewest first slices that have that discovery rate, or over all
    slices if no group is discovered.
    """
    if not groups.shape[1]:
        return np.nan, np.nan
    if not hard.shape[1]:
        return 0.0, np.nan
    rate, false_rate = discoveries(hard, groups, precision, recall)
    reached = int(np.argmax(rate == rate[-1])) if rate[-1] else -1
    return float(rate[-1]), float(false_rate[reached])


def redundancy(hard: Bools) -> float:
    """Compute the mean intersection over union of all pairs of slices that have members.

    NaN for fewer than two.
    """
    filled = hard[:, hard.any(axis=0)].astype(np.float64)
    shared, size = filled.T @ filled, filled.sum(axis=0)
    pairs = np.triu_indices(len(size), 1)
    return float(mean_known((shared / (size[:, None] + size - shared))[pairs]))
