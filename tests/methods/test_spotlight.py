from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.spotlight as module
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, MethodError
from slicebench.testing import assert_contract, without_labels
from slicebench_methods._spotlight import Full, Spherical, ascend, ascend_together, objective
from slicebench_methods.spotlight import Spotlight


def lit_region(name, n=300, d=3, seed=0):
    """Losses of 1 in a fifth that sits apart, 0.1 elsewhere."""
    rng = np.random.default_rng([seed, len(name)])
    X, hard = rng.normal(size=(n, d)), rng.random(n) < 0.2
    X[hard, 0] += 6
    return Split(ids=[f"{name}{i}" for i in range(n)], embeddings=X, losses=0.1 + 0.9 * hard), hard


@pytest.fixture(scope="module")
def data():
    return AuditData(train=lit_region("train")[0], val=lit_region("val")[0])


@pytest.mark.parametrize(
    "method", [Spotlight(), Spotlight(precision="full", steps=100), Spotlight(by_class=True, restarts=3, steps=100)]
)
def test_contract(method):
    assert_contract(method)


def test_example():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("kernel", [Spherical, Full])
def test_gradient_is_the_finite_difference(kernel):
    rng = np.random.default_rng(1)
    X, losses = rng.normal(size=(60, 3)), rng.gamma(1.0, size=60)
    theta = np.append(rng.normal(size=3) * 0.3, np.log(0.2))
    if kernel is Full:
        theta = np.append(theta, np.tril(rng.normal(size=(3, 3)) * 0.2).ravel())
    at = kernel(X[None])

    def of(theta):
        return objective(at, losses, theta[None, None], np.array([[30.0]]), np.array([[5.0]]), scale=2.0)

    gradient = of(theta)[2][0, 0]
    for j in np.flatnonzero(gradient):
        up, down = theta.copy(), theta.copy()
        up[j] += 1e-6
        down[j] -= 1e-6
        slope = (of(up)[0] - of(down)[0]) / 2e-6
        assert gradient[j] == pytest.approx(slope.item(), rel=1e-5, abs=1e-7)
    assert np.count_nonzero(gradient) == (4 if kernel is Spherical else 4 + 6)  # E is lower triangular


@pytest.mark.parametrize(("n", "d", "scale"), [(400, 6, 1.0), (300, 40, 10.0), (60, 2, 1.0)])
def test_a_sphere_ascends_by_its_edge_as_with_all_points(n, d, scale):
    """The certificates let no point cross unseen: in float64, hundreds of steps agree to rounding."""
    rng = np.random.default_rng(d)
    X, losses = rng.normal(size=(1, n, d)), rng.gamma(1.0, size=(1, 1, n))
    theta, S, all_n = np.append(np.zeros(d), np.log(1e-4))[None, None], np.array([[0.1 * n]]), np.array([[n]])
    ends = ascend(Spherical(X), losses, theta, n=all_n, min_weight=S, steps=400, scale=scale)
    barriers = np.geomspace(all_n - S, 0.05 * S, 400)
    _, history = ascend_together(Spherical(X), losses, theta, min_weight=S, barriers=barriers, scale=scale)
    np.testing.assert_allclose(ends.objective[:250], history[:250, 0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ends.total_weight[:250], history[:250, 1], rtol=1e-8)
    assert (ends.weights > 0).sum() < n


def test_a_spotlight_without_points_has_no_gradient():
    one, two, theta = np.array([[1.0]]), np.array([[2.0]]), np.array([[[50.0, 50.0, 0.0]]])
    value, total, gradient = objective(Spherical(np.ones((1, 4, 2))), np.ones((1, 1, 4)), theta, one, two)
    assert (value, total) == (-2.25, 0.0)
    assert not gradient.any()


@pytest.mark.parametrize("precision", ["spherical", "full"])
def test_finds_the_lossy_region(data, precision):
    method = Spotlight(n_spotlights=1, min_fraction=0.1, precision=precision).fit(data)
    test, hard = lit_region("te")
    scores = method.score(test)
    assert hard[np.argsort(-scores.hardness)[:40]].all()
    assert scores.flagged[hard].mean() > 0.2
    assert not scores.flagged[~hard].any()


def test_each_spotlight_holds_its_least_weight(data):
    method = Spotlight(min_fraction=0.1).fit(data)
    assert (method.total_weights_ >= 0.1 * 300).all()
    # a later one, on losses dimmed nearly flat, may gain nothing from shrinking; the first does
    assert method.total_weights_[0, 0] <= 1.15 * 0.1 * 300


def test_later_spotlights_look_elsewhere():
    """Two hard regions: the first two spotlights take one each."""
    rng = np.random.default_rng(0)
    X, where = rng.normal(size=(400, 2)), np.arange(400) % 5
    X[where == 1, 0] += 8
    X[where == 2, 1] += 8
    val = Split(ids=[f"v{i}" for i in range(400)], embeddings=X, losses=0.05 + (where == 1) * 1.0 + (where == 2) * 0.8)
    weights = (
        Spotlight(n_spotlights=2, min_fraction=0.15)
        .fit(AuditData(train=lit_region("train", d=2)[0], val=val))
        .score(val)
        .membership
    )
    assert weights[where == 1].sum(axis=0).argmax() != weights[where == 2].sum(axis=0).argmax()


def test_hardness_is_defined_in_the_dark(data):
    """Trap 12: new data, all of it outside every kernel, still has an order: by distance to the nearest spotlight."""
    method = Spotlight(n_spotlights=2, min_fraction=0.1).fit(data)
    X = (method.means_[0, 0] * method.scale_ + method.center_) + np.array([[100.0, 0, 0], [200.0, 0, 0], [300.0, 0, 0]])
    scores = method.score(Split(ids=["a", "b", "c"], embeddings=X, losses=[0, 0, 0]))
    assert not scores.membership.any()
    assert not scores.flagged.any()
    assert (np.diff(scores.hardness) < 0).all()


def test_membership_is_the_kernel(data):
    method, (test, _) = Spotlight(n_spotlights=2).fit(data), lit_region("te")
    Z = (test.embeddings - method.center_) / method.scale_
    squares = np.stack(
        [t * ((Z - m) ** 2).sum(1) for m, t in zip(method.means_[0], method.precisions_[0], strict=True)], axis=1
    )
    scores = method.score(test)
    np.testing.assert_allclose(scores.membership, np.maximum(1 - squares, 0), atol=1e-6)
    np.testing.assert_allclose(scores.hardness, -squares.min(axis=1), rtol=1e-5)


def test_flags_as_many_of_val_as_it_must_hold(data):
    for S in (15, 30):
        method = Spotlight(n_spotlights=1, min_fraction=S / 300).fit(data)
        assert method.score(data.val).flagged.sum() == S


def test_scale_does_not_matter_when_standardised(data):
    def scaled(split):
        return replace(split, embeddings=split.embeddings * 1024)  # a power of two: not a bit is lost

    test, _ = lit_region("te")
    one = Spotlight().fit(data).score(test).hardness
    two = Spotlight().fit(AuditData(train=scaled(data.train), val=scaled(data.val))).score(scaled(test)).hardness
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "how", [lambda X: np.full_like(X, 0.1), lambda X: X * 1e30, lambda X: X * 1e-30, lambda X: X.astype(np.float16)]
)
@pytest.mark.parametrize("standardize", [True, False])
def test_degenerate_embeddings_stay_finite(how, standardize):
    train, val, test = (
        replace(s, embeddings=how(s.embeddings)) for s in (lit_region(n)[0] for n in ("train", "val", "te"))
    )
    method = Spotlight(n_spotlights=2, steps=60, standardize=standardize).fit(AuditData(train=train, val=val))
    assert np.isfinite(method.score(test).hardness).all()


@pytest.mark.parametrize("losses", [0.0, 1.0])
def test_constant_losses_stay_finite(data, losses):
    val = replace(data.val, losses=np.full(300, losses))
    method = Spotlight(steps=50).fit(AuditData(train=data.train, val=val))
    assert np.isfinite(method.score(val).hardness).all()


def test_classes_together_find_what_each_finds_alone(problem):
    """Classes of unequal size, batched and padded, ascend as each by itself: the paths part only where rounding decides."""
    data, options = problem.data, {"n_spotlights": 2, "steps": 150, "standardize": False}
    together = Spotlight(by_class=True, **options).fit(data)
    assert together.classes_.tolist() == [0, 1, 2]
    for g, rows in data.val.by_class():
        alone = Spotlight(**options).fit(
            AuditData(train=without_labels(data).train, val=without_labels(data).val.take(rows))
        )
        np.testing.assert_allclose(together.means_[g], alone.means_[0], atol=1e-3)
        np.testing.assert_allclose(together.total_weights_[g], alone.total_weights_[0], rtol=1e-2)


def test_a_large_class_does_not_pad_the_small_ones(data, monkeypatch):
    """Points of 180 in one class and 40 in three: no kernel sees 4 × 180."""
    labels, seen = np.repeat([0, 1, 2, 3], [180, 40, 40, 40]), []
    monkeypatch.setattr(module, "Spherical", lambda X: seen.append(X.shape) or Spherical(X))
    val = replace(data.val, labels=labels)
    found = Spotlight(n_spotlights=1, steps=5, by_class=True).fit(
        AuditData(train=data.train, val=val, class_names=tuple("abcd"))
    )
    assert sorted(seen) == [(1, 180, 3), (3, 40, 3)]
    assert found.means_.shape == (4, 1, 3)


def test_a_class_that_val_has_not_is_ranked_by_doubt(problem):
    keep = np.flatnonzero(problem.data.val.labels != 2)
    data = AuditData(train=problem.data.train, val=problem.data.val.take(keep), class_names=problem.data.class_names)
    scores, rows = Spotlight(by_class=True, steps=20).fit(data).score(problem.test), problem.test.labels == 2
    np.testing.assert_allclose(scores.hardness[rows], 0.5 - problem.test.probs[rows, 2], rtol=1e-6)
    assert not scores.flagged[rows].any()


def test_more_starts_are_never_worse(data):
    one, many = (Spotlight(n_spotlights=1, min_fraction=0.1, restarts=r).fit(data) for r in (1, 4))
    assert many.weighted_losses_[0, 0] >= one.weighted_losses_[0, 0] - 1e-3
    again = Spotlight(n_spotlights=1, min_fraction=0.1, restarts=4).fit(data)
    np.testing.assert_array_equal(again.means_, many.means_)


def test_needs_losses_only(problem):
    bare = without_labels(problem.data)
    assert Spotlight().supports(bare) is None
    assert np.isfinite(Spotlight(steps=20).fit(bare).score(bare.val).hardness).all()


def test_single_step_runs(data):
    assert np.isfinite(Spotlight(steps=1).fit(data).score(data.val).hardness).all()


def test_refusals(data):
    for bad in (
        {"min_fraction": 0.0},
        {"min_fraction": 1.0},
        {"precision": "round"},
        {"steps": 0},
        {"n_spotlights": 0},
    ):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            Spotlight(**bad).fit(data)
    with pytest.raises(MethodError, match="call fit"):
        Spotlight().score(data.val)
