"""Counts to rates, and what a row tells."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from slicebench.studies.controls.rates import control_rate, matched_bound, mean_estimate


@pytest.mark.parametrize(("hits", "n"), [(0, 100), (3, 100), (50, 100), (100, 100), (1, 1)])
def test_intervals_are_clopper_pearson(hits, n):
    rate = control_rate("C0", hits, n)
    assert (rate.hits, rate.replicates, rate.rate) == (hits, n, hits / n)
    assert (rate.low, rate.high) == pytest.approx(proportion_confint(hits, n, method="beta"), abs=1e-9)


def test_at_most_five_percent_of_the_null_pass_the_matched_bound():
    rng = np.random.default_rng(0)
    for n in (1, 19, 20, 100, 101, 1000):
        null = np.round(rng.random(n), 2).tolist()
        bound = matched_bound(null)
        passing = np.mean([p < bound for p in null])
        assert passing <= 0.05
        assert np.mean([p <= bound for p in null]) > 0.05, "a higher bound would pass too many"
    assert matched_bound([1.0] * 100) == 1.0


def test_the_mean_has_students_interval():
    rng = np.random.default_rng(0)
    draws = [mean_estimate(rng.normal(0.3, 1, 8).tolist()) for _ in range(2000)]
    assert np.mean([e.low <= 0.3 <= e.high for e in draws]) == pytest.approx(0.95, abs=0.015)
    assert mean_estimate([0.5]).low is None
