"""Mutual information of many features with one yes or no, by nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def mutual_information(X: Floats, target: NDArray[np.bool_], *, neighbours: int, seed: int) -> Floats:
    """Estimate the mutual information of each feature of `X` (n, d) with `target` (n,), shape (d,); at least 0.

    The estimate of Ross, "Mutual Information between Discrete and Continuous Data Sets", 2014, as scikit-learn's
    `mutual_info_classif` computes it, jitter included; both values of `target` must occur more than `neighbours` times. That
    function builds three trees per feature; here a feature is sorted, and neighbours stand side by side.
    """
    from scipy.special import digamma

    n, scale = len(X), X.std(axis=0)
    scale[scale < 10 * np.finfo(np.float64).eps * np.maximum(1, np.abs(X).max(axis=0))] = 1
    X = X / scale
    jitter = np.random.RandomState(seed).standard_normal(size=X.shape)
    X += 1e-10 * np.maximum(1, np.abs(X).mean(axis=0)) * jitter
    near = np.empty_like(X)
    ordered = np.sort(X, axis=0)
    for side in (target, ~target):
        own = np.sort(X[side], axis=0)
        radius = _farthest_of_nearest(own, neighbours)
        for j in range(X.shape[1]):
            near[side, j] = digamma(_within(ordered[:, j], own[:, j], radius[:, j]))
    counts = np.array([target.sum(), (~target).sum()])
    information = digamma(n) + digamma(neighbours) - counts @ digamma(counts) / n - near.mean(axis=0)
    positive: Floats = np.maximum(information, 0)
    return positive


def _farthest_of_nearest(ordered: Floats, k: int) -> Floats:
    """Compute the distance from each value to the k-th nearest other one of its column; columns (m, d) ascend."""
    m, d = ordered.shape
    outside = np.full((k, d), np.inf)
    padded = np.vstack([-outside, ordered, outside])
    # the k nearest stand in a row: some below, the others above
    reaches = [
        np.maximum(ordered - padded[k - below : k - below + m], padded[2 * k - below : 2 * k - below + m] - ordered)
        for below in range(k + 1)
    ]
    nearest: Floats = np.minimum.reduce(reaches)
    return nearest


def _within(ordered: Floats, centres: Floats, radius: Floats) -> NDArray[np.intp]:
    """Count the values, which ascend, that are nearer to each centre than its radius."""
    low, high = np.searchsorted(ordered, centres - radius), np.searchsorted(ordered, centres + radius)
    last = len(ordered) - 1
    # the value at the radius itself is not nearer, whichever way the sum was rounded
    low += centres - ordered[np.minimum(low, last)] >= radius
    high -= ordered[np.maximum(high - 1, 0)] - centres >= radius
    counts: NDArray[np.intp] = np.maximum(high - low, 1)
    return counts
