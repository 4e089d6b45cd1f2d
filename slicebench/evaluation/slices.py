"""Bring a method's slices into one form and measure them.

A method may return memberships or only flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.evaluation.record import SliceFinding, SliceOutcome
from slicebench.metrics.slices import SLICE_METRICS, Contrast, SliceCase, contrasts, mean_known

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth
    from slicebench.metrics.slices import SliceMetric
    from slicebench.plugins.method import SliceScores


MOSTLY = 0.5
"""Least share of a slice's members in a planted group for the slice to be about that group."""


@dataclass(frozen=True, eq=False)
class Slices:
    """k slices of n examples, the most suspicious first.

    `soft` (n, k) float32 orders the examples within a slice, `hard` (n, k) bool marks its members,
    and `names` are k strings. k may be 0, and a slice may be empty.
    """

    soft: NDArray[np.float32]
    hard: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def k(self) -> int:
        """Number of slices."""
        return int(self.hard.shape[1])


def returned_slices(scores: SliceScores, split: Split, class_names: tuple[str, ...] = ()) -> Slices:
    """Return the slices in `scores` of the examples of `split`.

    Soft memberships are used unchanged. The members of such a slice are its strongest examples, as
    many as its memberships add up to. (With a threshold of one half, a spotlight, whose weights
    decrease from its centre, would have no members.) A method that only flags examples returns one
    slice per class: the flagged examples, ordered by the rank of their hardness. A method with only
    hardness returns no slices.
    """
    if scores.membership is not None:
        k = scores.membership.shape[1]
        names = scores.names or tuple(f"slice {j + 1}" for j in range(k))
        return Slices(scores.membership, strongest(scores.membership), names)
    if scores.flagged is None:
        return Slices(np.zeros((split.n, 0), np.float32), np.zeros((split.n, 0), bool), ())
    classes = list(split.by_class())
    soft, hard = np.zeros((split.n, len(classes)), np.float32), np.zeros((split.n, len(classes)), bool)
    for j, (_, rows) in enumerate(classes):
        soft[rows, j] = _rank_share(scores.hardness[rows])
        hard[rows, j] = scores.flagged[rows]
    return Slices(
        soft, hard, tuple(f"flagged {class_names[c]}" if c < len(class_names) else "flagged" for c, _ in classes)
    )


def measure_slices(
    scores: SliceScores, test: Split, truth: PlantedTruth, class_names: tuple[str, ...] = ()
) -> SliceOutcome | None:
    """Compute all slice metrics and describe each slice.

    Returns None if the method reports neither slices nor flags.

    Metrics within a class are averaged over the classes that contain members and non-members of a
    group, then over groups. Groups that are absent from `test` do not count. If nothing is planted,
    only redundancy, the errors covered and the Δ of the slices are defined. The order of rows does
    not matter: halves are drawn by id.

    Δ is unbiased only if the method does not use the outcomes of the test examples to find slices.
    """
    if scores.membership is None and scores.flagged is None:
        return None
    return measured(returned_slices(scores, test, class_names), test, truth)


def measured(found: Slices, test: Split, truth: PlantedTruth) -> SliceOutcome:
    """Compute the outcome of `measure_slices` for given slices."""
    by_id = np.argsort(test.ids)
    groups, classes = truth.groups_of(test.ids)[by_id], _classes(test)[by_id]
    present: NDArray[np.bool_] = np.any(groups, axis=0)
    names = [name for name, there in zip(truth.group_names, present, strict=True) if there]
    wrong = None if test.correct is None else ~test.correct[by_id]
    everywhere = SliceCase(found.soft[by_id], found.hard[by_id], groups[:, present], wrong)
    within = _class_cases(everywhere, classes)
    numbers = {name: _measured(metric, everywhere, within) for name, metric in SLICE_METRICS.items()}
    return SliceOutcome(
        metrics={name: value for name, (value, _) in numbers.items()},
        chance={name: chance for name, (_, chance) in numbers.items()},
        k=found.k,
        per_slice=_findings(found.names, everywhere, classes, names),
    )


def _classes(split: Split) -> NDArray[np.int64]:
    """Return the class of each example; a task without classes counts as one class."""
    return np.zeros(split.n, dtype=np.int64) if split.labels is None else split.labels


def _class_cases(case: SliceCase, classes: NDArray[np.int64]) -> list[tuple[NDArray[np.bool_], SliceCase]]:
    """Return, per class, a mask of groups, (g,), and a `SliceCase` of these groups.

    Groups that contain none or all of the class are left out.
    """
    cases = []
    for c in np.unique(classes):
        rows = np.flatnonzero(classes == c)
        share = case.groups[rows].mean(axis=0)
        tellable = (share > 0) & (share < 1)
        if tellable.any():
            inside = case.groups[np.ix_(rows, tellable)]
            cases.append((tellable, SliceCase.of_class(case.soft[rows], case.hard[rows], inside)))
    return cases


def _measured(
    metric: SliceMetric, everywhere: SliceCase, within: list[tuple[NDArray[np.bool_], SliceCase]]
) -> tuple[float | None, float | None]:
    """Compute value and chance of a metric; chance is None if the value is."""
    if not metric.within_class:
        value, chance = metric.value(everywhere), metric.chance(everywhere)
        return _number(value), _number(np.where(np.isnan(value), np.nan, chance))
    values = np.full((len(within), everywhere.groups.shape[1]), np.nan)
    chances = values.copy()
    for row, (groups, case) in enumerate(within):
        values[row, groups] = metric.value(case)
        chances[row, groups] = np.where(np.isnan(values[row, groups]), np.nan, metric.chance(case))
    return _number(mean_known(mean_known(values))), _number(mean_known(mean_known(chances)))


def _findings(
    names: tuple[str, ...], case: SliceCase, classes: NDArray[np.int64], group_names: list[str]
) -> tuple[SliceFinding, ...]:
    """Describe each slice; what depends on errors is None if errors are not known."""
    unknown = np.full(len(names), np.nan)
    of_errors = Contrast(*[unknown] * 4) if case.wrong is None else contrasts(case.hard, case.wrong, classes)
    size = case.hard.sum(axis=0)
    share = (case.hard.T.astype(np.float64) @ case.groups) / np.maximum(size, 1)[:, None]
    return tuple(
        SliceFinding(
            name=name,
            size=int(size[j]),
            error_rate=_number(of_errors.error_rate[j]),
            delta=_number(of_errors.delta[j]),
            low=_number(of_errors.low[j]),
            high=_number(of_errors.high[j]),
            group=group_names[int(share[j].argmax())] if group_names and share[j].max() >= MOSTLY else None,
        )
        for j, name in enumerate(names)
    )


def _number(value: float | NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)


def strongest(membership: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the round(Σ) largest entries of each column, (n, k) bool.

    An entry of 0 is never marked; all entries tied with the last one are.
    """
    n, k = membership.shape
    size = np.rint(membership.sum(axis=0, dtype=np.float64)).astype(np.intp)
    falling = -np.sort(-membership, axis=0)
    least = falling[np.clip(size - 1, 0, n - 1), np.arange(k)]
    members: NDArray[np.bool_] = (membership >= least) & (membership > 0) & (size > 0)
    return members


def _rank_share(hardness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mean rank of each value among n, over n: in (0, 1], equal for equal values."""
    from scipy.stats import rankdata

    share: NDArray[np.float64] = rankdata(hardness) / len(hardness)
    return share
