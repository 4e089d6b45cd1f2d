"""The facts before any slice: errors by class, and the confusions that carry most of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.fold_tests import exact_p
from slicebench.metrics.slices.significance import MIN_EFFECT
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.reading.examples import Examples


MOST_CONFUSIONS = 5
CALIBRATION_BINS = 15
LEAST_SHARE = 0.05
"""Least share of all errors of a confusion that is listed."""


@dataclass(frozen=True)
class ClassFact:
    """Examples of one class, their error rate (or mean loss) with its 95% interval, and that of all other classes.

    `worse` is true if the rate is higher than the others' by `MIN_EFFECT` or more, and significantly so: Fisher's one-sided
    test with Holm's correction over classes. It is false for losses.
    """

    name: str
    size: int
    rate: float
    low: float
    high: float
    others: float
    worse: bool


@dataclass(frozen=True)
class Confusion:
    """A class that is taken for another, and the share of all errors that this is."""

    label: str
    prediction: str
    count: int
    share: float


@dataclass(frozen=True)
class Facts:
    """Facts about all examples.

    `rate` is the error rate or mean loss. `bias` is the mean of prediction minus truth of a regression, or None. `confidence` and
    `calibration_error` are the mean probability of the predicted class and the expected calibration error (Guo et al. 2017, "On
    calibration of modern neural networks"), or None without probabilities.
    """

    n: int
    rate: float
    classes: tuple[ClassFact, ...]
    confusions: tuple[Confusion, ...]
    bias: float | None
    confidence: float | None = None
    calibration_error: float | None = None

    @property
    def worse(self) -> tuple[ClassFact, ...]:
        """The classes that are significantly worse than the others, the worst first."""
        return tuple(one for one in self.classes if one.worse)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sums:
    """What facts need of some rows; those of several parts of a table add up.

    `size`, `total` and `squares` (C,) are of each class: rows, and the sums of outcome - `centre` and of its square. The
    centre is any number near the outcomes. `pairs` counts errors by class * C + predicted class. `errors` is the sum of
    prediction minus truth; `confidence` that of the probability of the predicted class, and `gaps` (`CALIBRATION_BINS`,) that
    of confidence minus right answers. They are None where they are not known.
    """

    centre: float
    size: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    pairs: Counter[int] | None
    errors: float | None
    confidence: float | None
    gaps: NDArray[np.float64] | None

    @classmethod
    def of(
        cls,
        outcome: NDArray[np.float64],
        labels: NDArray[np.int64],
        n_classes: int,
        *,
        centre: float = 0.0,
        wrong: NDArray[np.bool_] | None = None,
        predicted: NDArray[np.int64] | None = None,
        errors: NDArray[np.float64] | None = None,
        probs: NDArray[np.float32] | None = None,
    ) -> Sums:
        """Sum over rows; arrays are (n,), and `probs` (n, C)."""
        over = outcome - centre
        pairs: Counter[int] | None = None
        confidence: float | None = None
        gaps: NDArray[np.float64] | None = None
        if wrong is not None and predicted is not None:
            found = np.unique(labels[wrong] * n_classes + predicted[wrong], return_counts=True)
            pairs = Counter(dict(zip(*(one.tolist() for one in found), strict=True)))
        if wrong is not None and probs is not None:
            own = probs.max(axis=1).astype(np.float64)
            bins = np.minimum((own * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
            confidence = float(own.sum())
            gaps = np.bincount(bins, weights=own - ~wrong, minlength=CALIBRATION_BINS).astype(np.float64)
        return cls(
            centre=centre,
            size=np.bincount(labels, minlength=n_classes),
            total=np.bincount(labels, weights=over, minlength=n_classes).astype(np.float64),
            squares=np.bincount(labels, weights=over**2, minlength=n_classes).astype(np.float64),
            pairs=pairs,
            errors=None if errors is None else float(errors.sum()),
            confidence=confidence,
            gaps=gaps,
        )

    def __add__(self, other: Sums) -> Sums:
        """Return the sums over the rows of both, which have one centre and know the same."""
        return Sums(
            centre=self.centre,
            size=self.size + other.size,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            pairs=None if self.pairs is None or other.pairs is None else self.pairs + other.pairs,
            errors=None if self.errors is None or other.errors is None else self.errors + other.errors,
            confidence=None
            if self.confidence is None or other.confidence is None
            else self.confidence + other.confidence,
            gaps=None if self.gaps is None or other.gaps is None else self.gaps + other.gaps,
        )


def facts_of(examples: Examples) -> Facts:
    """Compute the facts; classes are sorted by falling error rate."""
    outcome = examples.losses.astype(np.float64) if examples.wrong is None else examples.wrong.astype(np.float64)
    sums = Sums.of(
        outcome,
        examples.labels,
        len(examples.class_names),
        centre=0.0 if examples.wrong is not None else float(outcome.mean()),
        wrong=examples.wrong,
        predicted=examples.predicted,
        errors=examples.schema.outcomes.errors,
        probs=examples.whole.probs,
    )
    return facts_from(sums, examples.class_names, rates=examples.wrong is not None, grouped=examples.groups is not None)


def facts_from(sums: Sums, class_names: Sequence[str], *, rates: bool, grouped: bool) -> Facts:
    """Compute the facts from sums. `rates` is true for errors, false for losses; `grouped` if rows belong together."""
    n = int(sums.size.sum())
    there = np.flatnonzero(sums.size)
    known = sums.confidence is not None and sums.gaps is not None
    return Facts(
        n=n,
        rate=float(sums.centre + sums.total.sum() / n),
        classes=_classes(sums, there, class_names, rates=rates, grouped=grouped) if len(there) > 1 else (),
        confusions=_confusions(sums.pairs, class_names),
        bias=None if sums.errors is None else sums.errors / n,
        confidence=sums.confidence / n if known and sums.confidence is not None else None,
        calibration_error=float(np.abs(sums.gaps).sum() / n) if known and sums.gaps is not None else None,
    )


def _classes(
    sums: Sums, there: NDArray[np.intp], class_names: Sequence[str], *, rates: bool, grouped: bool
) -> tuple[ClassFact, ...]:
    size, total = sums.size[there], sums.total[there]
    rate = sums.centre + total / size
    others = sums.centre + (total.sum() - total) / (size.sum() - size)
    low, high = _interval(sums, there, rates=rates)
    worse = _worse(total, size, rate - others) if rates and not grouped else np.zeros(len(there), dtype=bool)
    order = np.argsort(-rate, kind="stable")
    return tuple(
        ClassFact(
            class_names[there[i]],
            int(size[i]),
            float(rate[i]),
            float(low[i]),
            float(high[i]),
            float(others[i]),
            bool(worse[i]),
        )
        for i in order
    )


def _interval(sums: Sums, there: NDArray[np.intp], *, rates: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's limits for rates, Student's for means."""
    from scipy.stats import t as student
    from statsmodels.stats.proportion import proportion_confint

    size, total = sums.size[there], sums.total[there]
    if rates:
        low, high = proportion_confint(total, size, method="wilson")
        return low, high
    deviation = np.sqrt(np.maximum(sums.squares[there] / size - (total / size) ** 2, 0))
    margin = student.ppf(0.975, np.maximum(size - 1, 1)) * deviation / np.sqrt(np.maximum(size - 1, 1))
    mean = sums.centre + total / size
    return mean - margin, mean + margin


def _worse(total: NDArray[np.float64], size: NDArray[np.int64], gap: NDArray[np.float64]) -> NDArray[np.bool_]:
    errors, n = np.array([int(total.sum())]), np.array([int(size.sum())])
    p = [exact_p(np.array([int(t)]), np.array([int(s)]), errors, n) for t, s in zip(total, size, strict=True)]
    worse: NDArray[np.bool_] = (holm(np.array(p)) <= ALPHA) & (gap >= MIN_EFFECT)
    return worse


def _confusions(pairs: Counter[int] | None, class_names: Sequence[str]) -> tuple[Confusion, ...]:
    """Return the commonest pairs of class and predicted class among the errors."""
    if not pairs or len(class_names) < 3:
        return ()
    wrong, n = sum(pairs.values()), len(class_names)
    common = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_CONFUSIONS]
    return tuple(
        Confusion(class_names[pair // n], class_names[pair % n], count, count / wrong)
        for pair, count in common
        if count >= LEAST_SHARE * wrong
    )
