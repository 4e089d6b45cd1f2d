"""The bootstrap against a slow, direct one, and its properties."""

from __future__ import annotations

import time

import numpy as np
import pytest

from slicebench.errors import DataError
from slicebench.metrics import Ranking, namf
from slicebench.statistics import SeedScores, hierarchical_interval, resample_counts, weighted_namf


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
        counts = np.empty((7, n), dtype=np.int32)
        for stratum in (minority, ~minority):
            counts[:, stratum] = resample_counts(int(stratum.sum()), 7, rng)
        fast = weighted_namf(h, minority, counts)
        slow = [namf(Ranking.of(np.repeat(h, c), np.repeat(minority, c))) for c in counts]
        np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_resamples_have_the_size_and_spread_of_a_multinomial():
    counts = resample_counts(50, 4000, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 50).all()
    assert counts.var() == pytest.approx(49 / 50, rel=0.03)


def test_the_interval_agrees_with_a_direct_bootstrap():
    rng = np.random.default_rng(2)
    seeds = [scores(rng, methods=("a",), shift=s) for s in (0.2, 0.6, 1.0)]
    fast = hierarchical_interval(seeds, 0, draws=4000)["a"]

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
    assert fast.draws.std() == pytest.approx(np.std(slow), rel=0.08)
    low, high = np.quantile(slow, [0.025, 0.975])
    assert fast.low == pytest.approx(low, abs=0.025)
    assert fast.high == pytest.approx(high, abs=0.025)


def test_methods_are_paired_and_draws_are_reproducible():
    rng = np.random.default_rng(3)
    one = [scores(rng) for _ in range(2)]
    both = [SeedScores(s.labels, s.minority, {**s.hardness, "copy": 2 * s.hardness["a"] + 1}) for s in one]
    got, again = hierarchical_interval(both, 9), hierarchical_interval(both, 9)
    np.testing.assert_array_equal(got["a"].draws, got["copy"].draws)
    np.testing.assert_array_equal(got["b"].draws, again["b"].draws)
    np.testing.assert_allclose(hierarchical_interval(one, 9)["a"].draws, got["a"].draws)
    assert not np.array_equal(hierarchical_interval(both, 10)["a"].draws, got["a"].draws)


def test_oracle_is_one_constant_is_zero_in_every_draw():
    base = scores(np.random.default_rng(4))
    hardness = {"oracle": base.minority.astype(float), "constant": np.zeros(120)}
    got = hierarchical_interval([SeedScores(base.labels, base.minority, hardness)], 0)
    np.testing.assert_allclose(got["oracle"].draws, 1, atol=1e-12)
    np.testing.assert_allclose(got["constant"].draws, 0, atol=1e-12)


def test_nothing_planted_has_no_interval_and_unequal_methods_are_refused():
    base = scores(np.random.default_rng(5))
    empty = SeedScores(base.labels, np.zeros(120, dtype=bool), base.hardness)
    assert hierarchical_interval([base, empty], 0) == {}
    other = SeedScores(base.labels, base.minority, {"a": base.hardness["a"]})
    with pytest.raises(DataError, match="same at each seed"):
        hierarchical_interval([base, other], 0)


def test_a_problem_of_the_quick_suite_takes_about_half_a_second():
    rng = np.random.default_rng(6)
    seeds = [scores(rng, n=1500, methods=[f"m{i}" for i in range(8)]) for _ in range(3)]
    start = time.process_time()
    hierarchical_interval(seeds, 0)
    assert time.process_time() - start < 3  # 0.5 s measured; a tenfold slowdown must show, a busy machine must not
