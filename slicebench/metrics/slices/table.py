"""The table of slice metrics: name → label, unit, direction, value and chance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.ranking import UP
from slicebench.metrics.slices.coverage import full_discovery, redundancy
from slicebench.metrics.slices.matching import TOP, best_slices, expected_best, slice_tables, split_half

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


DOWN = False
"""Direction of a metric where lower is better."""

WITHIN, WHOLE = True, False
"""Whether a metric is computed on one class at a time, or on all examples."""

ROUNDING = 1e-9
"""Differences up to this size count as rounding errors."""

LAMBDAS = (0.5, 0.8)
"""λp and λr of discovery rates."""


@dataclass(frozen=True, eq=False)
class SliceCase:
    """Examples as the metrics see them: those of one class, or all.

    `groups` holds only groups that have members.
    """

    soft: NDArray[np.floating]
    hard: Bools
    groups: Bools
    wrong: Bools | None = None

    @classmethod
    def of_class(cls, soft: NDArray[np.floating], hard: Bools, groups: Bools) -> SliceCase:
        """Return the examples of one class, with the slices that have members in it.

        If there is none, they are replaced with one empty slice that ranks all examples alike. So a
        method without slices scores chance.
        """
        here = hard.any(axis=0)
        if not here.any():
            return cls(np.zeros((len(groups), 1)), np.zeros((len(groups), 1), dtype=bool), groups)
        return cls(soft[:, here], hard[:, here], groups)

    @property
    def base(self) -> Floats:
        """π of each group, (g,)."""
        share: Floats = self.groups.mean(axis=0)
        return share

    @cached_property
    def tables(self) -> dict[str, Floats]:
        """P@10, P@25, AP (also as scikit-learn does) and F1, (k, g) each."""
        return slice_tables(self.soft, self.hard, self.groups)

    @cached_property
    def best(self) -> dict[str, Floats]:
        """P@10, P@25, AP (also as scikit-learn does) and F1 of each group's slice with the highest AP, (g,) each."""
        return best_slices(self.tables)

    @property
    def highest(self) -> Floats:
        """Highest P@10 of any slice, (g,)."""
        found: Floats = self.tables["p_at_10"].max(axis=0)
        return found

    @cached_property
    def expected_highest(self) -> Floats:
        """E0, the expected highest P@10 of as many random slices, (g,)."""
        n, k = self.soft.shape
        counts = self.groups.sum(axis=0).tolist()
        return np.array([expected_best(n, m, k) if n >= TOP else np.nan for m in counts])

    @cached_property
    def matched(self) -> tuple[Floats, Floats]:
        """Split-half P@10 and κ@10, (g,) each."""
        return split_half(self.soft, self.groups)

    @cached_property
    def discoveries(self) -> dict[tuple[float, float], tuple[float, float]]:
        """DR and FDR by (λp, λr)."""
        filled = self.hard[:, self.hard.any(axis=0)]
        return {both: full_discovery(filled, self.groups, *both) for both in product(LAMBDAS, LAMBDAS)}


@dataclass(frozen=True)
class SliceMetric:
    """A row of the table.

    `value` and `chance` give one number per group, or one for all groups; NaN where undefined. A
    metric `within_class` is computed on one class at a time, the others on all examples. `chance`
    is the value for slices that are unrelated to the groups; it is NaN if it has no closed form.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    within_class: bool
    value: Callable[[SliceCase], Floats]
    chance: Callable[[SliceCase], Floats]
    about: str


def _unknown(_: SliceCase) -> Floats:
    return np.array(np.nan)


def _zero(_: SliceCase) -> Floats:
    return np.array(0.0)


def _corrected(c: SliceCase) -> Floats:
    """Compute P̃@10 = (P@10 - E0) / (1 - E0); NaN where chance alone reaches 1."""
    room = 1 - c.expected_highest
    return np.where(room > ROUNDING, (c.highest - c.expected_highest) / np.maximum(room, ROUNDING), np.nan)


def _coverage(c: SliceCase) -> Floats:
    if c.wrong is None or not c.wrong.any():
        return np.array(np.nan)
    return np.array(c.hard[c.wrong].any(axis=1).mean())


def _discovery_rates(precision: float, recall: float) -> list[SliceMetric]:
    key, shown = f"{precision * 10:.0f}_{recall * 10:.0f}", f"λp {precision:g}, λr {recall:g}"
    return [
        SliceMetric(
            f"discovery_rate_{key}", f"DR ({shown})", "share", UP, WHOLE,
            lambda c: np.array(c.discoveries[precision, recall][0]), _unknown,
            f"Share of the planted groups of which slices with {precision:.0%} of their members in it hold {recall:.0%}.",
        ),
        SliceMetric(
            f"false_discovery_rate_{key}", f"FDR ({shown})", "share", DOWN, WHOLE,
            lambda c: np.array(c.discoveries[precision, recall][1]), _unknown,
            "Share of slices that belong to no group, among the first that reach the full discovery rate.",
        ),
    ]  # fmt: skip


_TABLE = [
    SliceMetric(
        "matched_kappa_at_10", "κ@10, matched", "", UP, WITHIN, lambda c: c.matched[1], _zero,
        "P@10 of a group's slice, matched in one half of the examples and scored in the other; chance 0, best 1: the headline.",
    ),
    SliceMetric(
        "matched_p_at_10", "P@10, matched", "share", UP, WITHIN, lambda c: c.matched[0], lambda c: c.base,
        "Share of the group among the ten first of its slice, matched in one half and scored in the other.",
    ),
    SliceMetric(
        "corrected_p_at_10", "P̃@10", "", UP, WITHIN, _corrected, _zero,
        "Highest P@10 on a scale on which the best of as many random slices is 0; below 1 for groups of fewer than ten.",
    ),
    SliceMetric(
        "highest_p_at_10", "P@10, highest", "share", UP, WITHIN, lambda c: c.highest, lambda c: c.expected_highest,
        "Highest P@10 of any slice; grows with the number of slices, and so does its chance.",
    ),
    SliceMetric(
        "best_p_at_10", "P@10, best", "share", UP, WITHIN, lambda c: c.best["p_at_10"], _unknown,
        "P@10 of the slice with the highest AP, as in dcbench.",
    ),
    SliceMetric(
        "best_p_at_25", "P@25, best", "share", UP, WITHIN, lambda c: c.best["p_at_25"], _unknown,
        "P@25 of the slice with the highest AP, as in dcbench.",
    ),
    SliceMetric(
        "best_ap", "AP, best", "", UP, WITHIN, lambda c: c.best["ap"], _unknown,
        "Highest average precision of any slice, ties by expectation.",
    ),
    SliceMetric(
        "best_ap_sklearn", "AP, best, scikit-learn", "", UP, WITHIN, lambda c: c.tables["ap_sklearn"].max(axis=0), _unknown,
        "Highest average precision of any slice as scikit-learn computes it, as in dcbench; lower where memberships tie.",
    ),
    SliceMetric(
        "best_f1", "F1, best", "", UP, WITHIN, lambda c: c.best["f1"], _unknown,
        "F1 of the members of the slice with the highest AP, as in dcbench.",
    ),
    *(metric for both in product(LAMBDAS, LAMBDAS) for metric in _discovery_rates(*both)),
    SliceMetric(
        "redundancy", "redundancy", "", DOWN, WHOLE, lambda c: np.array(redundancy(c.hard)), _unknown,
        "Mean intersection over union of pairs of slices.",
    ),
    SliceMetric(
        "error_coverage", "errors covered", "share", UP, WHOLE, _coverage, lambda c: np.array(c.hard.any(axis=1).mean()),
        "Share of the base model's errors that lie in some slice; chance is the share of all examples that do.",
    ),
]  # fmt: skip

SLICE_METRICS: dict[str, SliceMetric] = {metric.name: metric for metric in _TABLE}
"""The table: name → label, unit, direction, value and chance. Records hold these names."""
