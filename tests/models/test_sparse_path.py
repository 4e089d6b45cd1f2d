from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench.models.sparse import fit_path, standardisation
from slicebench.models.sparse.solver import Penalty, State, certify, settled_biases, softmax


def features(n=300, d=20, C=3, seed=0):
    """Standardised features, labels of a sparse linear model."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(n, 1))
    W = np.where(rng.random((d, C)) < 0.2, rng.normal(size=(d, C)) * 2, 0)
    y = (X @ W + rng.gumbel(size=(n, C))).argmax(axis=1)
    mean, scale = standardisation(X.astype(np.float32))
    return ((X - mean) * scale).astype(np.float32), y


def objective(layer, Z, y, alpha, grouped=False, lam=None):
    """Written otherwise than in the solver, in float64."""
    lam = layer.lam if lam is None else lam
    W, logits = layer.weights.astype(np.float64), Z.astype(np.float64) @ layer.weights.T + layer.biases
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])
    first = np.sqrt((W**2).sum(axis=0)).sum() if grouped else np.abs(W).sum()
    return loss + lam * (alpha * first + (1 - alpha) / 2 * (W**2).sum())


def path(Z, y, **options):
    return fit_path(Z, y, (Z, y), n_classes=int(y.max()) + 1, **options)


def test_parity_with_the_reference(shared):
    """At least as good as SAGA at every λ, with the sparsity and accuracy of the optimum (shared/parity/README.md)."""
    with np.load(shared / "parity" / "sparse.npz", allow_pickle=False) as file:
        z = dict(file)
    Z, y = z["train_x"], z["train_y"]
    found = path(Z, y, alpha=0.99, n_lambdas=12, smallest=0.01, tol=1e-6).layers[:-1]
    np.testing.assert_allclose([layer.lam for layer in found], z["lambdas"], rtol=1e-5)
    for k, layer in enumerate(found):
        value = objective(layer, Z, y, 0.99, lam=z["lambdas"][k])  # they differ in the seventh digit
        assert -1e-9 < value / z["opt_objective"][k] - 1 < (1e-4 if k == 0 else 1e-5)
        assert value <= z["saga_objective"][k] * (1 + 1e-6)
        nnz = np.count_nonzero(layer.weights)
        assert abs(nnz - z["opt_nnz"][k]) <= max(3, 0.05 * z["opt_nnz"][k])
        assert layer.accuracy(Z, y) == pytest.approx(z["opt_train_acc"][k], abs=0.005)
        assert layer.accuracy(z["test_x"], z["test_y"]) == pytest.approx(z["opt_test_acc"][k], abs=0.005)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_gap_bounds_the_distance_to_the_optimum(grouped):
    Z, y = features()
    rough = path(Z, y, n_lambdas=6, grouped=grouped, tol=1e-2)
    exact = path(Z, y, n_lambdas=6, grouped=grouped, tol=1e-6)
    for far, near in zip(rough.layers[:-1], exact.layers[:-1], strict=True):
        distance = objective(far, Z, y, 0.99, grouped) - objective(near, Z, y, 0.99, grouped)
        assert -1e-5 <= distance <= far.gap + 1e-6
        assert near.gap <= 1e-6 * near.objective + 1e-7


@pytest.mark.parametrize(("alpha", "grouped"), [(1.0, False), (0.5, False), (0.99, True)])
def test_optimality_conditions(alpha, grouped):
    """A used weight balances its gradient, an unused one is outweighed by the penalty."""
    Z, y = features()
    for layer in path(Z, y, n_lambdas=5, smallest=0.05, alpha=alpha, grouped=grouped, tol=1e-7).layers[:-1]:
        P = softmax(layer.logits(Z), y)[0]
        G = ((P - np.eye(3)[y]).T @ Z / len(y)).astype(np.float64)
        W = layer.weights.astype(np.float64)
        size = np.linalg.norm(W, axis=0, keepdims=True) if grouped else np.abs(W)
        used = np.broadcast_to(size > 1e-3, W.shape)
        pull = G + layer.lam * (1 - alpha) * W + layer.lam * alpha * W / np.maximum(size, 1e-12)
        assert np.abs(pull[used]).max(initial=0) < 0.05 * layer.lam
        unused = np.linalg.norm(G, axis=0)[size[0] == 0] if grouped else np.abs(G)[W == 0]
        assert unused.max(initial=0) <= layer.lam * alpha * 1.01


def test_the_path_begins_with_nothing_and_ends_dense():
    Z, y = features()
    found = path(Z, y, n_lambdas=20)
    assert found.per_class[0] == 0
    assert found.per_class[1] > 0
    assert found.layers[-1].lam == 0
    assert np.count_nonzero(found.layers[-1].weights) == 3 * 20
    assert np.isnan(found.layers[-1].gap)
    shares = np.exp(found.layers[0].biases) / np.exp(found.layers[0].biases).sum()
    np.testing.assert_allclose(shares, np.bincount(y) / len(y), atol=1e-5)


def test_grouped_features_are_in_for_all_classes_or_none():
    Z, y = features()
    for layer in path(Z, y, n_lambdas=10, grouped=True).layers:
        used = layer.weights != 0
        assert (used.all(axis=0) | ~used.any(axis=0)).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_a_constant_feature_is_never_used(grouped):
    """Trap 14: an all-zero feature made the released code's grouped path NaN."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 5)).astype(np.float32), rng.integers(0, 2, 200)
    X[:, 0] += 2 * y
    X[:, 3] = 7
    mean, scale = standardisation(X)
    assert scale[3] == 0
    for layer in path((X - mean) * scale, y, n_lambdas=8, grouped=grouped).layers:
        assert np.isfinite(layer.weights).all()
        assert not layer.weights[:, 3].any()


def test_choosing():
    Z, y = features()
    found = path(Z, y, n_lambdas=30)
    best = found.accuracies.max()
    k = found.within(0.05)
    assert found.accuracies[k] >= best - 0.05
    assert all(found.per_class[k] <= found.per_class[j] for j in np.flatnonzero(found.accuracies >= best - 0.05))
    assert found.accuracies[found.within(0.05, relative=True)] >= 0.95 * best
    few = found.with_features(3)
    assert found.per_class[few] <= 3
    assert found.accuracies[few] == found.accuracies[found.per_class <= 3].max()
    assert found.within(0.0) != 0, "the best layer is not, as in trap 14, the one with the largest λ"
    with pytest.raises(ConfigError, match="between 0 and 1"):
        found.within(2.0)


def test_an_absent_class_is_never_predicted():
    Z, y = features(C=3)
    found = fit_path(Z[y != 1], y[y != 1], (Z, y), n_classes=4, n_lambdas=5)
    for layer in found.layers:
        assert set(np.unique(layer.logits(Z).argmax(axis=1))) <= {0, 2}
        assert not layer.weights[[1, 3]].any()


def test_what_cannot_be_fitted():
    Z, y = features()
    with pytest.raises(DataError, match="one class"):
        path(Z, np.zeros_like(y))
    with pytest.raises(DataError, match="no feature varies"):
        path(np.zeros_like(Z), y)
    for wrong in ({"alpha": 0.0}, {"n_lambdas": 1}, {"smallest": 1.0}, {"tol": 0.0}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))} is"):
            path(Z, y, **wrong)


def test_separable_classes_end():
    """Without a penalty the loss has no minimum; the dense layer ends all the same."""
    Z = np.array([[-1.0], [-1.0], [1.0], [1.0]], np.float32)
    layer = path(Z, np.array([0, 0, 1, 1]), n_lambdas=3).layers[-1]
    assert np.isfinite(layer.weights).all()
    assert layer.accuracy(Z, np.array([0, 0, 1, 1])) == 1


def test_progress_is_told():
    Z, y = features()
    told = []
    path(Z, y, n_lambdas=4, on_progress=lambda *event: told.append(event))
    assert [event[:2] for event in told] == [(k, 5) for k in range(1, 6)]


def test_settled_biases_expect_as_many_as_there_are():
    Z, y = features()
    biases = settled_biases((Z[:, :3] * 2).astype(np.float32), y, np.zeros(3, np.float32))
    P = softmax(Z[:, :3] * 2 + biases, y)[0]
    np.testing.assert_allclose(P.mean(axis=0), np.bincount(y) / len(y), atol=1e-4)


def test_the_dual_is_below_every_objective():
    Z, y = features()
    rng = np.random.default_rng(1)
    penalty = Penalty(lam=0.01, alpha=0.9, grouped=False)
    W = (rng.normal(size=(20, 3)) * 0.1).astype(np.float32)
    at = certify(Z, y, State(W, np.zeros(3, np.float32), Z @ W), penalty)
    best = min(path(Z, y, n_lambdas=40, alpha=0.9, tol=1e-6).layers, key=lambda layer: abs(layer.lam - 0.01))
    assert at.gap > 0
    assert at.objective - at.gap <= best.objective + abs(best.lam - 0.01) * np.abs(best.weights).sum() + 1e-5


@pytest.mark.skipif(find_spec("glm_saga") is None, reason="needs the authors' package: pip install glm_saga")
def test_beside_the_authors_package():
    """Same objective to 1e-3 at every λ, or better; tests/bench has the times."""
    import torch
    from glm_saga.elasticnet import IndexedTensorDataset, glm_saga

    Z, y = features(n=600, d=40, C=4)
    torch.manual_seed(0)
    linear = torch.nn.Linear(40, 4)
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    loader = torch.utils.data.DataLoader(
        IndexedTensorDataset(torch.tensor(Z), torch.tensor(y)), batch_size=100, shuffle=True
    )
    theirs = glm_saga(
        linear, loader, 0.1, 2000, 0.99, epsilon=1e-2, k=8, tol=1e-4, lookbehind=3, n_ex=600, n_classes=4, do_zero=False
    )
    ours = path(Z, y, n_lambdas=8, smallest=1e-2)
    for their, our in zip(theirs["path"], ours.layers[:-1], strict=True):
        assert our.objective <= their["loss"] * (1 + 1e-3)
