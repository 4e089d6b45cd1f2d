"""Compare methods: intervals on one problem, and tests over many."""

from __future__ import annotations

from slicebench.metrics.statistics.bootstrap import (
    DRAWS,
    Interval,
    Sampled,
    SeedScores,
    interval_of_mean,
    interval_over_seeds,
    sampled_problem,
)
from slicebench.metrics.statistics.comparison import (
    ALPHA,
    FEW_UNITS,
    PairTest,
    cliques,
    compare_pairs,
    critical_difference,
    family_p,
    friedman_p,
    holm,
    interval_over_units,
    paired_p,
    ranks,
    ranks_without,
    winner_shares,
)

__all__ = [
    "ALPHA",
    "DRAWS",
    "FEW_UNITS",
    "Interval",
    "PairTest",
    "Sampled",
    "SeedScores",
    "cliques",
    "compare_pairs",
    "critical_difference",
    "family_p",
    "friedman_p",
    "holm",
    "interval_of_mean",
    "interval_over_seeds",
    "interval_over_units",
    "paired_p",
    "ranks",
    "ranks_without",
    "sampled_problem",
    "winner_shares",
]
