"""Say of each finding how much worse the model does there, and whether that is significant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.slices import contrasts
from slicebench.metrics.slices.clustered import clustered
from slicebench.metrics.slices.significance import MIN_EFFECT
from slicebench.metrics.statistics import ALPHA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.holdout.consensus import Finding
    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


MIN_LOSS_EFFECT = 0.2
"""Least difference in mean loss, in standard deviations of the losses of the classes: Cohen's "small"."""


@dataclass(frozen=True)
class Verdict:
    """Comparison of a slice with the rest of its class, or of its classes.

    `size`, `rate` and `rest` are over all examples: the members, their error rate (or mean loss), and that of the others.
    `support`, `delta`, `low` and `high` are over held-out examples: each was assigned to the slice by a search that did not see
    its fold. They are members, difference and its 95% interval. `p_holm` joins the tests of all folds, each corrected by
    Holm's method for all slices tested there.

    `stands` is true if the slice is significant: `p_holm` is at most `ALPHA`, and `delta` is at least `MIN_EFFECT` (for losses,
    `MIN_LOSS_EFFECT` standard deviations).
    """

    class_number: int | None
    size: int
    rate: float
    rest: float
    support: int
    delta: float
    low: float
    high: float
    p_holm: float
    stands: bool


def in_order(judged: Sequence[tuple[Finding, Verdict]]) -> list[tuple[Finding, Verdict]]:
    """Return findings that can be compared with others: significant ones first, then by excess errors or loss."""
    known = [(one, verdict) for one, verdict in judged if np.isfinite(verdict.delta)]
    return sorted(known, key=lambda both: (not both[1].stands, -both[1].delta * both[1].size))


def verdict_of(finding: Finding, examples: Examples) -> Verdict:
    """Compare a finding with the rest of its classes, weighted as the classes are among the members."""
    outcome = examples.losses.astype(np.float64) if examples.wrong is None else examples.wrong.astype(np.float64)
    every = np.ones(examples.n, dtype=bool)
    whole = _compared(finding.members, every, outcome, examples)
    held = _compared(finding.inside, finding.held_out, outcome, examples)
    least = MIN_EFFECT if examples.wrong is not None else MIN_LOSS_EFFECT * _spread(finding.members, outcome, examples)
    return Verdict(
        class_number=finding.class_number,
        size=int(finding.members.sum()),
        rate=whole.rate,
        rest=whole.rate - whole.delta,
        support=int(finding.inside.sum()),
        delta=held.delta,
        low=held.low,
        high=held.high,
        p_holm=finding.p,
        stands=bool(finding.p <= ALPHA and held.delta >= least),
    )


@dataclass(frozen=True)
class _Compared:
    rate: float
    delta: float
    low: float
    high: float


def _compared(members: Bools, among: Bools, outcome: Floats, examples: Examples) -> _Compared:
    """Compare members with the others of their classes, among some rows."""
    inside_class = np.bincount(examples.labels[members & among], minlength=len(examples.class_names)) > 0
    rows = np.flatnonzero(among & inside_class[examples.labels])
    inside, classes, values = members[rows], examples.labels[rows], outcome[rows]
    if not inside.any() or inside.all():
        rate = float(values[inside].mean()) if inside.any() else float("nan")
        return _Compared(rate, float("nan"), float("nan"), float("nan"))
    design = None
    if examples.groups is not None:
        over = values - _means(values, classes)[classes]
        design = clustered(inside[:, None], over, examples.groups[rows]).design
    if examples.wrong is not None:
        found = contrasts(inside[:, None], values > 0, classes, design)
        return _Compared(*(float(one[0]) for one in (found.error_rate, found.delta, found.low, found.high)))
    return _by_means(values, inside, classes, 1.0 if design is None else float(design[0]))


def _means(values: Floats, classes: NDArray[np.int64]) -> Floats:
    count = np.bincount(classes)
    means: Floats = np.bincount(classes, weights=values) / np.maximum(count, 1)
    return means


def _by_means(values: Floats, inside: Bools, classes: NDArray[np.int64], design: float) -> _Compared:
    """Compare means, with Welch's interval; each side counts as its size divided by the design effect.

    Of several classes, each value is first compared with the mean of the others of its class.
    """
    from scipy.stats import t as student

    rest = _means(values[~inside], classes[~inside])
    over = values - np.append(rest, np.zeros(int(classes.max()) + 1 - len(rest)))[classes]
    delta = float(over[inside].mean())
    sizes = np.array([inside.sum(), (~inside).sum()]) / design
    parts = np.array([over[inside].var(), over[~inside].var()]) / np.maximum(sizes - 1, 1)
    if parts.sum() == 0:
        return _Compared(float(values[inside].mean()), delta, delta, delta)
    dof = parts.sum() ** 2 / (parts**2 / np.maximum(sizes - 1, 1)).sum()
    margin = float(student.ppf(0.975, dof) * np.sqrt(parts.sum()))
    return _Compared(float(values[inside].mean()), delta, delta - margin, delta + margin)


def _spread(members: Bools, outcome: Floats, examples: Examples) -> float:
    """Return the standard deviation of losses within the classes of the members."""
    rows = np.isin(examples.labels, np.unique(examples.labels[members]))
    classes = examples.labels[rows]
    return float((outcome[rows] - _means(outcome[rows], classes)[classes]).std())
