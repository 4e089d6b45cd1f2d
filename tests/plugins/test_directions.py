"""The default direction of hardness, and captions along it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import DataError
from slicebench.plugins.directions import caption_cosines, hardness_directions
from slicebench_methods.confidence import Confidence


def data_of(X, labels=None, captions=None):
    n = len(X)
    labels = np.zeros(n, dtype=int) if labels is None else labels
    val = Split(ids=np.arange(n), embeddings=X, losses=np.zeros(n), labels=labels)
    train = replace(val, ids=np.array([f"t{i}" for i in range(n)]))
    return AuditData(train=train, val=val, class_names=("a", "b"), captions=captions)


def captions(embeddings, references=None):
    embeddings = np.asarray(embeddings, dtype=np.float32)
    d = embeddings.shape[1]
    return Captions(
        texts=[f"c{i}" for i in range(len(embeddings))],
        embeddings=embeddings,
        candidates=np.ones((2, len(embeddings)), dtype=bool),
        reference_texts=("r", "r"),
        references=np.zeros((2, d)) if references is None else references,
    )


def test_is_the_covariance_with_the_rank():
    from scipy.stats import rankdata

    rng = np.random.default_rng(0)
    X, h = rng.normal(size=(300, 5)).astype(np.float32), rng.integers(0, 20, 300).astype(float)
    expected = np.cov(X.T, rankdata(h), bias=True)[:5, 5]
    np.testing.assert_allclose(hardness_directions(data_of(X), h)[0], expected, rtol=1e-5)


def test_only_the_order_counts_and_each_class_has_its_own():
    rng = np.random.default_rng(1)
    X, labels = rng.normal(size=(600, 3)).astype(np.float32), np.repeat([0, 1], 300)
    h = np.where(labels == 0, X[:, 0], X[:, 1])
    data = data_of(X, labels)
    found = hardness_directions(data, h)
    np.testing.assert_allclose(found, hardness_directions(data, np.exp(3 * h)))
    assert np.abs(found).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("X", [np.ones((20, 3)), np.arange(3.0)[None]], ids=["constant embeddings", "one example"])
def test_nothing_that_varies_gives_no_direction(X):
    data = data_of(X.astype(np.float32))
    assert not hardness_directions(data, np.arange(float(len(X)))).any()
    assert not caption_cosines(hardness_directions(data, np.zeros(len(X))), captions(np.eye(3))).any()


def test_two_examples_give_the_line_between_them():
    X = np.array([[0.0, 0, 0], [3, 4, 0]], dtype=np.float32)
    found = hardness_directions(data_of(X), np.array([0.0, 1.0]))[0]
    np.testing.assert_allclose(found / np.linalg.norm(found), [0.6, 0.8, 0], atol=1e-6)


def test_constant_hardness_gives_no_direction():
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    assert not hardness_directions(data_of(X), np.ones(30)).any()


def test_cosines_are_with_the_difference_to_the_class_s_own_reference():
    references = np.array([[1.0, 0], [0, 1.0]])
    given = captions([[2, 0], [0, 3], [1, 0]], references)
    out = caption_cosines(np.array([[5.0, 0], [0, 0.1]]), given)
    np.testing.assert_allclose(out[0], [1, -1 / np.sqrt(10), 0], atol=1e-7)
    np.testing.assert_allclose(out[1], [-1 / np.sqrt(5), 1, -1 / np.sqrt(2)], atol=1e-7)


def test_every_method_has_captions_and_says_so_where_there_are_none(problem):
    method = Confidence().fit(problem.data)
    assert method.caption_hardness(problem.data).shape == (3, 4)
    with pytest.raises(DataError, match="no candidate captions"):
        method.caption_hardness(replace(problem.data, captions=None))
