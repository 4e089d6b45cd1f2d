"""Methods compared over units: against direct computations, published figures and SciPy."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, wilcoxon
from statsmodels.stats.multitest import multipletests

from slicebench.metrics.statistics import (
    cliques,
    compare_pairs,
    critical_difference,
    differences,
    families_needed,
    family_p,
    friedman,
    holm,
    interval_over_units,
    paired_p,
    ranks,
    ranks_without,
    winner_shares,
)

NAN = float("nan")


def table(rng, units=22, shifts=(0.3, 0.28, 0.0)):
    return rng.normal(0.5, 0.1, (units, 1)) + np.array(shifts) + rng.normal(0, 0.05, (units, len(shifts)))


def test_ranks_share_ties_and_give_missing_cells_the_worst():
    found = ranks(np.array([[0.9, 0.5, 0.5, 0.1], [NAN, 0.1, 0.2, NAN]]))
    assert found.tolist() == [[1, 2.5, 2.5, 4], [4, 2, 1, 4]]


def test_ranks_without_a_family():
    values = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    least, most = ranks_without(values, ["a", "a", "b"])
    assert (least.tolist(), most.tolist()) == ([1.0, 1.0], [2.0, 2.0])
    least, most = ranks_without(values, ["a", "a", "a"])  # one family: nothing can be left out
    np.testing.assert_allclose(least, [4 / 3, 5 / 3])
    np.testing.assert_allclose(least, most)


def test_few_units_flip_every_sign():
    rng = np.random.default_rng(0)
    for units in (2, 5, 9):
        d = rng.normal(0.3, 1, units)
        flips = np.array(list(product((1, -1), repeat=units))) @ d
        assert paired_p(d) == pytest.approx((np.abs(flips) >= abs(d.sum()) - 1e-12).mean())
    assert paired_p(np.ones(5)) == pytest.approx(2 / 32)
    assert paired_p(np.zeros(5)) == 1
    assert paired_p(np.r_[np.zeros(20), 1, 1, 1]) == 2 / 8, "zeros do not make three differences many"
    assert paired_p(np.r_[np.zeros(20), 1]) == 1


def test_rounding_errors_are_no_differences():
    """Wilcoxon's ranks would make p = 0.0005 of twelve differences of 1e-16."""
    dust = 0.3 + 1e-16 * np.arange(1, 13)[:, None] * np.array([0, 1, 2])
    values = np.column_stack([np.full(12, 0.3), np.full(12, 0.1 + 0.2), dust])
    assert paired_p(values[:, 1] - values[:, 0]) == 1
    assert (ranks(values) == 3).all()
    pairs = compare_pairs(values)
    assert all((p.p, p.a_better, p.b_better, p.difference.low) == (1, 0, 0, None) for p in pairs)
    assert set(family_p(values, [f"f{i % 4}" for i in range(12)], pairs)) == {1.0}
    assert friedman(values).p == 1


def test_many_units_take_wilcoxon_exactly():
    d = np.random.default_rng(1).normal(0.1, 1, 20)
    assert paired_p(d) == pytest.approx(wilcoxon(d, method="exact").pvalue)
    assert paired_p(d) == paired_p(-d)


def test_holm_over_all_pairs():
    pairs = compare_pairs(table(np.random.default_rng(2), units=12, shifts=(0.1, 0.08, 0.05, 0.0)))
    assert len(pairs) == 6
    ordered = sorted(pairs, key=lambda p: p.p)
    running = 0.0
    for k, pair in enumerate(ordered):
        running = max(running, min(1.0, (6 - k) * pair.p))
        assert pair.p_holm == pytest.approx(running)
        assert pair.a_better + pair.b_better == 12
        assert pair.difference.low < pair.difference.mean < pair.difference.high


def test_holm_is_statsmodels():
    rng = np.random.default_rng(1)
    for m in (1, 2, 7, 30):
        p = rng.random(m) ** 3
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm(np.array([0.01, 0.01, 0.5])).tolist() == pytest.approx([0.03, 0.03, 0.5])
    assert holm(np.zeros(0)).shape == (0,)


def test_pairs_are_compared_on_the_units_that_both_have():
    values = table(np.random.default_rng(3))
    values[4, 1] = NAN
    pairs = {(p.a, p.b): p for p in compare_pairs(values)}
    assert list(pairs) == [(0, 1), (0, 2), (1, 2)]
    kept = np.delete(values, 4, axis=0)
    assert pairs[0, 1].difference.mean == pytest.approx((kept[:, 0] - kept[:, 1]).mean())
    assert pairs[0, 2].difference.mean == pytest.approx((values[:, 0] - values[:, 2]).mean())
    values[1:, 1] = NAN
    assert [(p.a, p.b) for p in compare_pairs(values)] == [(0, 2)], "one unit is no sample"
    assert compare_pairs(values[:, :1]) == []
    assert compare_pairs(values[:1]) == []


def test_a_unit_is_the_mean_of_the_problems_that_both_methods_have():
    values = np.array([[0.9, 0.1], [0.5, NAN], [0.4, 0.3], [0.6, 0.2], [NAN, 0.9]])
    units = ["a", "a", "b", "b", "c"]
    assert differences(values, units, [(0, 1)])[:, 0].tolist() == [
        pytest.approx(0.8),
        pytest.approx(0.25),
        pytest.approx(NAN, nan_ok=True),
    ]
    (pair,) = compare_pairs(values, units)
    assert (pair.difference.mean, pair.a_better, pair.b_better) == (pytest.approx(0.525), 2, 0)


def test_families_count_once():
    """Units of one family that agree are no more evidence than one of them."""
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(8)
    values = np.repeat(rng.normal(0.5, 0.1, (4, 2)) + np.array([0.1, 0.0]), 6, axis=0)
    families = [f"f{i // 6}" for i in range(24)]
    pairs = compare_pairs(values)
    means = values[::6]
    assert family_p(values, families, pairs) == [pytest.approx(ttest_1samp(means[:, 0] - means[:, 1], 0).pvalue)]
    assert pairs[0].p < 0.01
    assert family_p(values, ["a"] * 12 + ["b"] * 12, pairs) == [None]
    assert family_p(np.ones((24, 2)), families, compare_pairs(np.ones((24, 2)))) == [1.0]


def test_friedman_of_many_is_iman_davenport_of_scipys():
    u, m = 12, 5
    values = table(np.random.default_rng(4), units=u, shifts=(0.03, 0.02, 0.01, 0.0, 0.0))
    chi2 = friedmanchisquare(*values.T).statistic
    from scipy.stats import f

    assert friedman(values).p == pytest.approx(f.sf((u - 1) * chi2 / (u * (m - 1) - chi2), m - 1, (m - 1) * (u - 1)))
    assert friedman(values).how == "Iman and Davenport's form"
    assert friedman(np.ones((12, 5))).p == 1
    assert friedman(np.tile(np.arange(5.0), (12, 1))).p == 0


@pytest.mark.parametrize("units", [2, 3, 4])
def test_friedman_of_few_counts_permutations(units):
    values = np.random.default_rng(units).normal(size=(units, 3))
    spread = lambda table: ranks(table).mean(axis=0).var()
    orders = product(permutations(range(3)), repeat=units)
    again = [spread(np.take_along_axis(values, np.array(order), axis=1)) for order in orders]
    found = friedman(values)
    assert found.p == pytest.approx(np.mean(np.array(again) >= spread(values) - 1e-12))
    assert found.how == "permutations of the ranks within units"
    assert friedman(np.tile([3.0, 2.0, 1.0], (units, 1))).p == pytest.approx(6 / 6**units)
    assert friedman(np.ones((units, 3))).p == 1


def test_friedman_says_why_there_is_none():
    values = np.array([[0.9, 0.5, NAN, NAN], [0.8, 0.4, 0.6, 0.5]])
    assert friedman(values).p is None
    assert friedman(values).how == "no test: fewer than three methods have every unit"
    assert friedman(values[1:]).how == "no test: there is one unit"
    three = np.array([[0.9, 0.5, 0.7, NAN], [0.8, 0.4, 0.6, 0.5]])
    assert friedman(three).p == friedman(three[:, :3]).p == pytest.approx(1 / 6), "a missing cell is no worst rank"


def test_families_that_a_verdict_needs():
    for pairs, needed in ((1, 6), (15, 10), (210, 14)):
        assert families_needed(pairs) == needed
        assert pairs * paired_p(np.ones(min(needed, 9))) < 0.05 or needed > 9
        assert pairs * 2 / 2 ** (needed - 1) > 0.05


def test_two_units_have_students_interval():
    """Resamples of two units have three means, and their quantiles covered 91.5 %."""
    from scipy.stats import t

    for values in (np.array([0.1, 0.3]), np.array([0.1, 0.3, 0.2, 0.7, 0.0])):
        found = interval_over_units(values)
        expected = t.interval(0.95, len(values) - 1, values.mean(), values.std(ddof=1) / np.sqrt(len(values)))
        assert (found.low, found.high) == pytest.approx(expected)
    assert interval_over_units(np.array([0.2, 0.2])).low is None


def test_critical_differences_of_the_literature():
    """Demšar 2006, table 5: q = 2.569 for four methods, 2.850 for six."""
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)
    assert critical_difference(6, 6) == pytest.approx(3.08, abs=0.005)
    assert critical_difference(6, 20) == pytest.approx(1.69, abs=0.005)


def test_cliques_are_runs_of_neighbours():
    rng = np.random.default_rng(5)
    values = table(rng, units=20, shifts=(0.5, 0.49, 0.2, 0.19, 0.0))
    means = ranks(values).mean(axis=0)
    assert cliques(means, compare_pairs(values)) == [(0, 1), (2, 3)]
    assert cliques(means[:2], compare_pairs(values[:, :2])) == [(0, 1)]
    assert cliques(means, []) == []


def test_the_interval_over_units_is_about_students():
    from scipy.stats import t

    values = np.random.default_rng(6).normal(0.1, 1, 25)
    found = interval_over_units(values)
    low, high = t.interval(0.95, 24, values.mean(), values.std(ddof=1) / 5)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))
    again = interval_over_units(values)
    assert (found.low, found.high) == (again.low, again.high)


def test_winners():
    draws = np.zeros((3, 2, 400))
    draws[:, 0] = 1
    assert winner_shares(draws).tolist() == [1, 0]
    draws[:, 1] = 1
    assert winner_shares(draws).tolist() == [0.5, 0.5]
    draws[0, 0], draws[1:, 0] = 5, 0  # ahead on one unit of three: wins if that unit is drawn at all
    assert winner_shares(draws)[0] == pytest.approx(1 - (2 / 3) ** 3, abs=0.05)
