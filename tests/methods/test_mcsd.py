from __future__ import annotations

import doctest
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import slicebench_methods.mcsd as module
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError
from slicebench.testing import assert_contract
from slicebench_methods.mcsd import MCSD, Graph, climb, heaviest, nearest
from tests.support import plants


def blobs(name, n=240):
    """One class in four blobs; the model is wrong on two thirds of the last, and on one of twelve elsewhere."""
    blob = np.arange(n) % 4
    wrong = np.where(blob == 3, np.arange(n) % 3 > 0, np.arange(n) % 12 == 0)
    X = np.random.default_rng(len(name)).normal(size=(n, 5)) + np.eye(4, 5)[blob] * 12
    probs = np.where(wrong[:, None], [0.2, 0.8], [0.8, 0.2])
    ids = [f"{name}{i}" for i in range(n)]
    return Split.from_probs(ids=ids, embeddings=X, labels=np.zeros(n, int), probs=probs), blob


def audit(val, class_names=("a", "b")):
    return AuditData(train=replace(val, ids=np.char.add("train-", val.ids)), val=val, class_names=class_names)


def random_programme(seed, n=12, k=3):
    """Embeddings, links and losses of a small problem."""
    rng = np.random.default_rng(seed)
    graph = Graph.of(rng.normal(size=(n, 2)).astype(np.float32), k)
    return graph, rng.random(n)


def objective(links, risk, w):
    return float(risk @ w + w @ (links @ w))


@pytest.fixture(scope="module")
def fitted():
    val, blob = blobs("val")
    return MCSD(size=0.15, n_slices=1).fit(audit(val)), val, blob


def test_contract_and_example():
    assert_contract(MCSD(size=0.3, n_slices=1, compactness=0.0, k=3, seed=5))
    assert doctest.testmod(module).failed == 0


def test_finds_the_plant():
    assert plants.found(MCSD()) > 0.85
    assert plants.declared(MCSD()) < 1e-6


def test_declares_nothing_where_there_is_nothing():
    assert plants.false_alarms(MCSD()) <= 1


def test_links_are_the_neighbours_of_an_ordinary_search():
    """w·links·w is the number of neighbours that are members too, over k, whatever twins there are."""
    from sklearn.neighbors import NearestNeighbors

    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32) * 100 + 1e4
    graph = Graph.of(X, 5)
    expected = NearestNeighbors(n_neighbors=5).fit(X.astype(np.float64)).kneighbors(return_distance=False)
    w = np.random.default_rng(1).random(60)
    assert w @ (graph.links @ w) == pytest.approx(np.sum(w[:, None] * w[expected]) / 5)
    twins = Graph.of(np.repeat(X[:6], 10, axis=0), 5).links.toarray()
    assert not twins.diagonal().any()
    np.testing.assert_allclose(twins.sum(), 60)


@pytest.mark.parametrize("seed", range(6))
def test_climbing_never_falls_and_ends_where_nothing_leads_upwards(seed):
    graph, risk = random_programme(seed)
    links, m, start = graph.links * 2.0, 4, np.full(12, 4 / 12)
    path = [climb(links, risk, start, m, steps) for steps in (0, 1, 2, 3, 5, 10, 50, 3000)]
    values = [objective(links, risk, w) for w in path]
    assert (np.diff(values) >= -1e-12).all()
    assert values[-1] > values[0]
    for w in path:
        assert w.sum() == pytest.approx(m)
        assert w.min() >= 0
        assert w.max() <= 1 + 1e-12
    gradient = risk + 2 * (links @ path[-1])
    assert np.sort(gradient)[-m:].sum() - gradient @ path[-1] < 0.02  # any feasible w gains at most this to first order


@pytest.mark.parametrize("seed", range(6))
def test_without_compactness_it_is_the_highest_losses(seed):
    graph, risk = random_programme(seed)
    np.testing.assert_array_equal(np.flatnonzero(heaviest(graph.links * 0, risk, 4)), np.sort(np.argsort(risk)[-4:]))


def test_near_the_best_of_all_subsets():
    """Of 12 over 4 subsets the best, by enumeration: on these eight problems never missed by more than a tenth."""
    for seed in range(8):
        graph, risk = random_programme(seed)
        subsets = [np.isin(np.arange(12), rows).astype(float) for rows in combinations(range(12), 4)]
        best = max(objective(graph.links, risk, w) for w in subsets)
        assert objective(graph.links, risk, heaviest(graph.links, risk, 4)) > 0.9 * best


def test_compactness_chooses_the_neighbours_among_equal_losses():
    """Ten high losses stand together, ten are strewn: without compactness nothing tells them apart."""
    n, rng = 200, np.random.default_rng(0)
    X, losses = rng.normal(size=(n, 2)).astype(np.float32), np.full(n, 0.1)
    X[:10] += 9
    losses[:10], losses[100:110] = 1.0, 1.0001
    graph = Graph.of(X, 5)
    assert set(np.flatnonzero(heaviest(graph.links, losses, 10) > 0.5)) == set(range(10))
    assert set(np.flatnonzero(heaviest(graph.links * 0, losses, 10) > 0.5)) == set(range(100, 110))


def test_the_slice_lies_in_the_bad_blob(fitted):
    method, _, blob = fitted
    weights = method.weights_[0][:, 0]
    assert weights.sum() == pytest.approx(36)
    assert weights[blob == 3].sum() == pytest.approx(36)
    assert method.slices_ == [(0, 0)]
    test, test_blob = blobs("test")
    scores = method.score(test)
    assert scores.membership.shape == (240, 1)
    assert not scores.membership[test_blob < 3].any()
    assert scores.flagged[test_blob == 3].mean() > 0.7


def test_membership_is_the_mean_weight_of_neighbours(fitted):
    method, val, _ = fitted
    test, _ = blobs("test", 40)
    V, X = val.embeddings.astype(np.float64), test.embeddings.astype(np.float64)
    near = np.argsort(((X[:, None] - V) ** 2).sum(axis=2), axis=1)[:, :10]
    share = method.weights_[0][near, 0].mean(axis=1)
    scores = method.score(test)
    np.testing.assert_allclose(scores.membership[:, 0], share, atol=1e-6)
    slice_rate, rest = method.rates_[0]
    np.testing.assert_allclose(scores.hardness, share * slice_rate + (1 - share) * rest)


def test_rates_are_not_those_of_the_choice():
    """Pure noise: the chosen have losses far above the class's, their cross-fitted rate is about the class's."""
    rng, n = np.random.default_rng(0), 600
    wrong = rng.random(n) < 0.3
    probs = np.where(wrong[:, None], [0.2, 0.8], [0.8, 0.2])
    val = Split.from_probs(ids=np.arange(n), embeddings=rng.normal(size=(n, 3)), labels=np.zeros(n, int), probs=probs)
    method = MCSD(n_slices=1, compactness=0.5).fit(audit(val))
    weights = method.weights_[0][:, 0]
    assert weights @ wrong / weights.sum() > 0.8
    assert abs(method.rates_[0][0] - 0.3) < 0.15
    assert method.slices_ == []


def test_losses_alone_are_enough_and_the_missing_test_is_noted(fitted):
    _, val, blob = fitted
    alone = replace(val, labels=None, probs=None, correct=None)
    method = MCSD(size=0.2, n_slices=2).fit(audit(alone, ()))
    scores = method.score(alone)
    assert scores.membership.shape == (240, 2)
    assert scores.hardness[blob == 3].mean() > scores.hardness[blob < 3].mean() + 0.2
    assert method.notes() == ("slices are not tested, because the task has no right and wrong",)
    assert len(MCSD(size=0.6, n_slices=3).fit(audit(alone, ())).slices_) == 1  # after it fewer are left than it needs


def test_classes_with_nothing_to_learn_fall_back_and_say_so(fitted):
    method, val, _ = fitted
    other = replace(val, labels=np.ones(val.n, int), correct=None, losses=val.losses)
    scores = method.score(other)
    np.testing.assert_allclose(scores.hardness, 0.5 - other.probs[:, 1].astype(float))
    np.testing.assert_array_equal(scores.flagged, ~other.correct)
    assert method.notes() == ("class 1 has too few validation examples (0); ranked by confidence",)
    same = replace(val, losses=np.ones(val.n))
    assert "losses all alike" in MCSD().fit(audit(same)).notes()[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X[:, :1],
        lambda X: X * 1e30 + 1e31,
        lambda X: np.full_like(X, 1e36),
        lambda X: np.repeat(X[:4], 60, axis=0),
    ],
)
def test_degenerate_embeddings(fitted, change):
    _, val, _ = fitted
    split = replace(val, embeddings=change(val.embeddings))
    method = MCSD().fit(audit(split))
    scores = method.score(split)
    assert np.isfinite(scores.hardness).all()
    some = np.array([7, 3, 9])
    np.testing.assert_allclose(method.score(split.take(some)).hardness, scores.hardness[some], atol=1e-9)


def test_equal_rows_have_equal_neighbours_wherever_they_stand():
    Y = np.repeat(np.random.default_rng(0).normal(size=(30, 7)) / 3, 3, axis=0)
    X = np.random.default_rng(1).permutation(np.repeat(Y, 20, axis=0))
    near = nearest(X, Y, 4)
    _, group = np.unique(X, axis=0, return_inverse=True)
    for g in range(30):
        assert len(np.unique(near[group == g], axis=0)) == 1


def test_a_handful_of_val_examples():
    val, _ = blobs("val", 24)
    for n in (1, 3, 4, 9):
        scores = MCSD().fit(audit(val.take(np.arange(n)))).score(val)
        assert np.isfinite(scores.hardness).all()
        assert scores.membership.shape == (24, 0)  # too few to bear a slice out


def test_refusals(fitted):
    _, val, _ = fitted
    for bad in ({"n_slices": 0}, {"k": 0}, {"size": 0.0}, {"size": 1.0}, {"compactness": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            MCSD(**bad).fit(audit(val))
