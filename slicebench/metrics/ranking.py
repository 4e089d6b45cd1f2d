"""Ranking and flagged metrics: pure functions on arrays, and the table that names them.

Setting: the examples of one class, `h` (n,) the hardness (high = hard), `g` (n,) bool the planted minority, `wrong` (n,) bool
the base model's errors. π = mean g, m = Σ g. Ties in h count as the expectation over all orders of the tied block, for every
metric but `sklearn_ap`, so that a constant score has the value of chance. No metric depends on the order of rows.

A metric that is undefined for a class (K larger than the class, no example flagged, no error) is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Value = float | None


UP = True
"""Direction of a metric where higher is better."""


@lru_cache(maxsize=64)
def harmonic(n: int) -> Floats:
    """Return the harmonic numbers H_0..H_n, shape (n + 1,)."""
    return np.concatenate(([0.0], np.cumsum(1.0 / np.arange(1, n + 1))))


@dataclass(frozen=True, eq=False)
class Ranking:
    """Examples as blocks of equal hardness, hardest first; sorted once for every metric.

    `ends` are the cumulative block sizes, `hits` the cumulative minority counts at them; both have one entry per block.
    """

    ends: NDArray[np.intp]
    hits: NDArray[np.intp]

    @classmethod
    def of(cls, h: Floats, g: Bools) -> Ranking:
        """Rank by `h` with ties as blocks. O(n log n)."""
        order = np.argsort(-h, kind="stable")
        last = np.flatnonzero(np.append(np.diff(h[order]) != 0, True))
        return cls(ends=last + 1, hits=np.cumsum(g[order], dtype=np.intp)[last])

    @property
    def n(self) -> int:
        """Number of examples."""
        return int(self.ends[-1])

    @property
    def m(self) -> int:
        """Number of minority examples."""
        return int(self.hits[-1])

    def hits_at(self, k: int) -> float:
        """Return the expected number of minority examples among the top `k`."""
        block = int(np.searchsorted(self.ends, k))
        start, before = (self.ends[block - 1], self.hits[block - 1]) if block else (0, 0)
        share = (k - start) / (self.ends[block] - start)
        return float(before + share * (self.hits[block] - before))


def amf(r: Ranking) -> float:
    """Compute the mean of MF@K over K = 1..n.

    Summing 1/K over the K at or below each rank turns the area into a linear rank statistic: rank j carries the weight
    w(j) = H_n - H_{j-1}, and the first r ranks together carry W(r) = r (1 + H_n - H_r). A tied block shares its weights.
    """
    H = harmonic(r.n)
    carried = r.ends * (1.0 + (H[r.n] - H[r.ends]))
    weights = np.diff(carried, prepend=0.0) / np.diff(r.ends, prepend=0)
    return float((weights * np.diff(r.hits, prepend=0)).sum() / r.n)


def ideal_amf(n: int, m: int) -> float:
    """Compute `amf` of the ranking with all m minority examples on top."""
    return amf(Ranking(ends=np.array([m, n]), hits=np.array([m, m])))


def namf(r: Ranking) -> Value:
    """Compute (A - π) / (A_ideal - π).

    It is 1 for the ideal order, 0 for a random one, below 0 for worse.
    """
    base = r.m / r.n
    return (amf(r) - base) / (ideal_amf(r.n, r.m) - base)


def minority_fraction(r: Ranking, k: int) -> Value:
    """Compute MF@K, the minority share of the `k` hardest.

    None where the class is smaller than `k`.
    """
    return r.hits_at(k) / k if k <= r.n else None


def kappa(r: Ranking, k: int) -> Value:
    """Compute chance-corrected MF@K: (MF@K - π) / (min(1, πn/K) - π); None where K ≥ n."""
    if k >= r.n:
        return None
    base = r.m / r.n
    return (r.hits_at(k) / k - base) / (min(1.0, r.m / k) - base)


def average_precision(r: Ranking) -> Value:
    """Compute the mean precision at the ranks of the minority, expected over the orders of tied blocks.

    Of a block of s examples with k hits, behind S examples with H hits, each place holds a hit with probability k/s. If place
    j does, the j - 1 before it hold (j - 1)(k - 1)/(s - 1) hits on average, so its precision is that plus H + 1, over S + j.
    Harmonic numbers sum both terms over j.
    """
    if r.m == 0:
        return None
    size, k = np.diff(r.ends, prepend=0), np.diff(r.hits, prepend=0)
    start, before = r.ends - size, r.hits - k
    H = harmonic(r.n)
    inverse = H[r.ends] - H[start]
    others = (k - 1) / np.maximum(size - 1, 1) * (size - (start + 1) * inverse)
    return float((k / size * ((before + 1) * inverse + others)).sum() / r.m)


def sklearn_ap(r: Ranking) -> Value:
    """Compute the area under the precision–recall steps at each distinct score, for comparison with other work.

    The value is that of `sklearn.metrics.average_precision_score`: a tied block enters at once, so a constant score has the base
    rate, which is less than a random order has.
    """
    if r.m == 0:
        return None
    return float((np.diff(r.hits, prepend=0) * (r.hits / r.ends)).sum() / r.m)


def auroc(r: Ranking) -> Value:
    """Compute P(a minority example ranks above a majority example), ties counted as one half."""
    if r.m in (0, r.n):
        return None
    hits, size = np.diff(r.hits, prepend=0), np.diff(r.ends, prepend=0)
    others = size - hits
    below = (r.n - r.m) - np.cumsum(others)
    return float((hits * (below + 0.5 * others)).sum() / (r.m * (r.n - r.m)))


def expected_ap(n: int, m: int) -> float:
    """Compute the expected average precision of a random order without ties.

    It is (1/n) (H_n + (m-1)/(n-1) (n - H_n)).
    """
    if n == 1:
        return 1.0
    H = float(harmonic(n)[n])
    return (H + (m - 1) / (n - 1) * (n - H)) / n


@dataclass(frozen=True, eq=False)
class ClassCase:
    """One class as the metrics see it: arrays and the ranking made from them."""

    h: Floats
    g: Bools
    wrong: Bools | None
    flagged: Bools | None
    ranking: Ranking

    @property
    def base(self) -> float:
        """π, the minority rate."""
        return float(self.g.mean())


def case(h: Floats, g: Bools, wrong: Bools | None = None, flagged: Bools | None = None) -> ClassCase:
    """Return the `ClassCase` of one class, which must hold minority and majority examples."""
    return ClassCase(h, g, wrong, flagged, Ranking.of(h, g))


@dataclass(frozen=True)
class Metric:
    """A row of the metric table.

    `chance` gives the value of a random ranking, or of flagging at random; `about` explains the
    metric in one sentence.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool | None
    value: Callable[[ClassCase], Value]
    chance: Callable[[ClassCase], Value]
    about: str


def _at(k: int) -> list[Metric]:
    mf = Metric(
        f"mf_at_{k}",
        f"MF@{k}",
        "share",
        higher_is_better=UP,
        value=lambda c: minority_fraction(c.ranking, k),
        chance=lambda c: c.base if k <= len(c.h) else None,
        about=f"Share of the planted minority among the {k} hardest examples of a class.",
    )
    chance_corrected = Metric(
        f"kappa_at_{k}",
        f"κ@{k}",
        "",
        higher_is_better=UP,
        value=lambda c: kappa(c.ranking, k),
        chance=lambda c: 0.0 if k < len(c.h) else None,
        about=f"MF@{k} on a scale on which chance is 0 and the ideal order 1.",
    )
    return [mf, chance_corrected]


def _within(c: ClassCase, *, errors: bool) -> tuple[Floats, Bools] | None:
    """Return hardness and group of the wrong (or the right) examples.

    None unless they hold minority and majority.
    """
    if c.wrong is None:
        return None
    rows = c.wrong if errors else ~c.wrong
    g = c.g[rows]
    return (c.h[rows], g) if 0 < g.sum() < len(g) else None


def _ap_within(*, errors: bool) -> tuple[Callable[[ClassCase], Value], Callable[[ClassCase], Value]]:
    def value(c: ClassCase) -> Value:
        part = _within(c, errors=errors)
        return None if part is None else average_precision(Ranking.of(*part))

    def chance(c: ClassCase) -> Value:
        part = _within(c, errors=errors)
        return None if part is None else expected_ap(len(part[1]), int(part[1].sum()))

    return value, chance


def _rate(c: ClassCase) -> Value:
    return None if c.flagged is None else float(c.flagged.mean())


def _precision(c: ClassCase) -> Value:
    return None if c.flagged is None or not c.flagged.any() else float(c.g[c.flagged].mean())


def _recall(c: ClassCase) -> Value:
    return None if c.flagged is None or not c.flagged.any() else float(c.flagged[c.g].mean())


def _f1(c: ClassCase) -> Value:
    precision, recall = _precision(c), _recall(c)
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _gain(c: ClassCase) -> Value:
    """Compute precision minus P(g | error): the gain of flagging over looking at the errors."""
    precision = _precision(c)
    if precision is None or c.wrong is None or not c.wrong.any():
        return None
    return precision - float(c.g[c.wrong].mean())


def _if_flagged(chance: Callable[[ClassCase, float], Value]) -> Callable[[ClassCase], Value]:
    """Return the chance of flagging the same share at random.

    Like the metric itself it is None when nothing is flagged.
    """
    return lambda c: None if c.flagged is None or not c.flagged.any() else chance(c, float(c.flagged.mean()))


def _random_f1(c: ClassCase, rate: float) -> Value:
    return 2 * c.base * rate / (c.base + rate)


def _random_gain(c: ClassCase, _: float) -> Value:
    return c.base - float(c.g[c.wrong].mean()) if c.wrong is not None and c.wrong.any() else None


_ERRORS, _RIGHT = _ap_within(errors=True), _ap_within(errors=False)

_TABLE = [
    Metric(
        "namf", "nAMF", "", UP, lambda c: namf(c.ranking), lambda _: 0.0,
        "Area under the curve of the minority fraction among the K hardest, chance 0, ideal order 1: the primary metric.",
    ),
    *(metric for k in (10, 25, 50, 100) for metric in _at(k)),
    Metric(
        "mf_at_r", "MF@⌈πn⌉", "share", UP, lambda c: minority_fraction(c.ranking, c.ranking.m), lambda c: c.base,
        "Minority fraction among as many of the hardest as the minority has members.",
    ),
    Metric(
        "ap", "AP", "", UP, lambda c: average_precision(c.ranking), lambda c: expected_ap(c.ranking.n, c.ranking.m),
        "Average precision of hardness against the planted group, ties by expectation.",
    ),
    Metric(
        "ap_sklearn", "AP, scikit-learn", "", UP, lambda c: sklearn_ap(c.ranking),
        lambda c: expected_ap(c.ranking.n, c.ranking.m),
        "Average precision as scikit-learn computes it: lower where examples tie, below chance for a constant.",
    ),
    Metric(
        "auroc", "AUROC", "", UP, lambda c: auroc(c.ranking), lambda _: 0.5,
        "Probability that a minority example is ranked harder than another one.",
    ),
    Metric(
        "ap_within_errors", "AP | wrong", "", UP, *_ERRORS,
        about="Average precision among the base model's errors only: does the method know more than who is wrong?",
    ),
    Metric(
        "ap_within_correct", "AP | right", "", UP, *_RIGHT,
        about="Average precision among what the base model gets right: the group where it does not show.",
    ),
    Metric("flagged_rate", "flagged", "share", None, _rate, _rate, "Share of examples that the method flags."),
    Metric(
        "flagged_precision", "flagged precision", "share", UP, _precision, _if_flagged(lambda c, _: c.base),
        "Share of the minority among the flagged.",
    ),
    Metric(
        "flagged_recall", "flagged recall", "share", UP, _recall, _if_flagged(lambda _, rate: rate),
        "Share of the minority that is flagged.",
    ),
    Metric(
        "flagged_f1", "flagged F1", "", UP, _f1, _if_flagged(_random_f1),
        "Harmonic mean of flagged precision and recall.",
    ),
    Metric(
        "flagged_gain", "precision − P(g | error)", "share", UP, _gain, _if_flagged(_random_gain),
        "Flagged precision minus the minority share of the errors themselves: what flagging adds to a list of errors.",
    ),
]  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""The metric table: name → label, unit, direction, value and chance. Records hold these names."""
