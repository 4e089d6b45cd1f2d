"""The test on a fold: exact against scipy and against all permutations, by ranks for losses, by groups, and joined."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from slicebench.discovery.holdout.excess import Excess
from slicebench.discovery.holdout.fold_tests import exact_p, fold_p, joined_p


def excess(badness, classes=None, groups=None, *, exact=True):
    badness = np.asarray(badness, dtype=float)
    classes = np.zeros(len(badness), dtype=np.int64) if classes is None else np.asarray(classes)
    return Excess(badness=badness, classes=classes, groups=groups, exact=exact)


def test_one_class_is_fishers_test():
    rng = np.random.default_rng(0)
    wrong, inside = rng.random(80) < 0.3, rng.random(80) < 0.4
    table = [
        [(wrong & inside).sum(), (~wrong & inside).sum()],
        [(wrong & ~inside).sum(), (~wrong & ~inside).sum()],
    ]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fold_p(inside, ~inside, excess(wrong)) == pytest.approx(expected)


def test_two_classes_are_counted_out():
    """Every way to place the errors within the classes is as likely as any other."""
    inside = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0], dtype=bool)
    classes = np.array([0] * 6 + [1] * 5)
    wrong = np.array([1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0], dtype=bool)
    ways = [
        len(set(one) & {0, 1, 2}) + len(set(other) & {6, 7})
        for one, other in product(combinations(range(6), 3), combinations(range(6, 11), 1))
    ]
    expected = np.mean(np.array(ways) >= 3)
    assert fold_p(inside, ~inside, excess(wrong, classes)) == pytest.approx(expected)


def test_many_errors_take_the_normal_approximation():
    counts = [np.array(one) for one in ([640, 520], [3000, 2500], [3000, 2400], [15_000, 12_000])]
    close = exact_p(*counts)
    pmf = [
        stats.hypergeom.pmf(np.arange(3001), 15_000, 3000, 3000),
        stats.hypergeom.pmf(np.arange(2401), 12_000, 2400, 2500),
    ]
    assert close == pytest.approx(np.convolve(*pmf)[1160:].sum(), rel=0.05)


def test_losses_are_compared_by_ranks():
    rng = np.random.default_rng(1)
    inside = np.arange(90) < 30
    losses = np.exp(2 * rng.normal(size=90)) * np.where(inside, 2.5, 1)
    found = fold_p(inside, ~inside, excess(losses, exact=False))
    u = stats.mannwhitneyu(
        losses[inside], losses[~inside], alternative="greater", use_continuity=False, method="asymptotic"
    )
    assert found == pytest.approx(u.pvalue, rel=1e-6)
    assert fold_p(inside, ~inside, excess(losses * 1000, exact=False)) == found


def test_copies_count_once_with_groups():
    rng = np.random.default_rng(2)
    wrong, inside = rng.random(60) < 0.3, rng.random(60) < 0.4
    wrong[:10], inside[:10] = True, True
    copies = np.repeat(np.arange(60), 8)
    once = fold_p(inside, ~inside, excess(wrong))
    without = fold_p(inside[copies], ~inside[copies], excess(wrong[copies]))
    grouped = fold_p(inside[copies], ~inside[copies], excess(wrong[copies], groups=copies))
    assert without < once / 1000
    assert grouped > once / 10


@pytest.mark.parametrize("inside", [np.zeros(20, bool), np.ones(20, bool), np.arange(20) < 3])
def test_what_cannot_be_compared_has_p_1(inside):
    assert fold_p(inside, ~inside, excess(np.arange(20) % 2)) == 1


def test_folds_are_joined():
    assert joined_p([0.03], 1) == 0.03
    assert joined_p([1e-4] * 5, 5) == pytest.approx(np.e * 1e-4)
    assert joined_p([1e-9, 1e-9], 5) == 1  # most folds did not find it
    assert joined_p([1e-4] * 4, 5) > joined_p([1e-4] * 5, 5)
    assert joined_p([0.0] * 5, 5) == 0 or joined_p([0.0] * 5, 5) < 1e-100


def test_the_joined_p_holds_its_level_for_equal_folds():
    """Five folds that say the same thing: e times the geometric mean is then e times a uniform p."""
    p = np.random.default_rng(3).random(4000)
    assert np.mean([joined_p([value] * 5, 5) <= 0.05 for value in p]) <= 0.05


@pytest.mark.parametrize(("groups", "size", "icc"), [(100, 5, 1.0), (24, 50, 0.3), (40, 20, 0.1), (300, 1, 0.0)])
def test_the_level_holds_whatever_belongs_together(groups, size, icc):
    rng, false = np.random.default_rng(1), 0
    of, rate = np.repeat(np.arange(groups), size), 0.12
    for _ in range(200):
        own = {0.0: np.full(groups, rate), 1.0: (rng.random(groups) < rate) * 1.0}.get(icc)
        if own is None:
            own = rng.beta(rate * (1 - icc) / icc, (1 - rate) * (1 - icc) / icc, groups)
        wrong, inside = rng.random(len(of)) < own[of], (rng.random(groups) < 0.25)[of]
        if inside.any() and not inside.all():
            false += fold_p(inside, ~inside, excess(wrong, groups=of)) <= 0.05
    assert false <= 18  # 10 are to be expected at 5 %, more than 18 come up once in 200 times


def test_a_cause_over_many_groups_is_found():
    rng = np.random.default_rng(0)
    of, bad = np.repeat(np.arange(300), 4), rng.random(300) < 0.2
    wrong = (rng.random(300) < np.where(bad, 0.6, 0.05))[of]
    assert fold_p(bad[of], ~bad[of], excess(wrong, groups=of)) < 1e-4
