"""Uncertainty: the hierarchical bootstrap of nAMF over seeds and test examples (METRICS.md, "Comparing methods")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import DataError
from slicebench.metrics import harmonic, ideal_amf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True, eq=False)
class SeedScores:
    """One problem at one seed: its test examples, and each method's hardness on them.

    `labels` (n,) are class numbers (all 0 without classes), `minority` (n,) bool, and `hardness` maps a method to (n,) floats.
    """

    labels: NDArray[np.int64]
    minority: NDArray[np.bool_]
    hardness: Mapping[str, Floats]

    def classes(self) -> Iterator[NDArray[np.intp]]:
        """Rows of each class that holds minority and majority: the ones a macro average is over."""
        for c in np.unique(self.labels):
            rows = np.flatnonzero(self.labels == c)
            if 0 < self.minority[rows].sum() < len(rows):
                yield rows


@dataclass(frozen=True, eq=False)
class Interval:
    """Mean of macro nAMF over seeds with a percentile interval; `draws` (B,) are the bootstrap means behind it."""

    mean: float
    low: float
    high: float
    draws: Floats

    @classmethod
    def of(cls, mean: float, draws: Floats, level: float = 0.95) -> Interval:
        """Percentile interval of `draws` around `mean`."""
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return cls(mean, float(low), float(high), draws)


def hierarchical_interval(
    seeds: Sequence[SeedScores], entropy: int, *, draws: int = DRAWS, level: float = 0.95
) -> dict[str, Interval]:
    """95 % interval of each method's mean nAMF on one problem.

    A draw resamples the S seeds, then, for each seed drawn, the test examples within class × group, and averages macro nAMF
    over the S. All methods see the same draws, so their differences are paired; `entropy` (from the problem's identity)
    seeds them. Strata keep their sizes, so π and the ideal area stay fixed.

    Every method must have scores at every seed. Returns an empty dictionary if nothing is planted at some seed.
    O(B S n) per method.

    Raises
    ------
    DataError
        if the seeds do not hold the same methods.

    """
    methods = list(seeds[0].hardness)
    for one in seeds[1:]:
        if set(one.hardness) != set(methods):
            raise DataError(
                f"seeds hold the methods {methods} and {list(one.hardness)}; expected the same at each seed"
            )
    if not all(any(True for _ in one.classes()) for one in seeds):
        return {}
    rng = np.random.default_rng(entropy)
    chosen = rng.integers(len(seeds), size=(draws, len(seeds)))
    values = {method: np.empty(chosen.shape) for method in methods}
    observed = dict.fromkeys(methods, 0.0)
    for s, one in enumerate(seeds):
        slots = chosen == s
        for method, (value, drawn) in _one_seed(one, int(slots.sum()), np.random.default_rng([entropy, s])).items():
            values[method][slots] = drawn
            observed[method] += value / len(seeds)
    return {method: Interval.of(observed[method], values[method].mean(axis=1), level) for method in methods}


def _one_seed(one: SeedScores, draws: int, rng: np.random.Generator) -> dict[str, tuple[float, Floats]]:
    """Observed macro nAMF and `draws` resampled ones, per method."""
    sums = {method: np.zeros(draws + 1) for method in one.hardness}
    classes = list(one.classes())
    for rows in classes:
        minority = one.minority[rows]
        counts = np.ones((draws + 1, len(rows)), dtype=np.int32)
        for stratum in (minority, ~minority):
            counts[1:, stratum] = resample_counts(int(stratum.sum()), draws, rng)
        for method, hardness in one.hardness.items():
            sums[method] += weighted_namf(hardness[rows], minority, counts)
    return {method: (float(v[0] / len(classes)), v[1:] / len(classes)) for method, v in sums.items()}


def resample_counts(size: int, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """How often each of `size` examples is in each of `draws` resamples with replacement; shape (draws, size)."""
    picked = rng.integers(size, size=(draws, size))
    picked += np.arange(0, draws * size, size)[:, None]
    return np.bincount(picked.ravel(), minlength=draws * size).reshape(draws, size)


def weighted_namf(h: Floats, minority: NDArray[np.bool_], counts: NDArray[np.int32]) -> Floats:
    """NAMF of every row of `counts` (B, n): the ranking in which example i stands `counts[b, i]` times; shape (B,).

    `metrics.amf` is a linear rank statistic: ranks 1..r carry W(r) = r (1 + H_n - H_r) together, so a run of examples of one
    group contributes W(end) - W(start), whatever lies inside it. Only the ends of runs are looked up. Tied examples form a
    block whose weight goes to the minority in proportion to its share.
    """
    n, m = len(h), int(minority.sum())
    order = np.argsort(-h, kind="stable")
    g = minority[order]
    starts, mixed = _runs(h[order], g)
    stops = np.append(starts[1:], n)
    sorted_counts = counts.take(order, axis=1)
    ranks = _cumulative(sorted_counts)
    H = harmonic(n)
    W = np.arange(n + 1) * (1.0 + H[n] - H)
    pure = g[starts] & ~mixed
    area = (W.take(ranks[:, stops[pure]]) - W.take(ranks[:, starts[pure]])).sum(axis=1)
    if mixed.any():
        sorted_counts *= g
        hits = _cumulative(sorted_counts)
        start, stop = ranks[:, starts[mixed]], ranks[:, stops[mixed]]
        share = (hits[:, stops[mixed]] - hits[:, starts[mixed]]) / np.maximum(stop - start, 1)
        area += ((W.take(stop) - W.take(start)) * share).sum(axis=1)
    base = m / n
    namf: Floats = (area / n - base) / (ideal_amf(n, m) - base)
    return namf


def _cumulative(counts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Row-wise cumulative sums with a zero in front; shape (B, n + 1)."""
    out = np.zeros((counts.shape[0], counts.shape[1] + 1), dtype=np.int32)
    np.cumsum(counts, axis=1, dtype=np.int32, out=out[:, 1:])
    return out


def _runs(h: Floats, minority: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Starts of the runs of sorted examples that can be taken together, and which of them are ties of both groups.

    Blocks of equal hardness that hold one group merge with neighbours of the same group; mixed blocks stay alone.
    """
    block = np.concatenate(([0], np.flatnonzero(np.diff(h)) + 1))
    hits = np.add.reduceat(minority.astype(np.intp), block)
    length = np.diff(np.append(block, len(h)))
    kind = np.where(hits == 0, 0, np.where(hits == length, 1, 2))
    new = np.append(True, (np.diff(kind) != 0) | (kind[1:] == 2))
    return block[new], kind[new] == 2
