from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.svm_directions as module
from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData
from slicebench.errors import ConfigError, DataError, MethodError
from slicebench.plugins.method import SliceMethod
from slicebench.testing import assert_contract, without_labels
from slicebench_methods.svm_directions import SVMDirections


def with_val(problem, **changes):
    return AuditData(
        train=problem.data.train, val=replace(problem.data.val, **changes), class_names=problem.data.class_names
    )


def errors_in_class(problem, c, keep):
    """Rightness of val with only `keep` errors left in class `c`."""
    val = problem.data.val
    correct = val.correct.copy()
    wrong = np.flatnonzero((val.labels == c) & ~val.correct)
    correct[wrong[keep:]] = True
    return correct


def test_contract_and_example():
    assert_contract(SVMDirections())
    assert_contract(SVMDirections(solver="squared_hinge"))
    assert doctest.testmod(module).failed == 0


def test_equals_scikit_learns_loop(problem):
    from sklearn.model_selection import cross_val_score
    from sklearn.svm import SVC

    method, val = SVMDirections(Cs=(0.01, 0.1, 1.0, 10.0), cv=3).fit(problem.data), problem.data.val
    Z = (val.embeddings - problem.data.train.embeddings.mean(0)) / problem.data.train.embeddings.std(0, ddof=1)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    for c in range(3):
        rows = val.labels == c
        svms = [SVC(kernel="linear", C=C, class_weight="balanced") for C in method.Cs]
        cv = [cross_val_score(s, Z[rows], val.correct[rows], cv=3, scoring="balanced_accuracy").mean() for s in svms]
        np.testing.assert_allclose(method.cv_scores_[c], cv, atol=1e-12)
        best = svms[int(np.argmax(cv))].fit(Z[rows], val.correct[rows])
        assert method.best_C_[c] == best.C
        np.testing.assert_allclose(-method.score(val).hardness[rows], best.decision_function(Z[rows]), atol=2e-3)


@pytest.mark.parametrize("n", [20, 400])
def test_the_batched_solver_minimises_the_squared_hinge(n):
    """Against L-BFGS; with more rows than twice the columns, and with fewer."""
    from scipy.optimize import minimize

    from slicebench_methods._squared_hinge import Batch, _balanced, solve

    rng = np.random.default_rng(0)
    sizes, Cs = np.array([n, n - 5]), np.array([[1e-3, 0.1, 5.0]] * 2, dtype=np.float32)
    Z = rng.normal(size=(2, n, 15)).astype(np.float32)
    Z[1, n - 5 :] = 0
    y = np.sign(Z[..., :1] + rng.normal(size=(2, n, 1)) + 0.5).astype(np.float32)
    y[1, n - 5 :] = 0
    weights = np.repeat(_balanced(y, y != 0), 3, axis=2)
    a, b = solve(Batch(np.arange(2), sizes, Z).product(), y, weights, Cs)
    W = Z.transpose(0, 2, 1) @ a
    for i in range(2):
        for j, C in enumerate(Cs[0]):

            def objective(v, i=i, j=j, C=C):
                slack = np.maximum(1 - y[i, :, 0] * (Z[i] @ v[:-1] + v[-1]), 0)
                return 0.5 * v[:-1] @ v[:-1] + C * weights[i, :, j] @ slack**2

            best = minimize(objective, np.zeros(16), options={"gtol": 1e-8}).fun
            assert objective(np.append(W[i, :, j], b[i, j])) <= best * (1 + 1e-4)


def test_the_batched_solver_ranks_as_the_papers_does(problem):
    svc, batched = (SVMDirections(solver=solver).fit(problem.data) for solver in ("svc", "squared_hinge"))
    a, b = (method.score(problem.test).hardness for method in (svc, batched))
    for c in range(3):
        rows = problem.test.labels == c
        assert np.corrcoef(a[rows].argsort().argsort(), b[rows].argsort().argsort())[0, 1] > 0.8


def test_batches_hold_every_class_once_and_little_padding():
    from slicebench_methods._batches import PADDING
    from slicebench_methods._squared_hinge import batches

    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(int(n), 3)) for n in rng.integers(2, 300, 40)]
    members = []
    for batch in batches(parts):
        assert batch.sizes.max() <= PADDING * batch.sizes.min()
        for b, c in enumerate(batch.members):
            np.testing.assert_allclose(batch.Z[b, : batch.sizes[b]], parts[c], rtol=1e-6)
            assert not batch.Z[b, batch.sizes[b] :].any()
        members += batch.members.tolist()
    assert sorted(members) == list(range(40))


def test_an_unknown_solver_is_named(problem):
    with pytest.raises(ConfigError, match="squared_hinge"):
        SVMDirections(solver="newton").fit(problem.data)


def test_ties_choose_the_smallest_C(problem):
    assert (SVMDirections(Cs=(1e-7, 1e-6)).fit(problem.data).best_C_ == 1e-7).all()


def test_rows_are_normalised_once(problem):
    """Trap 3: whitened and normalised rows have norm 1, and their train mean is not shifted again."""
    method = SVMDirections().fit(problem.data)
    X = problem.test.embeddings
    expected = (X - method.whiten_mean_) / method.whiten_std_
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(method._preprocess(X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("keep", "reason"),
    [(0, "class 1 has no errors to learn from"), (1, "class 1 has too few errors to learn from: 1, needs 2")],
)
def test_class_with_too_few_errors_falls_back(problem, keep, reason):
    method = SVMDirections().fit(with_val(problem, correct=errors_in_class(problem, 1, keep)))
    whole, scores, test = SVMDirections().fit(problem.data), method.score(problem.test), problem.test
    assert list(method.fallbacks_) == [1]
    assert method.fallbacks_[1].startswith(reason)
    rows = test.labels == 1
    np.testing.assert_array_equal(scores.hardness[rows], 0.5 - test.probs[rows, 1].astype(float))
    np.testing.assert_array_equal(scores.flagged[rows], ~test.correct[rows])
    np.testing.assert_array_equal(scores.hardness[~rows], whole.score(test).hardness[~rows])
    np.testing.assert_array_equal(np.isnan(method.strength()), [False, True, False])


def test_all_wrong_and_absent_classes_fall_back(problem):
    val = problem.data.val
    correct = np.where(val.labels == 0, False, val.correct)
    data = AuditData(
        train=problem.data.train,
        val=replace(val, correct=correct).take(np.flatnonzero(val.labels != 2)),
        class_names=problem.data.class_names,
    )
    method = SVMDirections().fit(data)
    assert set(method.fallbacks_) == {0, 2}
    assert "no right answers" in method.fallbacks_[0]
    assert "no validation examples" in method.fallbacks_[2]
    assert np.isfinite(method.score(problem.test).hardness).all()


def test_fallback_ranks_by_loss_without_probabilities(problem):
    method = SVMDirections().fit(with_val(problem, correct=errors_in_class(problem, 1, 0), probs=None))
    test = replace(problem.test, probs=None)
    rows = test.labels == 1
    np.testing.assert_array_equal(method.score(test).hardness[rows], test.losses[rows])


def test_constant_feature_and_single_train_row(problem):
    def flat(split):
        X = split.embeddings.copy()
        X[:, 3] = 0.1
        return replace(split, embeddings=X)

    method = SVMDirections().fit(
        AuditData(train=flat(problem.data.train), val=flat(problem.data.val), class_names=("a", "b", "c"))
    )
    assert method.whiten_std_[3] == 1
    assert np.abs(method.directions_[:, 3]).max() < 1e-6
    one = AuditData(train=problem.data.train.take(np.array([0])), val=problem.data.val, class_names=("a", "b", "c"))
    assert np.isfinite(SVMDirections().fit(one).score(problem.test).hardness).all()


def test_fewer_examples_than_dimensions(problem):
    def wide(split, seed):
        return replace(split, embeddings=np.random.default_rng(seed).normal(size=(split.n, 400)))

    data = AuditData(train=wide(problem.data.train, 0), val=wide(problem.data.val, 1), class_names=("a", "b", "c"))
    assert np.isfinite(SVMDirections().fit(data).score(wide(problem.test, 2)).hardness).all()


def test_captions_follow_the_direction(problem):
    method = SVMDirections().fit(problem.data)
    w = method.directions_[0] * method.whiten_std_  # a step along w, in the units of the embeddings
    captions = Captions(
        texts=("easy", "hard"),
        embeddings=np.stack([50 * w, -50 * w]),
        candidates=np.ones((3, 2), dtype=bool),
        reference_texts=("it",) * 3,
        references=np.zeros((3, len(w))),
    )
    scores = method.caption_scores(captions)
    assert scores.shape == (3, 2)
    assert scores[0, 1] < 0 < scores[0, 0]
    hardness = method.caption_hardness(replace(problem.data, captions=captions))
    np.testing.assert_array_equal(hardness, -scores)


def test_directions_are_the_gradient_of_hardness_but_for_the_norm(problem):
    method = SVMDirections().fit(problem.data)
    directions = method.directions(problem.data)
    for c in range(3):
        X = problem.test.embeddings[problem.test.labels == c].astype(float)
        Z = (X - method.whiten_mean_) / method.whiten_std_
        unscaled = -(Z @ method.directions_[c])
        np.testing.assert_allclose(X @ directions[c] - unscaled, (X @ directions[c] - unscaled)[0], atol=1e-5)


def test_a_class_that_fell_back_takes_the_default_direction_and_captions(problem):
    data = replace(with_val(problem, correct=errors_in_class(problem, 1, 0)), captions=problem.data.captions)
    method = SVMDirections().fit(data)
    hardness, default = method.caption_hardness(data), SliceMethod.caption_hardness(method, data)
    np.testing.assert_array_equal(method.directions(data)[1], SliceMethod.directions(method, data)[1])
    np.testing.assert_array_equal(hardness[[0, 2]], -method.caption_scores(data.captions)[[0, 2]])
    assert np.isfinite(default).all()
    assert not np.array_equal(hardness[0], default[0])


def test_caption_scores_are_nan_in_a_class_that_fell_back(problem):
    method = SVMDirections().fit(with_val(problem, correct=errors_in_class(problem, 1, 0)))
    np.testing.assert_array_equal(
        np.isnan(method.caption_scores(problem.data.captions)).all(axis=1), [False, True, False]
    )


def test_errors_say_what_is_missing(problem):
    with pytest.raises(MethodError, match="call fit"):
        SVMDirections().score(problem.test)
    method = SVMDirections().fit(problem.data)
    with pytest.raises(DataError, match="no labels, which svm_directions needs"):
        method.score(without_labels(problem.data).val)
    with pytest.raises(DataError, match=r"labels is 3 at row 0.*classes 0\.\.2"):
        method.score(replace(problem.test, labels=problem.test.labels + 3, probs=None))
    assert "whether the model is right" in SVMDirections().supports(without_labels(problem.data))
