"""Slice metrics against their definitions, brute force, and the libraries that have them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.metrics import average_precision_score, f1_score, jaccard_score
from statsmodels.stats.proportion import confint_proportions_2indep

from slicebench.metrics.ranking import expected_ap
from slicebench.metrics.slices import (
    SLICE_METRICS,
    SliceCase,
    best_slices,
    contrasts,
    discoveries,
    expected_best,
    full_discovery,
    precision_at,
    redundancy,
    slice_tables,
    split_half,
    with_complements,
)
from slicebench.metrics.slices.matching import halves, matched


def columns(*members, n):
    """Bool matrix with a column for each collection of rows."""
    return np.array([np.isin(np.arange(n), list(rows)) for rows in members]).T.reshape(n, len(members))


@given(
    st.lists(st.integers(0, 2), min_size=4, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=60)
def test_precision_of_ties_is_the_mean_over_all_orders(values, members, top):
    soft, group = np.array(values, np.float32), np.array(members[: len(values)])
    orders = [p for p in permutations(range(len(soft))) if (np.diff(soft[list(p)]) <= 0).all()]
    expected = np.mean([group[list(p)][:top].mean() for p in orders])
    assert precision_at(soft[:, None], group[:, None], top)[0, 0] == pytest.approx(expected, abs=1e-12)


def test_precision_of_stacks_is_that_of_each():
    rng = np.random.default_rng(0)
    soft, groups = rng.integers(0, 5, (3, 30, 4)).astype(np.float32), rng.random((3, 30, 2)) < 0.3
    stacked = precision_at(soft, groups, 10)
    for one, s, g in zip(stacked, soft, groups, strict=True):
        np.testing.assert_allclose(one, precision_at(s, g, 10))
    assert np.isnan(precision_at(soft, groups, 31)).all()


def test_the_best_slice_is_the_one_with_the_highest_ap():
    rng = np.random.default_rng(1)
    groups = rng.random((60, 3)) < 0.3
    soft = (0.6 * groups[:, [0, 1]] + rng.random((60, 2))).astype(np.float32)
    soft /= soft.max()
    hard = soft >= 0.5
    best = best_slices(slice_tables(soft, hard, groups))
    for b, group in enumerate(groups.T):
        ap = [average_precision_score(group, column) for column in soft.T]
        j = int(np.argmax(ap))
        top = np.argsort(-soft[:, j])
        assert (best["ap"][b], best["ap_sklearn"][b]) == pytest.approx((ap[j], ap[j]))
        assert best["f1"][b] == pytest.approx(f1_score(group, hard[:, j]))
        assert best["p_at_10"][b] == pytest.approx(group[top[:10]].mean())
        assert best["p_at_25"][b] == pytest.approx(group[top[:25]].mean())


def test_complements_as_dcbench_counts_them():
    """A slice of everybody but the group: worthless as it is, perfect as dcbench sees it."""
    groups = columns(range(12), n=40)
    soft, hard = 1 - groups.astype(np.float32), ~groups
    alone = best_slices(slice_tables(soft, hard, groups))
    doubled = best_slices(slice_tables(*with_complements(soft, hard), groups))
    assert (alone["p_at_10"][0], alone["f1"][0]) == (0, 0)
    best = {"p_at_10": 1, "p_at_25": 12 / 25, "ap": pytest.approx(1), "ap_sklearn": 1, "f1": 1}
    assert {name: value[0] for name, value in doubled.items()} == best


def test_memberships_of_0_and_1_count_by_expectation():
    """The members are one tie and the rest another: P@10 is the precision of more than ten members."""
    groups = columns(range(20), n=100)
    hard = columns(range(10, 50), n=100)
    found = slice_tables(hard.astype(np.float32), hard, groups)
    assert found["p_at_10"][0, 0] == found["p_at_25"][0, 0] == pytest.approx(10 / 40)
    rng = np.random.default_rng(0)
    orders = [average_precision_score(groups[:, 0], hard[:, 0] + 0.5 * rng.random(100)) for _ in range(2000)]
    assert found["ap"][0, 0] == pytest.approx(np.mean(orders), abs=4 * np.std(orders) / np.sqrt(2000))
    assert found["ap_sklearn"][0, 0] == pytest.approx(average_precision_score(groups[:, 0], hard[:, 0]))
    assert found["ap_sklearn"][0, 0] < found["ap"][0, 0]


@pytest.mark.parametrize(("rate", "shown"), [(0.10, 0.26), (0.334, 0.57)])
def test_the_best_of_ten_random_slices(rate, shown):
    """Known figures for n = 5000."""
    assert round(expected_best(5000, round(5000 * rate), 10), 2) == shown


@given(st.integers(10, 400), st.data(), st.integers(1, 12))
@settings(deadline=None, max_examples=40)
def test_expected_best_is_the_hypergeometric_maximum(n, data, slices):
    members = data.draw(st.integers(0, n))
    at_most = hypergeom.cdf(np.arange(10), n, members, 10)
    assert expected_best(n, members, slices) == pytest.approx((1 - at_most**slices).sum() / 10, abs=1e-9)
    assert expected_best(n, members, 1) == pytest.approx(members / n)


def random_slices(rng, n=200, k=10, rate=0.15):
    group = rng.permutation(n)[:, None] < rate * n
    return rng.random((n, k)).astype(np.float32), group


def test_random_slices_are_worth_nothing_though_the_best_of_ten_looks_well():
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(300):
        soft, group = random_slices(rng)
        cases.append(SliceCase(soft, soft >= 0.5, group))
    values = {name: np.array([SLICE_METRICS[name].value(c)[0] for c in cases]) for name in
              ("matched_kappa_at_10", "matched_p_at_10", "corrected_p_at_10", "highest_p_at_10", "best_p_at_10")}  # fmt: skip
    error = {name: 4 * v.std() / np.sqrt(len(v)) for name, v in values.items()}
    assert abs(values["matched_kappa_at_10"].mean()) < error["matched_kappa_at_10"] < 0.03
    assert abs(values["matched_p_at_10"].mean() - 0.15) < error["matched_p_at_10"]
    assert abs(values["corrected_p_at_10"].mean()) < error["corrected_p_at_10"]
    assert values["highest_p_at_10"].mean() == pytest.approx(expected_best(200, 30, 10), abs=error["highest_p_at_10"])
    assert values["highest_p_at_10"].mean() > 2 * 0.15
    assert 0.15 < values["best_p_at_10"].mean() < values["highest_p_at_10"].mean()


def test_more_random_slices_raise_the_best_but_not_the_matched():
    rng = np.random.default_rng(0)
    found = {k: [split_half(*random_slices(rng, k=k))[1][0] for _ in range(200)] for k in (2, 40)}
    assert abs(np.mean(found[40]) - np.mean(found[2])) < 4 * np.hypot(np.std(found[2]), np.std(found[40])) / np.sqrt(
        200
    )


def test_the_truth_as_slices_is_one_also_for_small_groups():
    groups = columns(range(6), range(20, 60), n=200)
    precision, kappa = split_half(groups.astype(np.float32), groups)
    assert kappa == pytest.approx([1, 1])
    assert precision == pytest.approx([0.3, 1])


def test_slices_are_matched_one_to_one():
    """A slice that serves both groups counts once; the other group gets the next, or chance."""
    groups = columns(range(50), range(20, 70), n=300)
    both = (groups.sum(axis=1) / 2).astype(np.float32)[:, None]
    second = groups[:, [1]].astype(np.float32)
    precision, kappa = split_half(both, groups)
    assert sorted(precision) == pytest.approx([groups[:, 0].mean(), 1], abs=0.01)
    assert sorted(kappa) == pytest.approx([0, 1], abs=0.01)
    precision, _ = split_half(np.hstack([both, second]), groups)
    assert precision == pytest.approx([1, 1], abs=0.01)
    np.testing.assert_array_equal(matched(np.array([[0.9, 0.8], [0.1, 0.7]])), [0, 1])
    np.testing.assert_array_equal(matched(np.array([[0.5, 0.8, 0.1]])), [-1, 0, -1])


def test_halves_are_disjoint_and_deal_groups_evenly():
    groups = columns(range(9), range(5, 30), n=101)
    parts = halves(groups, splits=4)
    assert parts.shape == (4, 2, 50)
    for first, second in parts:
        assert len({*first.tolist(), *second.tolist()}) == 100
        assert (np.abs(groups[first].sum(axis=0) - groups[second].sum(axis=0)) <= 2).all()
    assert not np.array_equal(parts[0], parts[1])
    np.testing.assert_array_equal(parts, halves(groups, splits=4))


def test_halves_of_fewer_than_ten_say_nothing():
    groups = columns(range(5), n=18)
    assert np.isnan(split_half(np.random.default_rng(0).random((18, 3)), groups)).all()


def test_discovery_rates_by_hand():
    """20 examples, groups 0-9 and 10-14; the slices: nine tenths of nothing, half of a, the rest of a and strangers, all of b."""
    groups = columns(range(10), range(10, 15), n=30)
    hard = columns(range(20, 30), range(5), [5, 6, 7, 8, 20, 21], range(10, 16), n=30)
    rate, false_rate = discoveries(hard, groups, 0.5, 0.8)
    assert rate.tolist() == [0, 0, 0.5, 1]
    assert false_rate == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    rate, false_rate = discoveries(hard, groups, 0.8, 0.5)
    assert rate.tolist() == [0, 0.5, 0.5, 1]
    assert false_rate == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])
    assert full_discovery(hard, groups, 0.8, 0.8) == (0.5, 0.5), "the third slice is not pure enough to help the second"


def test_the_prefix_ends_where_the_full_rate_is_reached():
    groups = columns(range(10), n=30)
    hard = columns(range(10), range(15, 20), range(20, 30), n=30)
    assert full_discovery(hard, groups, 0.5, 0.5) == (1, 0)
    assert full_discovery(hard[:, [1, 0, 2]], groups, 0.5, 0.5) == (1, 0.5)
    assert full_discovery(hard[:, 1:], groups, 0.5, 0.5) == (0, 1), "nothing found: all slices count"
    rate, false_rate = full_discovery(hard[:, :0], groups, 0.5, 0.5)
    assert (rate, np.isnan(false_rate)) == (0, True)
    assert np.isnan(full_discovery(hard, groups[:, :0], 0.5, 0.5)).all()


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_discoveries_are_the_definition(k, g, seed):
    rng = np.random.default_rng(seed)
    hard, groups = rng.random((25, k)) < 0.3, rng.random((25, g)) < 0.4
    hard[0], groups[1] = True, True
    rate, _ = discoveries(hard, groups, 0.5, 0.5)
    for u in range(1, k + 1):
        covered = []
        for group in groups.T:
            mine = [h for h in hard.T[:u] if group[h].mean() >= 0.5]
            covered.append(np.any([h & group for h in mine], axis=0).sum() / group.sum() >= 0.5 if mine else False)
        assert rate[u - 1] == pytest.approx(np.mean(covered))


def test_redundancy_is_the_mean_jaccard_index():
    hard = columns(range(10), range(5, 15), range(20, 22), [], n=30)
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert redundancy(hard) == pytest.approx(np.mean([jaccard_score(hard[:, a], hard[:, b]) for a, b in pairs]))
    assert redundancy(hard[:, [0, 0]]) == 1
    assert np.isnan(redundancy(hard[:, [0, 3]]))


def test_delta_in_one_class_is_newcombes():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], 100)
    wrong = rng.random(200) < 0.2
    hard = columns(range(30), n=200)
    wrong[:20] = True
    found = contrasts(hard, wrong, classes)
    counts = wrong[:30].sum(), 30, wrong[30:100].sum(), 70
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    assert found.error_rate[0] == pytest.approx(wrong[:30].mean())
    assert found.delta[0] == pytest.approx(wrong[:30].mean() - wrong[30:100].mean())
    assert (found.low[0], found.high[0]) == pytest.approx((low, high))


def test_delta_over_classes_weighs_the_rest_like_the_slice():
    """An easy and a hard class, and slices that know nothing: Δ is 0 though the slice's error rate is not the average."""
    classes = np.repeat([0, 1], 100)
    wrong = np.concatenate([np.arange(100) % 10 == 0, np.arange(100) % 2 == 0])
    hard = columns([*range(20), *range(100, 180)], n=200)
    found = contrasts(hard, wrong, classes)
    assert found.error_rate[0] == pytest.approx(0.2 * 0.1 + 0.8 * 0.5)
    assert found.delta[0] == pytest.approx(0)
    assert -0.3 < found.low[0] < 0 < found.high[0] < 0.3


def test_delta_is_undefined_without_members_or_rest():
    found = contrasts(
        columns([], range(10), [*range(10), 12], range(3), n=20), np.arange(20) < 5, np.repeat([0, 1], 10)
    )
    assert np.isnan(found.delta).tolist() == [True, True, True, False]
    assert np.isnan(found.low).tolist() == np.isnan(found.high).tolist() == [True, True, True, False]
    assert np.isnan(found.error_rate).tolist() == [True, False, False, False]


@pytest.mark.parametrize("counts", [((20, 0.5, 0.1),), ((15, 0.3, 0.1), (25, 0.5, 0.3))])
def test_the_interval_of_delta_covers(counts):
    """Binomial errors in slices of one and of two classes: 95 % intervals hold the true Δ about 95 % of the time."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(len(counts)), 150)
    inside = np.concatenate([np.arange(150) < size for size, _, _ in counts])
    rate = np.concatenate([np.where(np.arange(150) < size, p, q) for size, p, q in counts])
    sizes = np.array([size for size, _, _ in counts])
    true = sum(w * (p - q) for w, (_, p, q) in zip(sizes / sizes.sum(), counts, strict=True))
    found = [contrasts(inside[:, None], rng.random(len(rate)) < rate, classes) for _ in range(800)]
    covered = np.mean([f.low[0] <= true <= f.high[0] for f in found])
    assert 0.93 <= covered <= 0.985


def test_slices_without_members_in_a_class_are_no_candidates_there():
    """The second slice ranks this class perfectly, but what it holds lies elsewhere."""
    groups = columns(range(15), n=40)
    soft = np.random.default_rng(0).random((40, 2)).astype(np.float32)
    soft[:, 1] = groups[:, 0] * 0.001
    hard = columns(range(10, 30), [], n=40)
    case = SliceCase.of_class(soft, hard, groups)
    np.testing.assert_array_equal(case.soft, soft[:, :1])
    assert case.expected_highest[0] == pytest.approx(15 / 40)
    assert case.best["ap"][0] < 1
    both = SliceCase.of_class(soft, hard | groups, groups)
    assert both.best["ap"][0] == pytest.approx(1)
    assert both.expected_highest[0] > 15 / 40


def test_where_chance_reaches_one_there_is_nothing_to_correct():
    groups = columns(range(999), n=1000)
    soft = np.random.default_rng(0).random((1000, 10)).astype(np.float32)
    case = SliceCase.of_class(soft, soft >= 0.5, groups)
    assert np.isnan(SLICE_METRICS["corrected_p_at_10"].value(case)).all()
    assert case.expected_highest[0] == 1


def test_no_slice_scores_chance():
    groups = columns(range(15), range(30, 33), n=60)
    case = SliceCase.of_class(np.zeros((60, 0), np.float32), np.zeros((60, 0), bool), groups)
    for name in ("matched_p_at_10", "highest_p_at_10", "best_p_at_10", "best_p_at_25", "best_ap_sklearn"):
        assert SLICE_METRICS[name].value(case) == pytest.approx(groups.mean(axis=0), abs=0.01), name
    assert SLICE_METRICS["best_ap"].value(case) == pytest.approx([expected_ap(60, 15), expected_ap(60, 3)])
    for name in ("matched_kappa_at_10", "corrected_p_at_10", "best_f1"):
        assert SLICE_METRICS[name].value(case) == pytest.approx([0, 0], abs=1e-9), name


def test_the_table_is_complete():
    assert next(iter(SLICE_METRICS)) == "matched_kappa_at_10"
    assert sum(name.startswith("discovery_rate") for name in SLICE_METRICS) == 4
    assert {m.name for m in SLICE_METRICS.values() if not m.higher_is_better} == {
        "redundancy", *(name for name in SLICE_METRICS if name.startswith("false_discovery_rate"))
    }  # fmt: skip
    assert all(m.label and m.about.endswith(".") for m in SLICE_METRICS.values())
    assert len({m.label for m in SLICE_METRICS.values()}) == len(SLICE_METRICS)


def test_errors_covered_stands_beside_the_share_of_all_covered():
    hard = columns(range(4), range(2, 8), n=20)
    case = SliceCase(hard.astype(np.float32), hard, hard[:, :0], np.isin(np.arange(20), [0, 1, 19, 18]))
    metric = SLICE_METRICS["error_coverage"]
    assert (metric.value(case), metric.chance(case)) == (0.5, 0.4)
    unknown = SliceCase(case.soft, hard, case.groups)
    assert np.isnan(metric.value(unknown))
