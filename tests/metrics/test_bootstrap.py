"""The bootstrap against a slow, direct one, and its properties."""

from __future__ import annotations

import time

import numpy as np
import pytest

from slicebench.errors import DataError
from slicebench.metrics.ranking import Ranking, namf
from slicebench.metrics.statistics import SeedScores, interval_of_mean, interval_over_seeds, sampled_problem
from slicebench.metrics.statistics.bootstrap import resample_counts, weighted_namf, welch_dof


def scores(rng, n=120, methods=("a", "b"), shift=0.6, decimals=None):
    labels, minority = rng.integers(3, size=n), rng.random(n) < 0.3
    hardness = {m: rng.normal(size=n) + shift * minority for m in methods}
    if decimals is not None:
        hardness = {m: np.round(h, decimals) for m, h in hardness.items()}
    return SeedScores(labels, minority, hardness)


@pytest.mark.parametrize("decimals", [None, 1, 0, -3])
def test_weighted_namf_is_the_namf_of_the_repeated_examples(decimals):
    rng = np.random.default_rng(1)
    for _ in range(20):
        n = int(rng.integers(4, 40))
        minority = rng.random(n) < 0.4
        minority[:2] = True, False
        h = rng.normal(size=n) + minority
        h = h if decimals is None else np.round(h, decimals)
        counts = np.empty((n, 7), dtype=np.int32)
        for stratum in (minority, ~minority):
            counts[stratum] = resample_counts(int(stratum.sum()), 7, rng)
        fast = weighted_namf(h, minority, counts)
        slow = [namf(Ranking.of(np.repeat(h, c), np.repeat(minority, c))) for c in counts.T]
        np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_resamples_have_the_size_and_spread_of_a_multinomial():
    counts = resample_counts(50, 4000, np.random.default_rng(0))
    assert (counts.sum(axis=0) == 50).all()
    assert counts.var() == pytest.approx(49 / 50, rel=0.03)


def test_the_interval_agrees_with_a_direct_bootstrap():
    rng = np.random.default_rng(2)
    seeds = [scores(rng, methods=("a",), shift=s) for s in (0.2, 0.6, 1.0)]
    fast = sampled_problem(seeds, 0, draws=4000)["a"]

    def macro(one, rows=None):
        out = []
        for member in one.classes():
            if rows is not None:
                g = one.minority[member]
                member = np.concatenate([rng.choice(member[g], g.sum()), rng.choice(member[~g], (~g).sum())])
            out.append(namf(Ranking.of(one.hardness["a"][member], one.minority[member])))
        return np.mean(out)

    slow = [np.mean([macro(seeds[s], rows=True) for s in rng.integers(3, size=3)]) for _ in range(1500)]
    assert fast.mean == pytest.approx(np.mean([macro(s) for s in seeds]), abs=1e-12)
    assert fast.draws().std() == pytest.approx(np.std(slow), rel=0.08)
    for q in (0.025, 0.5, 0.975):
        assert np.quantile(fast.draws(), q) == pytest.approx(np.quantile(slow, q), abs=0.025)


def test_the_variance_is_that_of_the_seeds_and_of_the_examples_where_there_is_one():
    rng = np.random.default_rng(7)
    apart = sampled_problem([scores(rng, n=600, methods=("a",), shift=s) for s in (0.0, 0.8, 1.6)], 0)["a"]
    assert apart.variance() == (pytest.approx(apart.values.var(ddof=1) / 3), 2)
    one = scores(rng, methods=("a",))
    (single,) = sampled_problem([one], 0).values()
    small = np.array([min(g.sum(), (~g).sum()) for g in (one.minority[rows] for rows in one.classes())])
    freedom = (small - 1).sum()
    variance = weighted_draws(one, 4000).var() * small.sum() / freedom
    assert single.variance() == (pytest.approx(variance, rel=0.1), freedom)


def weighted_draws(one, draws):
    rng = np.random.default_rng(8)
    total = np.zeros(draws)
    classes = list(one.classes())
    for rows in classes:
        g = one.minority[rows]
        counts = np.empty((len(rows), draws), dtype=np.int32)
        for stratum in (g, ~g):
            counts[stratum] = resample_counts(int(stratum.sum()), draws, rng)
        total += weighted_namf(one.hardness["a"][rows], g, counts)
    return total / len(classes)


def test_the_width_is_students():
    """One problem: half width t(S - 1) standard errors; two that came out alike: 6 degrees by Welch's formula."""
    rng = np.random.default_rng(9)
    one = sampled_problem([scores(rng, n=2000, methods=("a",), shift=s) for s in (0.1, 0.7, 1.4)], 0)["a"]
    error = np.sqrt(one.variance()[0])
    assert interval_of_mean([one]).draws.std() == pytest.approx(error * 4.3027 / 1.96, rel=1e-3)
    assert interval_of_mean([one, one]).draws.std() == pytest.approx(error / np.sqrt(2) * 2.4469 / 1.96, rel=1e-3)


def test_welchs_degrees_are_right_on_average():
    """Of k equal variances on nu degrees each the sum has k nu."""
    rng = np.random.default_rng(10)
    found = [welch_dof(rng.chisquare(2, 8) / 2, np.full(8, 2.0)) for _ in range(4000)]
    assert 14 < np.mean(found) < 18
    assert welch_dof(np.array([1.0]), np.array([4.0])) == pytest.approx(4)
    assert welch_dof(np.array([1.0, 2.0]), np.array([np.inf, np.inf])) == np.inf
    assert welch_dof(np.zeros(2), np.full(2, 4.0)) == np.inf


def test_intervals_over_seeds_are_students():
    from scipy.stats import t

    values = [0.3, 0.5, 0.9, 0.4]
    mean, low, high = interval_over_seeds([values])
    expected = t.interval(0.95, 3, np.mean(values), np.std(values, ddof=1) / 2)
    assert (mean, low, high) == (pytest.approx(0.525), pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert interval_over_seeds([[0.4], [0.6]]) == (0.5, None, None)
    assert interval_over_seeds([[1.0, 1.0]]) == (1.0, None, None), "equal seeds do not show how much they vary"
    assert interval_over_seeds([[0.3, 0.1 + 0.2]])[1:] == (None, None), "nor do rounding errors"
    assert interval_over_seeds([[1.0, 1.0], [0.4, 0.5]])[1] is not None


def test_methods_are_paired_and_draws_are_reproducible():
    rng = np.random.default_rng(3)
    one = [scores(rng) for _ in range(2)]
    both = [SeedScores(s.labels, s.minority, {**s.hardness, "copy": 2 * s.hardness["a"] + 1}) for s in one]
    got, again = sampled_problem(both, 9), sampled_problem(both, 9)
    np.testing.assert_array_equal(got["a"].draws(), got["copy"].draws())
    np.testing.assert_array_equal(got["b"].draws(), again["b"].draws())
    np.testing.assert_allclose(sampled_problem(one, 9)["a"].draws(), got["a"].draws())
    assert not np.array_equal(sampled_problem(both, 10)["a"].draws(), got["a"].draws())
    nothing = interval_of_mean([got["a"] - got["copy"]])
    assert (nothing.mean, nothing.low, nothing.high) == (0, None, None)
    apart = got["a"] - got["b"]
    np.testing.assert_allclose(apart.draws(), got["a"].draws() - got["b"].draws(), atol=1e-12)


def test_oracle_is_one_constant_is_zero_in_every_draw():
    base = scores(np.random.default_rng(4))
    hardness = {"oracle": base.minority.astype(float), "constant": np.zeros(120)}
    got = sampled_problem([SeedScores(base.labels, base.minority, hardness)], 0)
    np.testing.assert_allclose(got["oracle"].draws(), 1, atol=1e-12)
    np.testing.assert_allclose(got["constant"].draws(), 0, atol=1e-12)


def test_one_member_of_a_group_has_no_interval():
    """Its resamples do not vary, so they say nothing about another one."""
    rng = np.random.default_rng(11)
    one = SeedScores(np.zeros(40, dtype=int), np.arange(40) == 5, {"a": rng.random(40)})
    found = interval_of_mean([sampled_problem([one], 0)["a"]])
    assert (found.low, found.high) == (None, None)


def test_nothing_planted_has_no_interval_and_unequal_methods_are_refused():
    base = scores(np.random.default_rng(5))
    empty = SeedScores(base.labels, np.zeros(120, dtype=bool), base.hardness)
    assert sampled_problem([base, empty], 0) == {}
    other = SeedScores(base.labels, base.minority, {"a": base.hardness["a"]})
    with pytest.raises(DataError, match="expected the same methods at every seed"):
        sampled_problem([base, other], 0)


def test_a_problem_of_the_quick_suite_takes_about_half_a_second():
    rng = np.random.default_rng(6)
    seeds = [scores(rng, n=1500, methods=[f"m{i}" for i in range(8)]) for _ in range(3)]
    start = time.process_time()
    sampled_problem(seeds, 0)
    assert time.process_time() - start < 3  # 0.5 s measured; a tenfold slowdown must show, a busy machine must not
