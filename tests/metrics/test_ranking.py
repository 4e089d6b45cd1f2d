"""The metrics against their definitions, brute force over tied orders, and the shared reference arrays."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from slicebench.metrics.ranking import (
    METRICS,
    Ranking,
    amf,
    auroc,
    average_precision,
    case,
    expected_ap,
    kappa,
    minority_fraction,
    namf,
    sklearn_ap,
)


def mean_over_orders(h, g, statistic):
    """Mean of a statistic of the ordered group vector over every order that agrees with `h`."""
    orders = [p for p in permutations(range(len(h))) if all(h[a] >= h[b] for a, b in pairwise(p))]
    return np.mean([statistic(g[list(p)]) for p in orders])


def direct_amf(ordered):
    return np.mean(np.cumsum(ordered) / np.arange(1, len(ordered) + 1))


def direct_ap(ordered):
    return (np.cumsum(ordered) / np.arange(1, len(ordered) + 1))[ordered].mean()


small = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda g: 0 < sum(g) < len(g)),
    )
)


@given(small)
@settings(deadline=None, max_examples=80)
def test_ties_are_the_mean_over_all_orders(data):
    h, g = np.array(data[0], float), np.array(data[1])
    r = Ranking.of(h, g)
    assert amf(r) == pytest.approx(mean_over_orders(h, g, direct_amf), abs=1e-12)
    assert average_precision(r) == pytest.approx(mean_over_orders(h, g, direct_ap), abs=1e-12)
    for k in range(1, len(h) + 1):
        expected = mean_over_orders(h, g, lambda o, k=k: o[:k].mean())
        assert minority_fraction(r, k) == pytest.approx(expected, abs=1e-12)


arrays = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-5, 5), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda g: 0 < sum(g) < len(g)),
    )
)


@given(arrays)
@settings(deadline=None)
def test_ap_and_auroc_are_scikit_learns(data):
    h, g = np.array(data[0], float), np.array(data[1])
    r = Ranking.of(h, g)
    assert sklearn_ap(r) == pytest.approx(average_precision_score(g, h), abs=1e-12)
    assert auroc(r) == pytest.approx(roc_auc_score(g, h), abs=1e-12)


@given(arrays, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_row_order_and_monotone_transforms_do_not_matter(data, random):
    h, g = np.array(data[0], float), np.array(data[1])
    wrong, flagged = h > 0, h > 1
    order = np.array(random.sample(range(len(h)), len(h)))
    for metric in METRICS.values():
        value = metric.value(case(h, g, wrong, flagged))
        permuted = metric.value(case(h[order], g[order], wrong[order], flagged[order]))
        transformed = metric.value(case(np.exp(h / 3) * 7 - 2, g, wrong, flagged))
        assert permuted == pytest.approx(value, abs=1e-12)
        assert transformed == pytest.approx(value, abs=1e-12)


@given(arrays)
@settings(deadline=None)
def test_constant_is_exactly_zero_and_the_truth_exactly_one(data):
    g = np.array(data[1])
    assert namf(Ranking.of(np.zeros(len(g)), g)) == 0.0
    assert namf(Ranking.of(g.astype(float), g)) == 1.0
    assert namf(Ranking.of(-g.astype(float), g)) < 0


@given(arrays)
@settings(deadline=None)
def test_a_constant_has_the_value_of_chance(data):
    g = np.array(data[1])
    one = case(np.zeros(len(g)), g, wrong=np.arange(len(g)) % 2 == 0)
    for name in ("namf", "mf_at_10", "kappa_at_10", "mf_at_r", "ap", "auroc", "ap_within_errors", "ap_within_correct"):
        value, chance = METRICS[name].value(one), METRICS[name].chance(one)
        assert (value is None) == (chance is None), name
        assert value is None or value == pytest.approx(chance, abs=1e-12), name
    assert METRICS["ap_sklearn"].value(one) == pytest.approx(g.mean()), "scikit-learn's is the base rate"


@pytest.mark.parametrize(("n", "m"), [(40, 3), (40, 20), (7, 1)])
def test_random_orders_average_to_the_chance_levels(n, m):
    rng = np.random.default_rng(0)
    g = np.arange(n) < m
    wrong = rng.random(n) < 0.5
    flagged = rng.random((4000, n)) < 0.3
    cases = [case(rng.random(n), g, wrong, f) for f in flagged]
    for name in ("namf", "mf_at_10", "kappa_at_10", "mf_at_r", "ap", "auroc", "ap_within_errors", "flagged_recall"):
        pairs = [(METRICS[name].value(c), METRICS[name].chance(c)) for c in cases]
        defined = [(v, chance) for v, chance in pairs if v is not None]
        assert all((v is None) == (chance is None) for v, chance in pairs)
        if defined:
            v, chance = np.array(defined).T
            assert v.mean() == pytest.approx(chance.mean(), abs=4 * v.std() / np.sqrt(len(v)) + 1e-9), name


def test_expected_ap_by_enumeration():
    values = [average_precision(Ranking.of(-np.array(p, float), np.arange(6) < 2)) for p in permutations(range(6))]
    assert expected_ap(6, 2) == pytest.approx(np.mean(values), abs=1e-12)
    assert expected_ap(1, 1) == 1.0


def test_undefined_is_none_not_zero():
    h, g = np.arange(20.0), np.arange(20) < 5
    no_flag = case(h, g, wrong=np.zeros(20, bool), flagged=np.zeros(20, bool))
    assert METRICS["flagged_rate"].value(no_flag) == 0.0
    for name in ("flagged_precision", "flagged_recall", "flagged_f1", "flagged_gain", "ap_within_errors", "mf_at_25"):
        assert METRICS[name].value(no_flag) is None
        assert METRICS[name].chance(no_flag) is None
    assert kappa(Ranking.of(h, g), 20) is None
    assert METRICS["flagged_rate"].value(case(h, g)) is None


def test_flagged_gain_subtracts_what_the_errors_show_already():
    g = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
    wrong = np.array([1, 1, 0, 1, 1, 0, 0, 0], bool)
    flagged = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    c = case(np.zeros(8), g, wrong, flagged)
    assert METRICS["flagged_precision"].value(c) == 0.75
    assert METRICS["flagged_gain"].value(c) == 0.25
    assert METRICS["flagged_f1"].value(c) == pytest.approx(2 * 0.75 * 1.0 / 1.75)


def test_one_class_cannot_be_measured_against_itself():
    assert auroc(Ranking.of(np.arange(3.0), np.ones(3, bool))) is None
    assert average_precision(Ranking.of(np.arange(3.0), np.zeros(3, bool))) is None


@pytest.mark.parametrize("kind", ["plain", "ties"])
def test_parity_with_the_shared_arrays(shared, kind):
    ref = np.load(shared / "parity" / "metrics.npz", allow_pickle=False)
    inputs = np.load(shared / "parity" / "problem.npz", allow_pickle=False)
    y, g, s = inputs["test_y"], inputs["test_group"], ref[f"{kind}_score"]
    pooled = Ranking.of(s, g)
    got = [minority_fraction(pooled, int(k)) for k in ref["ks"]]
    np.testing.assert_allclose(got, ref[f"{kind}_mf_pooled"], rtol=0, atol=1e-9)
    assert sklearn_ap(pooled) == pytest.approx(float(ref[f"{kind}_ap_pooled"]), abs=1e-9)
    for c in range(3):
        r = Ranking.of(s[y == c], g[y == c])
        got = [minority_fraction(r, int(k)) for k in ref["ks"]]
        np.testing.assert_allclose(got, ref[f"{kind}_mf_per_class"][c], rtol=0, atol=1e-9)
        assert sklearn_ap(r) == pytest.approx(ref[f"{kind}_ap_per_class"][c], abs=1e-9)
        assert namf(r) == pytest.approx(ref[f"{kind}_namf_per_class"][c], abs=1e-9)
