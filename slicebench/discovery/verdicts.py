"""Test which slices are significant.

On held-out examples, a significant slice has a higher error rate or mean loss than the rest of its
class. The difference is large enough to matter and not due to chance.

Error rates are tested as in the controls (`metrics.slices.significance`): by Fisher's one-sided
test, with Newcombe's interval. If there are only losses, Welch's test compares their means. Holm's
correction runs over all slices of all methods that are shown together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.metrics.slices import contrasts
from slicebench.metrics.slices.clustered import clustered
from slicebench.metrics.slices.significance import MIN_EFFECT, MIN_SUPPORT, judged_parts
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from slicebench.data.split import Split

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


MIN_LOSS_EFFECT = 0.2
"""Least difference in mean loss, in standard deviations of the class's losses: Cohen's "small"."""


@dataclass(frozen=True)
class Verdict:
    """Test of one slice within one class, on held-out examples.

    `slice` and `class_number` say which slice it is, and `support` counts its members. `rate` and
    `rest` are the error rates (or mean losses) of the slice and of the rest of the class. `delta` is
    their difference, and `low` and `high` are its 95% interval. `p` is one-sided; `p_holm` is the
    same after Holm's correction.

    `stands` is true if the slice is significant: `p_holm` is at most `ALPHA`, and `delta` is at
    least `MIN_EFFECT` (for losses, `MIN_LOSS_EFFECT` standard deviations of the class's losses).
    """

    slice: int
    class_number: int
    support: int
    rate: float
    rest: float
    delta: float
    low: float
    high: float
    p: float
    p_holm: float
    stands: bool


def judged(hard: Bools, test: Split, groups: NDArray[np.intp] | None = None) -> list[Verdict]:
    """Test each slice, `hard` (n, k) bool, in each class where it has support.

    It needs at least 20 members there, and examples outside it to compare them with. `groups` (n,) number examples that belong
    together; the test then counts groups, not examples.
    """
    return _by_errors(hard, test, groups) if test.correct is not None else _by_losses(hard, test, groups)


def _by_errors(hard: Bools, test: Split, groups: NDArray[np.intp] | None) -> list[Verdict]:
    assert test.correct is not None
    parts, out = judged_parts(hard, test, groups), list[Verdict]()
    wrong = ~test.correct
    for c, rows in test.by_class():
        at = np.flatnonzero(parts.in_class(c))
        inside = hard[np.ix_(rows, parts.slices[at])]
        design = None if groups is None or not len(at) else clustered(inside, wrong[rows], groups[rows]).design
        found = contrasts(inside, wrong[rows], np.zeros(len(rows), dtype=np.intp), design)
        for j, i in enumerate(at):
            out.append(
                Verdict(
                    slice=int(parts.slices[i]),
                    class_number=c,
                    support=int(parts.support[i]),
                    rate=float(found.error_rate[j]),
                    rest=float(found.error_rate[j] - found.delta[j]),
                    delta=float(found.delta[j]),
                    low=float(found.low[j]),
                    high=float(found.high[j]),
                    p=float(parts.p[i]),
                    p_holm=float(parts.p_holm[i]),
                    stands=bool(parts.p_holm[i] <= ALPHA and parts.effect[i] >= MIN_EFFECT),
                )
            )
    return out


def _by_losses(hard: Bools, test: Split, groups: NDArray[np.intp] | None) -> list[Verdict]:
    found = [*_parts_by_losses(hard, test, groups)]
    spread = {c: float(test.losses[rows].std()) for c, rows in test.by_class()}
    corrected = holm(np.array([about["p"] for _, _, about in found]))
    return [
        Verdict(
            slice=j,
            class_number=c,
            p_holm=float(p),
            stands=bool(p <= ALPHA and about["delta"] >= MIN_LOSS_EFFECT * spread[c]),
            **about,
        )
        for (c, j, about), p in zip(found, corrected, strict=True)
    ]


def _parts_by_losses(
    hard: Bools, test: Split, groups: NDArray[np.intp] | None
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield class, slice and comparison of every slice with support."""
    for c, rows in test.by_class():
        losses, inside = test.losses[rows].astype(np.float64), hard[rows]
        for j in np.flatnonzero((inside.sum(axis=0) >= MIN_SUPPORT) & (len(rows) - inside.sum(axis=0) > 1)):
            members = inside[:, j]
            if groups is None:
                yield c, int(j), _compared(losses, members, 1.0)
                continue
            both = clustered(members[:, None], losses, groups[rows])
            if members.sum() / both.design[0] >= MIN_SUPPORT:
                about = _compared(losses, members, float(both.design[0]))
                yield c, int(j), about | {"p": max(about["p"], float(both.p[0]))}


def _compared(losses: Floats, members: Bools, design: float) -> dict[str, Any]:
    """Compute means, their difference with its interval, and Welch's one-sided p.

    Each side counts as its size divided by the design effect. If losses do not vary within either side, p is 0 for a higher mean
    inside and 1 otherwise.
    """
    from scipy.stats import t as student

    inside, outside = losses[members], losses[~members]
    rate, rest = float(inside.mean()), float(outside.mean())
    about = {"support": len(inside), "rate": rate, "rest": rest, "delta": rate - rest}
    if np.ptp(inside) == 0 and np.ptp(outside) == 0:
        return about | {"low": rate - rest, "high": rate - rest, "p": 1.0 if rate <= rest else 0.0}
    sizes = np.array([len(inside), len(outside)]) / design
    parts = np.array([inside.var(ddof=1), outside.var(ddof=1)]) / sizes
    error, dof = np.sqrt(parts.sum()), parts.sum() ** 2 / (parts**2 / (sizes - 1)).sum()
    margin = student.ppf(0.975, dof) * error
    return about | {
        "low": rate - rest - float(margin),
        "high": rate - rest + float(margin),
        "p": float(student.sf((rate - rest) / error, dof)),
    }
