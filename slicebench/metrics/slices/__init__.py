"""Slice metrics: pure functions on arrays, and the table that names them.

Setting: n examples, k returned slices, g planted groups. `soft` (n, k) orders the examples within a slice, `hard` (n, k) bool
says which belong to it, `groups` (n, g) bool which are planted, `wrong` (n,) bool the base model's errors. Undefined is NaN.

`matching` compares rankings with groups, `coverage` sets of slices, `contrast` gives error rates against the rest of a class,
`significance` tests slices on a held-out split, and `table` lists what records hold.
"""

from __future__ import annotations

from slicebench.metrics.slices.contrast import Contrast, contrasts
from slicebench.metrics.slices.coverage import discoveries, full_discovery, redundancy
from slicebench.metrics.slices.matching import (
    best_slices,
    expected_best,
    mean_known,
    precision_at,
    slice_tables,
    split_half,
    with_complements,
)
from slicebench.metrics.slices.table import SLICE_METRICS, SliceCase, SliceMetric

__all__ = [
    "SLICE_METRICS",
    "Contrast",
    "SliceCase",
    "SliceMetric",
    "best_slices",
    "contrasts",
    "discoveries",
    "expected_best",
    "full_discovery",
    "mean_known",
    "precision_at",
    "redundancy",
    "slice_tables",
    "split_half",
    "with_complements",
]
