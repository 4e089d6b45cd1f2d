"""The elastic-net path beside the authors' SAGA. `pytest tests/bench/test_sparse.py --benchmark-enable` (needs glm_saga)."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from slicebench.sparse import fit_path, standardisation

N, D, C, K = 2000, 128, 10, 8


def features():
    """Correlated features of low rank and noise, as deep features are; labels of a sparse linear model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 20)) @ rng.normal(size=(20, D)) * 0.7 + rng.normal(size=(N, D))
    W = rng.normal(size=(D, C)) * (rng.random((D, C)) < 0.1)
    y = (0.3 * X @ W + rng.gumbel(size=(N, C))).argmax(axis=1)
    mean, scale = standardisation(X.astype(np.float32))
    return ((X - mean) * scale).astype(np.float32), y


@pytest.mark.benchmark(group="elastic-net path, n 2,000, d 128, 10 classes, 8 λ")
def test_ours(benchmark):
    Z, y = features()
    path = benchmark(lambda: fit_path(Z, y, (Z, y), n_classes=C, n_lambdas=K))
    assert max(layer.gap / layer.objective for layer in path.layers[:-1]) < 2e-3


@pytest.mark.benchmark(group="elastic-net path, n 2,000, d 128, 10 classes, 8 λ")
def test_saga(benchmark):
    elasticnet = pytest.importorskip("glm_saga.elasticnet", reason="needs the authors' package: pip install glm_saga")
    if not benchmark.enabled:
        pytest.skip("minutes; with --benchmark-enable only")
    import torch

    Z, y = features()
    dataset = elasticnet.IndexedTensorDataset(torch.tensor(Z), torch.tensor(y))
    loader = torch.utils.data.DataLoader(dataset, batch_size=256, shuffle=True)

    def run():
        torch.manual_seed(0)
        linear = torch.nn.Linear(D, C)
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        options = {"epsilon": 1e-3, "k": K, "tol": 1e-4, "lookbehind": 3, "n_ex": N, "n_classes": C, "do_zero": False}
        with contextlib.redirect_stdout(io.StringIO()):
            return elasticnet.glm_saga(linear, loader, 0.1, 2000, 0.99, **options)

    theirs = benchmark.pedantic(run, rounds=1)
    ours = fit_path(Z, y, (Z, y), n_classes=C, n_lambdas=K)
    for their, our in zip(theirs["path"], ours.layers[:-1], strict=True):
        assert our.objective <= their["loss"] * (1 + 1e-3)
