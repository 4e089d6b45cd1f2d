"""When one method is better than another: intervals on one problem, and comparisons over many."""

from slicebench.statistics.bootstrap import (
    DRAWS,
    Interval,
    Sampled,
    SeedScores,
    interval_of_mean,
    interval_over_seeds,
    sampled_problem,
)
from slicebench.statistics.comparison import (
    ALPHA,
    FEW_UNITS,
    PairTest,
    cliques,
    compare_pairs,
    critical_difference,
    friedman_p,
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
    "friedman_p",
    "interval_of_mean",
    "interval_over_seeds",
    "interval_over_units",
    "paired_p",
    "ranks",
    "ranks_without",
    "sampled_problem",
    "winner_shares",
]
