"""Count the rows of slices part by part, and test each slice on the rows outside of the sample by these counts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.fold_tests import LEAST_IN_FOLD, exact_p_of_design
from slicebench.discovery.verdicts import MIN_LOSS_EFFECT, Verdict
from slicebench.metrics.slices.contrast import contrasts_of_counts
from slicebench.metrics.slices.significance import MIN_EFFECT
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.large.grouped import Designs

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """Rows, the sum of outcomes and that of their squares, over each class (C,) and over the members of k slices (k, C)."""

    n: Floats
    total: Floats
    squares: Floats
    inside: Floats
    inside_total: Floats
    inside_squares: Floats

    @classmethod
    def of(cls, outcome: Floats, labels: NDArray[np.int64], members: Bools, n_classes: int) -> Moments:
        """Sum over rows: outcomes and classes (n,), members (n, k)."""
        slices = [np.flatnonzero(members[:, k]) for k in range(members.shape[1])]

        def sums(weights: Floats) -> tuple[Floats, Floats]:
            each = [np.bincount(labels[rows], weights[rows], minlength=n_classes) for rows in slices]
            every = np.bincount(labels, weights, minlength=n_classes).astype(np.float64)
            return every, np.array(each, dtype=np.float64).reshape(-1, n_classes)

        (n, inside), (total, inside_total), (squares, inside_squares) = (
            sums(weights) for weights in (np.ones(len(labels)), outcome, outcome**2)
        )
        return cls(
            n=n, total=total, squares=squares, inside=inside, inside_total=inside_total, inside_squares=inside_squares
        )

    def __add__(self, other: Moments) -> Moments:
        """Return the sums over the rows of both."""
        return Moments(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass(frozen=True, eq=False, kw_only=True)
class Tally:
    """Counts for k slices in C classes; those of several parts add up.

    `every` is over all rows, `held` over the rows for testing outside of the sample. `cells` (C, B, k + 1) counts the held rows
    of each class by outcome (right and wrong, or B bins of losses) and by the first slice that they are in; k is none.
    """

    every: Moments
    held: Moments
    cells: NDArray[np.int64]

    def __add__(self, other: Tally) -> Tally:
        """Return the counts of the rows of both."""
        return Tally(every=self.every + other.every, held=self.held + other.held, cells=self.cells + other.cells)


def tallied(
    outcome: Floats, labels: NDArray[np.int64], members: Bools, held: Bools, edges: Floats, centres: Floats
) -> Tally:
    """Count rows: outcomes and classes (n,), members (n, k), and which are for testing (n,).

    `edges` (C, B - 1) are the bounds of the bins of outcomes in each class. `centres` (C,) are subtracted from outcomes before
    they are summed, so that squares of large numbers lose nothing.
    """
    n_classes, n_bins, k = len(centres), edges.shape[1] + 1, members.shape[1]
    over = outcome - centres[labels]
    first = np.where(members.any(axis=1), members.argmax(axis=1), k) if k else np.zeros(len(labels), dtype=np.intp)
    rows = np.flatnonzero(held)
    bins = bins_of(outcome[rows], labels[rows], edges)
    cells = np.bincount((labels[rows] * n_bins + bins) * (k + 1) + first[rows], minlength=n_classes * n_bins * (k + 1))
    return Tally(
        every=Moments.of(over, labels, members, n_classes),
        held=Moments.of(over[rows], labels[rows], members[rows], n_classes),
        cells=cells.reshape(n_classes, n_bins, k + 1),
    )


def bins_of(outcome: Floats, labels: NDArray[np.int64], edges: Floats) -> NDArray[np.int64]:
    """Return the bin of each outcome: how many bounds of its class are not above it."""
    out = np.zeros(len(outcome), dtype=np.int64)
    for c in np.unique(labels):
        own = labels == c
        out[own] = np.searchsorted(edges[c], outcome[own], side="right")
    return out


def slice_ps(cells: NDArray[np.int64], designs: Designs | None, *, exact: bool) -> list[float]:
    """Compute the one-sided p of each of k slices, on the rows that no slice before it has, without any correction.

    With groups, counts are divided by the design effect, and a t test on groups must agree.

    For errors it is the test of `holdout.fold_tests`; for losses that of van Elteren, on the bins of losses: losses of one bin
    count as equal.
    """
    out = []
    for k in range(cells.shape[2] - 1):
        inside, both = cells[:, :, k], cells[:, :, k:].sum(axis=2)
        design, least = (1.0, 0.0) if designs is None else (float(designs.of_test[k]), float(designs.p[k]))
        m, n = inside.sum(axis=1), both.sum(axis=1)
        if m.sum() < LEAST_IN_FOLD or m.sum() == n.sum():
            out.append(1.0)
        else:
            misses = both[:, 1] - inside[:, 1]
            p = exact_p_of_design(inside[:, 1], m, misses, n - m, design) if exact else rank_p(inside, both, design)
            out.append(max(p, least))
    return out


def rank_p(inside: NDArray[np.int64], both: NDArray[np.int64], design: float = 1.0) -> float:
    """Compute the one-sided p of van Elteren's rank-sum test over classes from counts by bin, (C, B): members, and all rows.

    The variance is multiplied by `design`.
    """
    from scipy.stats import norm

    m, n = inside.sum(axis=1), both.sum(axis=1)
    compared = (m > 0) & (m < n)
    inside, both, m, n = inside[compared], both[compared], m[compared], n[compared]
    ranks = (np.cumsum(both, axis=1) - (both + 1) / 2) / np.maximum(n - 1, 1)[
        :, None
    ]  # from 0 to 1; ties share their mean
    mean = (ranks * both).sum(axis=1) / n
    spread = ((ranks - mean[:, None]) ** 2 * both).sum(axis=1) / np.maximum(n - 1, 1)
    variance = float((m * (n - m) / n * spread).sum()) * design
    above = float(((ranks - mean[:, None]) * inside).sum())
    return float(norm.sf(above / np.sqrt(variance))) if variance > 0 else 1.0


def verdicts_of(
    tally: Tally, class_numbers: Sequence[int | None], centres: Floats, designs: Designs | None, *, exact: bool
) -> list[Verdict]:
    """Compare each slice with the rest of its classes: p corrected by Holm's method over all slices."""
    p = holm(np.array(slice_ps(tally.cells, designs, exact=exact)))
    compared = _rates if exact else _means
    whole = compared(tally.every, centres, None)
    held = compared(tally.held, centres, None if designs is None else designs.of_difference)
    least = np.full(len(p), MIN_EFFECT) if exact else MIN_LOSS_EFFECT * _spreads(tally.every)
    return [
        Verdict(
            class_number=c,
            size=int(tally.every.inside[k].sum()),
            rate=float(whole[0][k]),
            rest=float(whole[0][k] - whole[1][k]),
            support=int(tally.held.inside[k].sum()),
            delta=float(held[1][k]),
            low=float(held[2][k]),
            high=float(held[3][k]),
            p_holm=float(p[k]),
            stands=bool(p[k] <= ALPHA and held[1][k] >= least[k]),
        )
        for k, c in enumerate(class_numbers)
    ]


def _rates(sums: Moments, centres: Floats, design: Floats | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the error rate of each slice, its difference to the rest, and the ends of the interval of that; (k,) each."""
    wrong, inside_wrong = sums.total + centres * sums.n, sums.inside_total + centres * sums.inside
    found = contrasts_of_counts(sums.inside, inside_wrong, sums.n - sums.inside, wrong - inside_wrong, design)
    return found.error_rate, found.delta, found.low, found.high


def _means(sums: Moments, centres: Floats, design: Floats | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the same for mean losses, with Welch's interval. Each loss is compared with the mean of the others of its class."""
    from scipy.stats import t as student

    used = sums.inside > 0  # classes without members are not compared
    rest = used * (sums.n - sums.inside)
    rest_total, rest_squares = used * (sums.total - sums.inside_total), used * (sums.squares - sums.inside_squares)
    mean = np.where(
        rest > 0, rest_total / np.maximum(rest, 1), -centres
    )  # 0 for a class without others, as in `verdicts`
    sizes = np.stack([sums.inside.sum(axis=1), rest.sum(axis=1)])
    sides = ((sums.inside, sums.inside_total, sums.inside_squares), (rest, rest_total, rest_squares))
    over = np.stack([(total - n * mean).sum(axis=1) for n, total, _ in sides]) / np.maximum(sizes, 1)
    square = np.stack([(squares - 2 * mean * total + n * mean**2).sum(axis=1) for n, total, squares in sides])
    counted = np.maximum(sizes / (1 if design is None else design) - 1, 1)
    parts = np.maximum(square / np.maximum(sizes, 1) - over**2, 0) / counted
    variance = parts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        dof = variance**2 / (parts**2 / counted).sum(axis=0)
        margin = np.where(variance > 0, student.ppf(0.975, dof) * np.sqrt(variance), 0.0)
    rate = (sums.inside_total + centres * sums.inside).sum(axis=1) / np.maximum(sizes[0], 1)
    known, delta = (sizes > 0).all(axis=0), over[0]
    low, high = (np.where(known, end, np.nan) for end in (delta - margin, delta + margin))
    return np.where(sizes[0] > 0, rate, np.nan), np.where(known, delta, np.nan), low, high


def _spreads(sums: Moments) -> Floats:
    """Return the standard deviation of losses within the classes of the members of each slice, (k,)."""
    within = sums.squares - sums.total**2 / np.maximum(sums.n, 1)
    used = sums.inside > 0
    spread: Floats = np.sqrt((used * np.maximum(within, 0)).sum(axis=1) / np.maximum((used * sums.n).sum(axis=1), 1))
    return spread
