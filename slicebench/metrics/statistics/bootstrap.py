"""Estimate uncertainty with the hierarchical bootstrap of nAMF over seeds and test examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import DataError
from slicebench.metrics.ranking import harmonic, ideal_amf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


DRAWS = 2000
DUST = 1e-12
"""Values of nAMF that differ by no more are equal: sums in another order differ in their last bits."""


@dataclass(frozen=True, eq=False)
class SeedScores:
    """One problem at one seed: its test examples, and each method's hardness on them.

    `labels` (n,) are class numbers (all 0 without classes), `minority` (n,) bool, and `hardness` maps a method to (n,) floats.
    """

    labels: NDArray[np.int64]
    minority: NDArray[np.bool_]
    hardness: Mapping[str, Floats]

    def classes(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of each class that holds minority and majority.

        The macro average is over these classes.
        """
        for c in np.unique(self.labels):
            rows = np.flatnonzero(self.labels == c)
            if 0 < self.minority[rows].sum() < len(rows):
                yield rows


@dataclass(frozen=True, eq=False)
class Interval:
    """A mean with its 95 % interval.

    `draws` (B,) are the bootstrap means behind it, stretched to the width of the interval. `low` and `high` are None if the
    values do not differ: they then do not show how much they vary.
    """

    mean: float
    low: float | None
    high: float | None
    draws: Floats

    @classmethod
    def of(
        cls, mean: float, draws: Floats, error: float, dof: float, level: float = 0.95, *, shaped: bool = True
    ) -> Interval:
        """Return an interval with the shape of `draws` and the width of Student's t.

        `error` is the standard error, on `dof` degrees of freedom. With neither error nor degrees of freedom, there is no
        interval. If not `shaped`, the interval is Student's own, symmetric one: resamples of few values have no shape, since
        two values have three means.

        Quantiles of a few resampled seeds are too close to the mean: with 3 seeds, a nominal 95 %
        interval covers 78 % (docs/concepts/statistics.md). So the draws are stretched about the mean until
        their standard deviation is error · t / z.
        """
        from scipy.special import ndtri, stdtrit

        spread, tail = float(draws.std()), (1 + level) / 2
        if error <= DUST or dof <= 0:
            return cls(mean, None, None, mean + (draws - draws.mean()))
        half = float(error * (stdtrit(dof, tail) if np.isfinite(dof) else ndtri(tail)))
        stretched = mean + (draws - draws.mean()) * (half / ndtri(tail) / spread if spread > 0 else 1.0)
        low, high = np.quantile(stretched, [1 - tail, tail]).tolist() if shaped else (mean - half, mean + half)
        return cls(mean, low, high, stretched)


@dataclass(frozen=True, eq=False)
class Sampled:
    """One quantity on one problem: its value at each of S seeds, and on resampled test examples.

    `values` has shape (S,). `resampled` holds S arrays, each with as many draws as `chosen` (B, S)
    takes from the seed. Quantities of one problem share `chosen` and their resamples, so that the
    difference of two of them is paired. `strata` (C,) are the sizes of the smaller group of each
    class at the first seed.
    """

    values: Floats
    resampled: tuple[Floats, ...]
    chosen: NDArray[np.intp]
    strata: NDArray[np.intp]

    def __sub__(self, other: Sampled) -> Sampled:
        pairs = zip(self.resampled, other.resampled, strict=True)
        return Sampled(self.values - other.values, tuple(a - b for a, b in pairs), self.chosen, self.strata)

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(self.values.mean())

    def draws(self) -> Floats:
        """Return hierarchical bootstrap means, shape (B,): seeds, then the test examples of each."""
        drawn = np.empty(self.chosen.shape)
        for s, resampled in enumerate(self.resampled):
            drawn[self.chosen == s] = resampled
        means: Floats = drawn.mean(axis=1)
        return means

    def variance(self) -> tuple[float, float]:
        """Return the variance of the mean over seeds, and its degrees of freedom.

        The values at the seeds differ in their models and their test examples, so their variance
        covers both, on S - 1 degrees. With a single seed, only the variance of the examples is
        known. The bootstrap of m examples estimates it by (m - 1)/m of it, on m - 1 degrees; the
        smaller group of a class decides, since its examples weigh most.
        """
        seeds = len(self.values)
        if seeds == 1:
            free = int((self.strata - 1).sum())
            return float(self.resampled[0].var()) * self.strata.sum() / max(free, 1), free
        return 0.0 if np.ptp(self.values) <= DUST else float(self.values.var(ddof=1)) / seeds, seeds - 1


def interval_of_mean(parts: Sequence[Sampled], level: float = 0.95) -> Interval:
    """Return the interval of the mean of independent quantities.

    An example is a method's nAMF on several problems. The problems are taken as fixed.
    """
    variances, dofs = (np.array(column) for column in zip(*(part.variance() for part in parts), strict=True))
    mean = float(np.mean([part.mean for part in parts]))
    draws = np.mean([part.draws() for part in parts], axis=0)
    return Interval.of(mean, draws, np.sqrt(variances.sum()) / len(parts), welch_dof(variances, dofs), level)


def welch_dof(variances: Floats, dofs: Floats) -> float:
    """Compute the degrees of freedom of a sum of independently estimated variances.

    Welch (1947): (Σ v)² / Σ v² / (ν + 2) - 2.

    The better-known form of Satterthwaite has ν in place of ν + 2 and loses degrees if ν is small:
    of the 16 degrees of 8 problems with 3 seeds, it keeps 8.
    """
    lost = (variances**2 / (dofs + 2)).sum()
    return float(variances.sum() ** 2 / lost - 2) if lost > 0 else np.inf


def sampled_problem(seeds: Sequence[SeedScores], entropy: int, *, draws: int = DRAWS) -> dict[str, Sampled]:
    """Compute each method's macro nAMF on one problem, at every seed and on resampled examples.

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
                f"seeds hold the methods {methods} and {list(one.hardness)}; expected the same methods at every seed"
            )
    if not all(any(True for _ in one.classes()) for one in seeds):
        return {}
    groups = [seeds[0].minority[rows] for rows in seeds[0].classes()]
    strata = np.array([min(int(g.sum()), int((~g).sum())) for g in groups])
    chosen = np.random.default_rng(entropy).integers(len(seeds), size=(draws, len(seeds)))
    found = [
        _one_seed(one, int((chosen == s).sum()), np.random.default_rng([entropy, s])) for s, one in enumerate(seeds)
    ]
    return {
        method: Sampled(
            np.array([one[method][0] for one in found]), tuple(one[method][1] for one in found), chosen, strata
        )
        for method in methods
    }


def _one_seed(one: SeedScores, draws: int, rng: np.random.Generator) -> dict[str, tuple[float, Floats]]:
    """Compute the observed macro nAMF and `draws` resampled ones, per method."""
    sums = {method: np.zeros(draws + 1) for method in one.hardness}
    classes = list(one.classes())
    for rows in classes:
        minority = one.minority[rows]
        counts = np.ones((len(rows), draws + 1), dtype=np.int32)
        for stratum in (minority, ~minority):
            counts[stratum, 1:] = resample_counts(int(stratum.sum()), draws, rng)
        for method, hardness in one.hardness.items():
            sums[method] += weighted_namf(hardness[rows], minority, counts)
    return {method: (float(v[0] / len(classes)), v[1:] / len(classes)) for method, v in sums.items()}


def resample_counts(size: int, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Count each of `size` examples in each of `draws` resamples with replacement.

    The shape is (size, draws).
    """
    picked = rng.integers(size, size=(draws, size))
    # number every pair of example and draw, so that one bincount counts all draws
    picked *= draws
    picked += np.arange(draws)[:, None]
    return np.bincount(picked.ravel(), minlength=draws * size).reshape(size, draws)


def weighted_namf(h: Floats, minority: NDArray[np.bool_], counts: NDArray[np.int32]) -> Floats:
    """Compute nAMF of every column of `counts` (n, B), shape (B,).

    In the ranking of column b, example i occurs `counts[i, b]` times.

    `metrics.amf` is a linear rank statistic: ranks 1..r carry W(r) = r (1 + H_n - H_r) together, so a run of examples of one
    group contributes W(end) - W(start), whatever lies inside it. Only the ends of runs are looked up. Tied examples form a
    block whose weight goes to the minority in proportion to its share.
    """
    n, m = len(h), int(minority.sum())
    order = np.argsort(-h, kind="stable")
    g = minority[order]
    starts, mixed = _runs(h[order], g)
    stops = np.append(starts[1:], n)
    ranks = _cumulative(counts, order)
    H = harmonic(n)
    W = np.arange(n + 1) * (1.0 + H[n] - H)
    pure = g[starts] & ~mixed
    area = (W.take(ranks[stops[pure]]) - W.take(ranks[starts[pure]])).sum(axis=0)
    if mixed.any():
        hits = _cumulative(counts * minority[:, None], order)
        start, stop = ranks[starts[mixed]], ranks[stops[mixed]]
        # a block of which nothing was drawn has weight 0: the maximum only avoids 0 / 0
        share = (hits[stops[mixed]] - hits[starts[mixed]]) / np.maximum(stop - start, 1)
        area += ((W.take(stop) - W.take(start)) * share).sum(axis=0)
    base = m / n
    namf: Floats = (area / n - base) / (ideal_amf(n, m) - base)
    return namf


def _cumulative(counts: NDArray[np.int32], order: NDArray[np.intp]) -> NDArray[np.int32]:
    """Compute cumulative sums of `counts` (n, B) down its rows in `order`, from zeros.

    The shape is (n + 1, B). Adding row by row for all draws is several times faster than NumPy's
    cumsum.
    """
    out = np.zeros((len(counts) + 1, counts.shape[1]), dtype=np.int32)
    for i, row in enumerate(order.tolist()):
        np.add(out[i], counts[row], out=out[i + 1])
    return out


def _runs(h: Floats, minority: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Find the runs of sorted examples that can be handled together.

    Returns their starts, and which of them are ties of both groups. Blocks of equal hardness with
    one group merge with neighbours of the same group; mixed blocks stay separate.
    """
    block = np.concatenate(([0], np.flatnonzero(np.diff(h)) + 1))
    hits = np.add.reduceat(minority.astype(np.intp), block)
    length = np.diff(np.append(block, len(h)))
    kind = np.where(hits == 0, 0, np.where(hits == length, 1, 2))
    new = np.append(True, (np.diff(kind) != 0) | (kind[1:] == 2))
    return block[new], kind[new] == 2


def interval_over_seeds(
    parts: Sequence[Sequence[float]], level: float = 0.95
) -> tuple[float, float | None, float | None]:
    """Average several quantities, with the interval by Student's t.

    Each part holds the values of one quantity at its seeds. Use it for metrics that are not
    resampled. The interval is None if a part has only one seed, or if no part differs between seeds.
    """
    from scipy.special import stdtrit

    mean = float(np.mean([np.mean(part) for part in parts]))
    if min(map(len, parts)) < 2:
        return mean, None, None
    variances = np.array([np.var(part, ddof=1) / len(part) for part in parts])
    if np.sqrt(variances.max()) <= DUST:
        return mean, None, None
    dof = welch_dof(variances, np.array([len(part) - 1.0 for part in parts]))
    half = float(stdtrit(dof, (1 + level) / 2) * np.sqrt(variances.sum()) / len(parts))
    return mean, mean - half, mean + half
