"""Caption metrics against brute force over orders, closed forms and naive loops."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from slicebench.metrics.captions import GAP_KS, easy_hard_gap, exact_p, naming_chance, naming_scores, pooled, shares_of


def brute_force(h, names):
    """Mean over all orders that sort by falling h."""
    found = []
    for order in permutations(range(len(h))):
        if all(h[a] >= h[b] for a, b in pairwise(order)):
            rank = 1 + next(i for i, item in enumerate(order) if names[item])
            found.append([rank <= 1, rank <= 2, 1 / rank])
    return np.mean(found, axis=0)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_ties_count_as_their_expectation(items):
    h, names = np.array([float(a) for a, _ in items]), np.array([b for _, b in items])
    if names.any():
        np.testing.assert_allclose(list(naming_scores(h, names).values()), brute_force(h, names), atol=1e-12)


@pytest.mark.parametrize(("m", "r"), [(1, 1), (5, 1), (6, 2), (7, 7)])
def test_chance_is_the_score_of_equal_captions(m, r):
    names = np.arange(m) < r
    assert naming_chance(m, r) == pytest.approx(naming_scores(np.zeros(m), names))


def test_chance_of_one_naming_caption_is_the_closed_form():
    chance = naming_chance(20, 1)
    assert chance["hit_at_1"] == pytest.approx(1 / 20)
    assert chance["hit_at_2"] == pytest.approx(2 / 20)
    assert chance["mrr"] == pytest.approx(sum(1 / k for k in range(1, 21)) / 20)


def test_exact_p_is_binomial_for_equal_chances():
    assert exact_p(16, [0.2] * 20) == pytest.approx(binomtest(16, 20, 0.2, alternative="greater").pvalue)
    assert exact_p(0, [0.3]) == 1
    assert exact_p(2, [1.0, 1.0]) == 1


def test_exact_p_for_unequal_chances_enumerates():
    chances = [0.1, 0.5, 0.8]
    total = 0.0
    for bits in np.ndindex(2, 2, 2):
        if sum(bits) >= 2:
            total += np.prod([p if b else 1 - p for b, p in zip(bits, chances, strict=True)])
    assert exact_p(2, chances) == pytest.approx(total)
    assert exact_p(2.9, chances) == pytest.approx(total), "a shared hit is rounded down"
    assert exact_p(1.999999, chances) == pytest.approx(total), "records hold six digits"


@pytest.mark.parametrize(("captions", "classes"), [(20, 1), (10, 5), (8, 40)])
def test_a_method_that_says_nothing_has_a_large_p(captions, classes):
    """Rounded up, 1/20 of a hit in one class would have p 1/20."""
    rows = [naming_scores(np.zeros(captions), np.arange(captions) == 3)] * classes
    found = pooled(rows, [naming_chance(captions, 1)] * classes)
    assert min(found["p"].values()) > 0.5


def test_gap_equals_a_naive_loop():
    rng = np.random.default_rng(0)
    easy, hard, correct = rng.random(120), rng.random(120), rng.random(120) < 0.7
    gap = easy_hard_gap(easy, hard, correct, GAP_KS)
    assert gap.ks == tuple(k for k in GAP_KS if k <= 120)
    naive = [correct[np.argsort(-easy)[:k]].mean() - correct[np.argsort(-hard)[:k]].mean() for k in gap.ks]
    np.testing.assert_allclose(gap.easy - gap.hard, naive)
    assert gap.area == pytest.approx(np.mean(naive))


def test_gap_draws_resample_images():
    rng = np.random.default_rng(1)
    similarity, correct = rng.random(30), rng.random(30) < 0.5
    gap = easy_hard_gap(similarity, -similarity, correct, (5,), seed=3, draws=4)
    for draw, rows in zip(gap.draws, np.random.default_rng(3).integers(30, size=(4, 30), dtype=np.int32), strict=True):
        by = similarity[rows]
        near, far = rows[np.argsort(-by, kind="stable")[:5]], rows[np.argsort(by, kind="stable")[:5]]
        assert draw == pytest.approx(correct[near].mean() - correct[far].mean())


def test_gap_sees_a_caption_that_describes_errors():
    hard = np.repeat([True, False], 200)
    gap = easy_hard_gap(-hard.astype(float), hard.astype(float), ~hard, GAP_KS)
    assert gap.area == 1
    assert np.quantile(gap.draws, 0.025) > 0.98, "a resample may hold fewer than 195 right ones"
    same = easy_hard_gap(hard.astype(float), hard.astype(float), ~hard, GAP_KS)
    assert same.area == 0


def test_a_class_smaller_than_every_k_has_no_gap():
    assert easy_hard_gap(np.zeros(10), np.zeros(10), np.ones(10, dtype=bool), GAP_KS) is None
    assert shares_of(10) == (1, 2)


def test_pooled_over_classes():
    rows = [naming_scores(np.array([2.0, 1, 0, -1, -2]), np.arange(5) == at) for at in (0, 0, 1)]
    out = pooled(rows, [naming_chance(5, 1)] * 3)
    assert out["value"]["hit_at_1"] == pytest.approx(2 / 3)
    assert out["value"]["hit_at_2"] == 1
    assert out["p"]["hit_at_1"] == pytest.approx(binomtest(2, 3, 0.2, alternative="greater").pvalue)
