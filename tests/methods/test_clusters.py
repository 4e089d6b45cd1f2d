"""`kmeans_errors`, `george` and `hdbscan_errors`, which divide each class and ask which part is wrong more often."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.george
import slicebench_methods.hdbscan_errors
import slicebench_methods.kmeans_errors
from slicebench.errors import ConfigError
from slicebench.testing import assert_contract
from slicebench_methods.george import George
from slicebench_methods.hdbscan_errors import HDBSCANErrors
from slicebench_methods.kmeans_errors import KMeansErrors
from tests.support import plants

ALL = [KMeansErrors(), George(max_clusters=4), HDBSCANErrors()]


@pytest.mark.parametrize(
    "method", [KMeansErrors(n_clusters=1), George(n_components=1, max_clusters=2), HDBSCANErrors(2, n_components=1)]
)
def test_contract(method):
    assert_contract(method)


@pytest.mark.parametrize(
    "module", [slicebench_methods.kmeans_errors, slicebench_methods.george, slicebench_methods.hdbscan_errors]
)
def test_example(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("method", "bar"), [*zip(ALL, [0.5, 0.8, 0.6], strict=True)])
def test_finds_the_plant_and_nothing_else(method, bar):
    assert plants.found(method) > bar
    assert plants.declared(method) < 1e-3
    assert plants.false_alarms(method) <= 1


def test_kmeans_hardness_is_the_difference_of_two_distances():
    data, test, _ = plants.planted()
    method = KMeansErrors(n_clusters=2).fit(data)
    z = (test.embeddings[0].astype(np.float64) - method.center_) / method.scale_
    parts = method.parts_[int(test.labels[0])]
    nearest = [np.linalg.norm(z - centres, axis=1).min() for centres in (parts.right, parts.wrong)]
    assert method.score(test).hardness[0] == pytest.approx(nearest[0] - nearest[1], rel=1e-6)
    assert len(parts.wrong) == len(parts.right) == 2


def test_george_counts_what_stands_apart():
    """Two blobs per class: two subclasses, and the worse of them is the slice."""
    data, test, group = plants.planted()
    method = George(n_components=1).fit(data)
    assert {len(parts.mixture) for parts in method.parts_.values()} == {2}
    scores = method.score(test)
    assert scores.membership.shape[1] == 2
    assert (scores.flagged == group).mean() > 0.85
    shares = method.parts_[0].shares(method._features(test))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    cats = test.labels == 0
    np.testing.assert_allclose(scores.hardness[cats], shares[cats] @ method.rates_[0])


def test_george_looks_at_no_error():
    data = plants.planted()[0]
    other = replace(data.val, correct=np.random.default_rng(0).permutation(data.val.correct))
    one, two = George().fit(data), George().fit(replace(data, val=other))
    for c in range(2):
        np.testing.assert_array_equal(one.parts_[c].mixture.means, two.parts_[c].mixture.means)


def test_scattered_errors_are_no_cluster():
    """Few errors, all over the place: no slice, everything equally hard."""
    data, test, _ = plants.planted(n=200)
    wrong = np.zeros(200, bool)
    wrong[np.random.default_rng(0).choice(200, 8, replace=False)] = True
    method = HDBSCANErrors().fit(replace(data, val=replace(data.val, correct=~wrong)))
    scores = method.score(test)
    assert method.notes() == tuple(f"class {c}: no cluster of errors; all equally hard" for c in (0, 1))
    assert scores.membership.shape == (200, 0)
    assert not scores.hardness.any()
    assert not scores.flagged.any()


def test_an_error_of_a_cluster_is_in_it():
    data, test, _ = plants.planted()
    method = HDBSCANErrors().fit(data)
    for parts in method.parts_.values():
        assert len(parts.errors) >= 1
        for k, spot in enumerate(parts.errors):
            Z = parts.mean + spot @ parts.axes
            assert (parts.shares(Z)[:, k] == 1).all()
            np.testing.assert_allclose(parts.distances(Z)[:, k], 0, atol=1e-6)
    far = replace(test, embeddings=test.embeddings + 1e4)
    assert not method.score(far).flagged.any()


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_a_tiny_val_is_no_reason_to_crash(method, n):
    data, test, _ = plants.planted(n=200)
    scores = type(method)(**method.get_params()).fit(replace(data, val=data.val.take(np.arange(n)))).score(test)
    assert np.isfinite(scores.hardness).all()


@pytest.mark.parametrize("method", ALL)
def test_duplicates_and_large_scales(method):
    data, test, _ = plants.planted(n=200)
    val = data.val.take(np.arange(200))
    same = replace(val, embeddings=np.repeat(val.embeddings[:4] * 1e4, 50, axis=0))
    scores = type(method)(**method.get_params()).fit(replace(data, val=same)).score(test)
    assert np.isfinite(scores.hardness).all()


def test_a_class_without_errors_is_ranked_by_confidence():
    data, test, _ = plants.planted()
    val = data.val.take(np.flatnonzero((data.val.labels == 0) | data.val.correct))
    for method in ALL:
        fitted = type(method)(**method.get_params()).fit(replace(data, val=val))
        dogs = test.labels == 1
        np.testing.assert_allclose(fitted.score(test).hardness[dogs], 0.5 - test.probs[dogs, 1])
        assert fitted.notes() == ("class 1 has no errors to learn from; ranked by confidence",)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (KMeansErrors(n_clusters=0), "n_clusters is 0"),
        (George(n_components=0), "n_components is 0"),
        (George(max_clusters=1), "max_clusters is 1"),
        (HDBSCANErrors(min_cluster_size=1), "min_cluster_size is 1"),
        (HDBSCANErrors(n_components=0), "n_components is 0"),
    ],
)
def test_parameters_that_cannot_be(method, said):
    with pytest.raises(ConfigError, match=said):
        method.fit(plants.planted(n=50)[0])
