"""Our numbers against the authors' own code, on the arrays of ../shared/parity; its README gives the tolerances."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench_methods._mixture import fit_mixture
from slicebench_methods._spotlight import Full, Spherical, ascend, objective
from slicebench_methods.domino import Domino
from slicebench_methods.spotlight import Spotlight
from slicebench_methods.svm_directions import SVMDirections

CLASSES = range(3)


def load(shared, name):
    with np.load(shared / "parity" / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays}


@pytest.fixture(scope="module")
def inputs(shared):
    return load(shared, "problem")


@pytest.fixture(scope="module")
def audit(inputs):
    def split(name):
        return Split.from_probs(
            ids=[f"{name}{i}" for i in range(1200)],
            embeddings=inputs[f"{name}_emb"],
            labels=inputs[f"{name}_y"],
            probs=inputs[f"{name}_probs"],
        )

    train = Split(ids=[f"train{i}" for i in range(1200)], embeddings=inputs["train_emb"], losses=np.zeros(1200))
    return AuditData(train=train, val=split("val"), class_names=("a", "b", "c")), split("test")


def close_to_largest(ours, theirs, rtol):
    """Within `rtol` of the largest entry."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * np.abs(theirs).max())


# ---- svm_directions: MadryLab/failure-directions -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def svm(shared):
    return load(shared, "svm")


@pytest.fixture(scope="module")
def grid_svm(audit):
    return SVMDirections().fit(audit[0])


def assert_decisions(ours, theirs, labels, flags=None):
    from scipy.stats import spearmanr

    for c in CLASSES:
        a, b = ours[labels == c], theirs[labels == c]
        assert np.abs(a - b).max() <= 0.01 * b.std()
        assert spearmanr(a, b).statistic >= 0.9999
        if flags is not None:
            clear = np.abs(b) > 0.01 * b.std()
            np.testing.assert_array_equal((a < 0)[clear], flags[labels == c][clear])


def test_svm_whitening(svm, grid_svm):
    np.testing.assert_allclose(grid_svm.whiten_mean_, svm["whiten_mean"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grid_svm.whiten_std_, svm["whiten_std"], rtol=1e-5)


def test_svm_model_selection(svm, grid_svm):
    np.testing.assert_allclose(grid_svm.cv_scores_, svm["cv_balanced_acc"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(grid_svm.best_C_, svm["best_C"])
    np.testing.assert_allclose(grid_svm.strength(), svm["best_cv"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("prefix", "exact"), [("", "exact_"), ("fixedC_", "fixedC_exact_")])
def test_svm_decisions(svm, grid_svm, audit, prefix, exact):
    data, test = audit
    method = grid_svm if not prefix else SVMDirections(Cs=(float(svm["fixedC"]),)).fit(data)
    for name, split in (("val", data.val), ("test", test)):
        scores = method.score(split)
        assert_decisions(
            -scores.hardness, svm[f"{prefix}{name}_decision"], split.labels, svm.get(f"{prefix}{name}_flagged")
        )
        np.testing.assert_array_equal(scores.flagged, scores.hardness > 0)
    assert_decisions(-method.score(test).hardness, svm[f"{exact}test_decision"], test.labels)
    close_to_largest(method.directions_, svm[f"{prefix}coef"], 0.01)
    close_to_largest(method.intercepts_, svm[f"{prefix}intercept"], 0.01)


def test_svm_captions(svm, grid_svm):
    for c in CLASSES:
        captions = Captions(
            texts=[str(i) for i in range(10)],
            embeddings=svm["caption_emb"][c],
            candidates=np.ones((3, 10), dtype=bool),
            reference_texts=["reference"] * 3,
            references=np.tile(svm["reference_emb"], (3, 1)),
        )
        ours, theirs = grid_svm.caption_scores(captions)[c], svm["caption_scores"][c]
        assert np.abs(ours - theirs).max() <= 0.01 * theirs.std()
        np.testing.assert_array_equal(np.argsort(ours), np.argsort(theirs))


# ---- domino: HazyResearch/domino ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def domino(shared):
    return load(shared, "domino")


@pytest.fixture(scope="module")
def categorical(inputs):
    """Labels (one-hot) and probabilities of val and test."""
    return {
        name: (np.eye(3)[inputs[f"{name}_y"]], inputs[f"{name}_probs"].astype(np.float64)) for name in ("val", "test")
    }


def confusion_start(Y, P, noise):
    """The start of run `conf`, as the README describes it."""
    resp = np.concatenate([Y[:, [a]] * P for a in CLASSES], axis=1)[:, np.arange(25) % 9]
    resp = resp / resp.sum(axis=1, keepdims=True) + 1e-3 * noise / 65536
    return resp / resp.sum(axis=1, keepdims=True)


def stored_start(prefix, domino, categorical):
    """Responsibilities that the stored run began with."""
    if prefix != "conf":
        return np.eye(25)[domino[f"{prefix}_init_labels"]]
    start = confusion_start(*categorical["val"], domino["conf_noise_u16"])
    np.testing.assert_allclose(start[:20], domino["conf_init_resp_first20"], rtol=0, atol=1e-12)
    return start


@pytest.mark.parametrize("prefix", ["w1", "w10", "pca", "conf"])
def test_domino_mixture(prefix, inputs, domino, categorical):
    X = {name: domino[f"pca_{name}"] if prefix == "pca" else inputs[f"{name}_emb"] for name in ("val", "test")}
    X = {name: value.astype(np.float64) for name, value in X.items()}
    start, weight = stored_start(prefix, domino, categorical), 1.0 if prefix == "w1" else 10.0
    mixture = fit_mixture(X["val"], *categorical["val"], start, y_weight=weight, y_hat_weight=weight)
    assert len(mixture.lower_bounds) == domino[f"{prefix}_n_iter"]
    assert mixture.converged == domino[f"{prefix}_converged"]
    rtol = 1e-5 if prefix == "pca" else 1e-6
    np.testing.assert_allclose(mixture.lower_bounds, domino[f"{prefix}_lower_bounds"], rtol=rtol)
    for ours, theirs in (("weights", "weights"), ("means", "means"), ("covariances", "covariances")):
        close_to_largest(getattr(mixture, ours), domino[f"{prefix}_{theirs}"], 1e-4)
    close_to_largest(mixture.y_probs, domino[f"{prefix}_y_probs"], 1e-4)
    close_to_largest(mixture.y_hat_probs, domino[f"{prefix}_yhat_probs"], 1e-4)
    for name in ("val", "test"):
        resp = mixture.responsibilities(X[name], *categorical[name])
        np.testing.assert_allclose(resp, domino[f"{prefix}_{name}_resp"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("prefix", ["w1", "w10", "conf"])
def test_domino_slices(prefix, audit, domino, categorical, monkeypatch):
    data, test = audit
    start, weight = stored_start(prefix, domino, categorical), 1.0 if prefix == "w1" else 10.0
    monkeypatch.setattr(Domino, "_start", lambda *_: start)
    method = Domino(y_weight=weight, y_hat_weight=weight, n_pca=None).fit(data)
    np.testing.assert_allclose(method.error_rate_, domino[f"{prefix}_error_rate"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(method.mass_, domino[f"{prefix}_mass_val"], rtol=1e-3, atol=1e-3)
    order = domino[f"{prefix}_error_rate_order"]
    if prefix == "w1":
        np.testing.assert_array_equal(method.slices_, order[:5])
    ranked = domino[f"{prefix}_error_rate"][order[:5]]
    np.testing.assert_allclose(method.error_rate_[method.slices_], ranked, rtol=0, atol=0.01)
    theirs = domino[f"{prefix}_test_resp"][:, method.slices_]
    np.testing.assert_allclose(method.score(test).membership, theirs, rtol=0, atol=1e-3)


# ---- spotlight: gregdeon/spotlight -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spotlight(shared):
    return load(shared, "spotlight")


@pytest.mark.parametrize("kernel", [Spherical, Full])
@pytest.mark.parametrize("i", range(5))
def test_spotlight_objective_and_gradient(kernel, i, inputs, spotlight):
    X, losses = inputs["val_emb"].astype(np.float64), spotlight["val_loss"].astype(np.float64)
    theta = np.append(spotlight["probe_mean"][i], spotlight["probe_log_precision"][i])
    if kernel is Full:
        theta = np.append(theta, np.zeros(64 * 64))
    at, theta = kernel(X[None]), theta[None, None]
    S, barrier = (spotlight[f"probe_{name}"][i].reshape(1, 1) for name in ("min_weight", "barrier_x"))
    value, total, gradient = (out[0, 0] for out in objective(at, losses, theta, S, barrier))
    weights = at.weights(theta)[0, 0]
    np.testing.assert_allclose(value, spotlight["probe_objective"][i], rtol=1e-9)
    np.testing.assert_allclose(total, spotlight["probe_total_weight"][i], rtol=1e-9)
    np.testing.assert_allclose(weights @ losses / weights.sum(), spotlight["probe_weighted_loss"][i], rtol=1e-9)
    close_to_largest(gradient[:64], spotlight["probe_grad_mean"][i], 1e-9)
    np.testing.assert_allclose(gradient[64], spotlight["probe_grad_log_precision"][i], rtol=1e-9)
    assert (weights > 0).sum() == spotlight["probe_active"][i]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("run", "losses"), [("p02", ""), ("p05", ""), ("s2", "s2_"), ("s3", "s3_")])
def test_spotlight_run(run, losses, dtype, inputs, spotlight):
    X, loss = inputs["val_emb"].astype(dtype), spotlight[f"{losses}val_loss"].astype(dtype)
    S, start = float(spotlight[f"{run}_min_weight"]), np.append(np.zeros(64), np.log(1e-4))
    n = np.array([[len(X)]])
    end = ascend(Spherical(X[None]), loss, start[None, None], n=n, min_weight=np.array([[S]]), steps=1000)
    early = spotlight[f"{run}_steps"][spotlight[f"{run}_steps"] <= 300]
    theirs = spotlight[f"{run}_objective"][: len(early)]
    assert (np.abs(end.objective[early - 1, 0, 0] - theirs) <= 1e-3 * np.maximum(1, np.abs(theirs))).all()
    np.testing.assert_allclose(
        end.total_weight[early - 1, 0, 0], spotlight[f"{run}_total_weight_history"][: len(early)], rtol=1e-3
    )
    weights = end.weights[0, 0]
    assert weights @ loss / weights.sum() >= 0.96 * spotlight[f"{run}_final_weighted_loss"]
    assert 1.0 <= weights.sum() / S <= 1.15
    correlation = np.corrcoef(weights, spotlight[f"{run}_val_weights_unnorm"])[0, 1]
    if correlation < 0.9:
        warnings.warn(f"{run}: weights correlate {correlation:.3f} with the stored ones, below .9", stacklevel=1)


def test_spotlight_method_is_the_numerics(audit, spotlight):
    data, test = audit
    method = Spotlight(n_spotlights=1, standardize=False).fit(data)
    np.testing.assert_allclose(method.weighted_losses_[0, 0], spotlight["p05_final_weighted_loss"], rtol=0.04)
    ours, theirs = method.score(test).membership[:, 0], spotlight["p05_test_weights_unnorm"]
    assert np.corrcoef(ours, theirs)[0, 1] >= 0.9
