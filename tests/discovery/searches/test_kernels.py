"""Likeness is a Gaussian of the distance, and ridge weights solve their equations."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.discovery.searches.kernels import likeness, solved, squared_distances

RNG = np.random.default_rng(0)


def test_likeness_falls_with_the_distance():
    X, landmarks = (RNG.normal(size=(n, 5)).astype(np.float32) for n in (40, 7))
    expected = np.exp(-((X[:, None] - landmarks) ** 2).sum(axis=2) / 3.0)
    assert likeness(X, landmarks, 3.0) == pytest.approx(expected, abs=1e-5)
    assert np.exp(-squared_distances(X, landmarks) / 3.0) == pytest.approx(expected, abs=1e-5)
    wide = np.ones((40, 8), dtype=np.float32)
    likeness(X, landmarks, 3.0, out=wide[:, :-1])
    assert wide[:, :-1] == pytest.approx(expected, abs=1e-5)
    assert (wide[:, -1] == 1).all()


def test_weights_solve_the_ridge_regression():
    features, outcome = RNG.normal(size=(60, 6)), RNG.normal(size=60)
    gram, moment = features.T @ features, features.T @ outcome
    added = 0.5 * np.trace(gram) / 6 * np.eye(6)
    assert solved(gram, moment, 0.5) == pytest.approx(np.linalg.solve(gram + added, moment), rel=1e-5)
    assert (solved(np.zeros((3, 3)), np.zeros(3), 0.5) == 0).all()
