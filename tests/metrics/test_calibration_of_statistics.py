"""Coverage and level of the statistics on simulated leaderboards: docs/concepts/statistics.md has the whole tables."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.metrics.captions import naming_chance, naming_scores, pooled
from slicebench.metrics.statistics import compare_pairs, family_p, friedman, interval_over_units
from tests.support.paths import load_script


@pytest.fixture(scope="module")
def simulate():
    return load_script("regenerate/simulate_statistics")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("spread", [0.0, 0.15])
def test_intervals_of_the_standard_suite_cover(simulate, spread):
    """Five seeds: between 93 and 97 %, for a mean and for a paired difference."""
    found = simulate.covered_cells(5, 400, spread, 1000, draws=300)
    assert 0.93 <= found["interval"] <= 0.97, found
    assert 0.93 <= found["difference"] <= 0.97, found


@pytest.mark.slow
def test_the_plain_percentile_interval_does_not(simulate):
    """Why we do not use it: too narrow where seeds differ, too wide where they do not."""
    assert simulate.covered_cells(3, 400, 0.4, 300, draws=200)["percentile"] < 0.88
    assert simulate.covered_cells(5, 400, 0.0, 300, draws=200)["percentile"] > 0.97


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("units", "options"), [(22, {}), (22, {"skewed": True}), (9, {}), (22, {"better": 0.15})])
def test_leaderboards_of_equals_separate_nobody(simulate, units, options):
    """Familywise error at most 5 %, up to what 1,000 leaderboards can tell (two standard errors)."""
    found = simulate.false_alarms(units, 6, 1000, **options)
    assert found["alarms"] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1000), found
    assert 0.93 <= found["covered"] <= 0.97, found
    if not options.get("better"):
        assert found["friedman"] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1000), found


def errors(trials, share=0.05):
    """Two standard errors of a share."""
    return 2 * np.sqrt(share * (1 - share) / trials)


@pytest.fixture(scope="module")
def edges():
    return load_script("regenerate/simulate_edges")


EDGES = load_script("regenerate/simulate_edges").SCENARIOS


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("function", "arguments"),
    EDGES,
    ids=[f"{function.__name__}-{'-'.join(map(str, given))}" for function, given in EDGES],
)
def test_the_edges_of_the_statistics(edges, function, arguments):
    """The rows of the table of edges: at least 94 % of the intervals cover, at most 5 % of the tests reject, up to two errors."""
    trials = edges.TRIALS
    row = getattr(edges, function.__name__)(*arguments, trials)
    verdicts = max(trials * (1 - row.without), 1)
    assert all(share >= 0.94 - errors(verdicts) for share in row.covers), row
    assert all(share <= 0.05 + errors(trials) for share in row.rejects), row


def test_dust_is_equal_and_gives_no_interval(edges):
    for units in (2, 12):
        row = edges.dust(units, 20)
        assert (row.rejects, row.without) == ((0, 0, 0), 1)


def test_equal_seeds_give_no_interval(edges):
    assert 0.1 < edges.equal_seeds(1, 200).without < 0.3
    assert edges.equal_seeds(22, 50).without == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", [1, 2])
def test_intervals_of_one_and_two_seeds_cover(simulate, seeds):
    found = simulate.covered_cells(seeds, 400, 0.0, 1000, draws=300)
    assert 0.93 <= found["interval"] <= 0.97, found
    assert 0.92 <= found["difference"] <= 0.97, found


@pytest.mark.slow
@pytest.mark.parametrize("units", [2, 3, 5, 9])
def test_intervals_over_few_units_cover(units):
    rng = np.random.default_rng(units)
    found = [interval_over_units(rng.normal(size=units), draws=20) for _ in range(4000)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(0.95, abs=0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("units", "methods"), [(2, 3), (3, 3), (3, 4), (5, 3), (5, 4), (5, 8), (22, 3)])
def test_friedman_of_few_units_or_methods_keeps_its_level(units, methods):
    rng = np.random.default_rng([units, methods])
    found = [friedman(rng.normal(size=(units, methods))).p for _ in range(1000)]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + errors(1000)


@pytest.mark.slow
@pytest.mark.parametrize("families", [3, 5])
@pytest.mark.parametrize("draw", ["normal", "exponential", "ceiling"])
def test_p_over_few_families_keeps_its_level(families, draw):
    rng = np.random.default_rng(families)
    drawn = {
        "normal": rng.standard_normal,
        "exponential": lambda size: rng.exponential(size=size),
        "ceiling": lambda size: np.minimum(1.0, 0.98 + 0.05 * rng.standard_normal(size)),
    }[draw]
    names = [str(i) for i in range(families)]
    tables = [drawn((families, 4)) for _ in range(1500)]
    found = [min(family_p(one, names, compare_pairs(one, draws=2))) for one in tables]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + errors(1500)


@pytest.mark.slow
@pytest.mark.parametrize("levels", [1, 2, 3, 5, 10**6])
@pytest.mark.parametrize(("captions", "naming", "classes"), [(20, 1, 1), (10, 1, 5), (10, 1, 40), (6, 2, 10)])
def test_p_of_captions_keeps_its_level_with_ties(levels, captions, naming, classes):
    """The hardness has few levels, so that captions tie; those that name the group are random."""
    rng, trials = np.random.default_rng([levels, captions, classes]), 1500
    chances = [naming_chance(captions, naming)] * classes

    def ps():
        named = [rng.permutation(captions) < naming for _ in range(classes)]
        return pooled([naming_scores(rng.integers(levels, size=captions).astype(float), n) for n in named], chances)[
            "p"
        ]

    found = np.array([list(ps().values()) for _ in range(trials)])
    for level in (0.05, 0.01):
        assert ((found <= level).mean(axis=0) <= level + errors(trials, level)).all()


def test_a_difference_that_is_there_is_found(simulate):
    """Power rises with the difference, from about the level to about 1."""
    values = simulate.leaderboard(np.random.default_rng(0), 22, 5)
    weak, strong = simulate.power(values, 0.0, 40), simulate.power(values, 0.3, 40)
    assert weak < 0.1
    assert strong > 0.95


def test_correlation_within_families_is_measured(simulate):
    rng = np.random.default_rng(1)
    families = [f"f{i % 6}" for i in range(60)]
    apart = rng.normal(size=(60, 4))
    shared = rng.normal(size=(6, 4))[np.arange(60) % 6]
    assert abs(simulate.shared_by_family(apart, families)) < 0.15
    assert simulate.shared_by_family(np.sqrt(0.5) * (apart + shared), families) == pytest.approx(0.5, abs=0.25)
