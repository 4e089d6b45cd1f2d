"""The facts before any slice: errors by class, and the confusions that carry most of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.fold_tests import exact_p
from slicebench.metrics.slices.significance import MIN_EFFECT
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
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


def facts_of(examples: Examples) -> Facts:
    """Compute the facts; classes are sorted by falling error rate."""
    outcome = examples.losses.astype(np.float64) if examples.wrong is None else examples.wrong.astype(np.float64)
    errors = examples.schema.outcomes.errors
    return Facts(
        n=examples.n,
        rate=float(outcome.mean()),
        classes=_classes(outcome, examples) if len(np.unique(examples.labels)) > 1 else (),
        confusions=_confusions(examples),
        bias=None if errors is None else float(errors.mean()),
        **_calibration(examples),
    )


def _calibration(examples: Examples) -> dict[str, float]:
    """Compare the probability of the predicted class with how often it is right, in `CALIBRATION_BINS` bins of equal width."""
    probs = examples.whole.probs
    if probs is None or examples.wrong is None:
        return {}
    confidence = probs.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, weights=confidence - ~examples.wrong)
    return {"confidence": float(confidence.mean()), "calibration_error": float(np.abs(gap).sum() / examples.n)}


def _classes(outcome: NDArray[np.float64], examples: Examples) -> tuple[ClassFact, ...]:
    there = np.unique(examples.labels)
    size = np.bincount(examples.labels)[there]
    total = np.bincount(examples.labels, weights=outcome)[there].astype(np.float64)
    rate, others = total / size, (total.sum() - total) / (examples.n - size)
    low, high = _interval(outcome, examples, there, total, size)
    worse = _worse(examples, total, size, rate - others)
    order = np.argsort(-rate, kind="stable")
    return tuple(
        ClassFact(
            examples.class_names[there[i]],
            int(size[i]),
            float(rate[i]),
            float(low[i]),
            float(high[i]),
            float(others[i]),
            bool(worse[i]),
        )
        for i in order
    )


def _interval(
    outcome: NDArray[np.float64],
    examples: Examples,
    there: NDArray[np.int64],
    total: NDArray[np.float64],
    size: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's limits for rates, Student's for means."""
    from scipy.stats import t as student
    from statsmodels.stats.proportion import proportion_confint

    if examples.wrong is not None:
        low, high = proportion_confint(total, size, method="wilson")
        return low, high
    deviation = np.array([outcome[examples.labels == c].std() for c in there])
    margin = student.ppf(0.975, np.maximum(size - 1, 1)) * deviation / np.sqrt(np.maximum(size - 1, 1))
    return total / size - margin, total / size + margin


def _worse(
    examples: Examples, total: NDArray[np.float64], size: NDArray[np.intp], gap: NDArray[np.float64]
) -> NDArray[np.bool_]:
    if examples.wrong is None or examples.groups is not None:
        return np.zeros(len(size), dtype=bool)
    errors, n = np.array([int(total.sum())]), np.array([examples.n])
    p = [exact_p(np.array([int(t)]), np.array([int(s)]), errors, n) for t, s in zip(total, size, strict=True)]
    worse: NDArray[np.bool_] = (holm(np.array(p)) <= ALPHA) & (gap >= MIN_EFFECT)
    return worse


def _confusions(examples: Examples) -> tuple[Confusion, ...]:
    if examples.predicted is None or examples.wrong is None or len(examples.class_names) < 3:
        return ()
    rows = np.flatnonzero(examples.wrong)
    pairs, count = np.unique(
        np.stack([examples.labels[rows], examples.predicted[rows]], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-count, kind="stable")[:MOST_CONFUSIONS]
    return tuple(
        Confusion(examples.class_names[a], examples.class_names[b], int(count[i]), float(count[i] / len(rows)))
        for i, (a, b) in ((int(i), pairs[i]) for i in order)
        if count[i] >= LEAST_SHARE * len(rows)
    )
