"""Compute Δ, the error rate of a slice minus that of the rest of its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Error rate of k slices, Δ against the rest of the class and Δ's 95 % interval; (k,) each."""

    error_rate: Floats
    delta: Floats
    low: Floats
    high: Floats


def contrasts(hard: Bools, wrong: Bools, classes: NDArray[np.integer], design: Floats | None = None) -> Contrast:
    """Compute Δ of each slice: its error rate minus that of the rest of its class.

    `classes` (n,) are class numbers. `design` (k,) are design effects, by which counts are divided for the interval. The
    examples must not have been used to choose the slices.

    For a slice over several classes, the rest of each class is weighted by the share of the class
    in the slice. The interval is Newcombe's hybrid score interval (1998, method 10), which holds
    for small slices and rates near 0. Over several classes its half-widths are combined as the root
    of their sum of squares (Zou & Donner 2008), with the weights taken as fixed.

    All is NaN for an empty slice; Δ and its interval are NaN for a slice that contains all of a
    class.
    """
    of_class = np.unique(classes)[:, None] == classes
    inside = hard.T.astype(np.float64) @ of_class.T
    inside_wrong = (hard & wrong[:, None]).T.astype(np.float64) @ of_class.T
    rest = of_class.sum(axis=1) - inside
    rest_wrong = (of_class & wrong).sum(axis=1) - inside_wrong
    return contrasts_of_counts(inside, inside_wrong, rest, rest_wrong, design)


def contrasts_of_counts(
    inside: Floats, inside_wrong: Floats, rest: Floats, rest_wrong: Floats, design: Floats | None = None
) -> Contrast:
    """Compute the same from counts of k slices in C classes, (k, C) each: members, errors of members, and of the others."""
    size = inside.sum(axis=1)
    weight = inside / np.maximum(size, 1)[:, None]
    d = 1.0 if design is None else design[:, None]
    p, p_low, p_high = _wilson(inside_wrong, inside, d)
    q, q_low, q_high = _wilson(rest_wrong, rest, d)
    delta = (weight * (p - q)).sum(axis=1)
    below = np.sqrt((weight**2 * ((p - p_low) ** 2 + (q_high - q) ** 2)).sum(axis=1))
    above = np.sqrt((weight**2 * ((p_high - p) ** 2 + (q - q_low) ** 2)).sum(axis=1))
    known = (size > 0) & ~((inside > 0) & (rest == 0)).any(axis=1)
    rate = np.where(size > 0, (weight * p).sum(axis=1), np.nan)
    delta, low, high = (np.where(known, v, np.nan) for v in (delta, delta - below, delta + above))
    return Contrast(rate, delta, low, high)


def _wilson(count: Floats, total: Floats, design: Floats | float) -> tuple[Floats, Floats, Floats]:
    """Compute rates and their 95 % Wilson limits, of counts divided by `design`; a total of 0 is taken as 0 in 1."""
    from statsmodels.stats.proportion import proportion_confint

    total = np.maximum(total, 1)
    low, high = proportion_confint(count / design, total / design, method="wilson")
    return count / total, low, high
