"""Gaussian mixtures of few dimensions, several sizes and starts of which are fitted together.

The fits are those of scikit-learn's `GaussianMixture` with full covariances, up to rounding: the same k-means++ starts from
the same random numbers, Lloyd's algorithm, and EM until the mean log-likelihood changes by less than 1e-3. With one row of
products (x_i x_j, x_i, 1) per point, the log-densities of all components of all mixtures are one matrix product, and their
moments another. In two or three dimensions scikit-learn spends nearly all of its time between such products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.intp]

TOLERANCE, MAX_ITER = 1e-3, 100
KMEANS_TOLERANCE, KMEANS_MAX_ITER = 1e-4, 300
BATCH_FLOATS = 2**18
"""Log-densities that are computed together; as many fit into a processor's own cache."""
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Mixture of k components with weights (k,), means (k, d) and precisions' triangular factors (k, d, d).

    The inverse covariance of a component is F Fᵀ.
    """

    weights: Floats
    means: Floats
    factors: Floats

    def __len__(self) -> int:
        return len(self.weights)

    def responsibilities(self, X: Floats) -> Floats:
        """Compute the probability of each component for each row, shape (n, k); equal rows get equal ones."""
        joint = self._log_joint(X)
        joint -= joint.max(axis=1, keepdims=True)
        resp: Floats = np.exp(joint, out=joint)
        resp /= resp.sum(axis=1, keepdims=True)
        return resp

    def bic(self, X: Floats) -> float:
        """Compute the Bayesian information criterion on `X`; lower is better."""
        joint, (k, d) = self._log_joint(X), self.means.shape
        peak = joint.max(axis=1)
        likelihood = np.log(np.exp(joint - peak[:, None]).sum(axis=1)) + peak
        free = k * d * (d + 1) / 2 + k * d + k - 1
        return float(-2 * likelihood.sum() + free * np.log(len(X)))

    def _log_joint(self, X: Floats) -> Floats:
        joint = np.empty((len(X), len(self)))
        for k, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            joint[:, k] = -0.5 * np.square(np.einsum("ni,ij->nj", X - mean, factor)).sum(axis=1)
        logs = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        joint += np.log(self.weights) + logs - 0.5 * X.shape[1] * np.log(2 * np.pi)
        return joint


def fit_mixtures(X: Floats, sizes: Sequence[int], *, starts: int, seed: int, reg_covar: float) -> list[Gaussians]:
    """Fit a mixture of each size to `X` (n, d), the likeliest of `starts`; every size draws from `seed` anew."""
    shift = X.mean(axis=0)
    points, found = X - shift, []
    for batch in _batches(sizes, starts * len(X)):
        labels = []
        for k in batch:
            rng = np.random.RandomState(seed)
            labels += [_kmeans(points, k, rng) for _ in range(starts)]
        mixtures, bounds = _expectation_maximisation(points, labels, np.repeat(batch, starts), reg_covar)
        best = np.reshape(bounds, (len(batch), starts)).argmax(axis=1) + starts * np.arange(len(batch))
        found += [mixtures[i] for i in best]
    return [Gaussians(m.weights, m.means + shift, m.factors) for m in found]


def _batches(sizes: Sequence[int], floats: int) -> Iterator[list[int]]:
    """Divide sizes into runs of bounded memory, at `floats` numbers per component."""
    batch: list[int] = []
    for k in sizes:
        if batch and (sum(batch) + k) * floats > BATCH_FLOATS:
            yield batch
            batch = []
        batch.append(k)
    if batch:
        yield batch


def _kmeans(X: Floats, k: int, rng: np.random.RandomState) -> Labels:
    """Cluster centred points by Lloyd's algorithm from a k-means++ start, as scikit-learn does; return labels (n,)."""
    centres = X[_plus_plus(X, k, rng)]
    tolerance, labels = KMEANS_TOLERANCE * X.var(axis=0).mean(), np.full(len(X), -1)
    for _ in range(KMEANS_MAX_ITER):
        before, labels = labels, _nearest(X, centres)
        counts = np.bincount(labels, minlength=k)
        if not counts.all():
            return _kmeans_of_scikit_learn(X, centres)
        moved = np.stack([np.bincount(labels, x, k) for x in X.T], axis=1) / counts[:, None]
        shift, centres = np.square(moved - centres).sum(), moved
        if (labels == before).all():
            return labels
        if shift <= tolerance:
            break
    return _nearest(X, centres)


def _nearest(X: Floats, centres: Floats) -> Labels:
    nearest: Labels = (0.5 * np.square(centres).sum(axis=1)[:, None] - centres @ X.T).argmin(axis=0)
    return nearest


def _kmeans_of_scikit_learn(X: Floats, centres: Floats) -> Labels:
    """Cluster from `centres` by scikit-learn, which knows what to do with a cluster that is left without points."""
    from sklearn.cluster import KMeans

    labels: Labels = KMeans(len(centres), init=centres, n_init=1).fit(X).labels_.astype(np.intp)
    return labels


def _plus_plus(X: Floats, k: int, rng: np.random.RandomState) -> Labels:
    """Choose k rows by greedy k-means++ (Arthur, Vassilvitskii 2007): of some candidates, the one that helps most."""
    n, trials, chosen = len(X), 2 + int(np.log(k)), np.empty(k, dtype=np.intp)
    chosen[0] = rng.choice(n, p=np.full(n, 1 / n))
    squares = np.square(X).sum(axis=1)

    def distances(rows: Labels) -> Floats:
        apart: Floats = np.maximum(squares[rows, None] + squares - 2 * X[rows] @ X.T, 0)
        return apart

    closest = distances(chosen[:1])[0]
    for c in range(1, k):
        candidates = np.searchsorted(np.cumsum(closest), rng.uniform(size=trials) * closest.sum())
        closer = np.minimum(closest, distances(np.minimum(candidates, n - 1)))
        best = closer.sum(axis=1).argmin()
        chosen[c], closest = min(candidates[best], n - 1), closer[best]
    return chosen


def _expectation_maximisation(
    X: Floats, labels: Sequence[Labels], sizes: NDArray[np.intp], reg_covar: float
) -> tuple[list[Gaussians], Floats]:
    """Fit a mixture from each clustering of centred points; return also the mean log-likelihoods of their last E-steps.

    Components of all mixtures lie behind one another, T in all; mixtures that are done leave.
    """
    products = _products(X)
    resp = np.concatenate([(labels_ == np.arange(k)[:, None]) for labels_, k in zip(labels, sizes, strict=True)])
    running, bounds = np.arange(len(sizes)), np.full(len(sizes), -np.inf)
    done: dict[int, Gaussians] = {}
    components = _maximised(resp.astype(np.float64), products, X.shape[1], reg_covar, sizes)
    for iteration in range(MAX_ITER):
        starts = np.cumsum(sizes[running]) - sizes[running]
        resp, bound = _expected(components, products, starts, sizes[running])
        components = _maximised(resp, products, X.shape[1], reg_covar, sizes[running])
        over = np.abs(bound - bounds[running]) < TOLERANCE
        bounds[running] = bound
        if iteration == MAX_ITER - 1:
            over[:] = True
        for i in np.flatnonzero(over):
            part = slice(starts[i], starts[i] + sizes[running[i]])
            done[int(running[i])] = Gaussians(*(array[part] for array in components))
        if over.any():
            staying = np.repeat(~over, sizes[running])
            components, running = tuple(array[staying] for array in components), running[~over]
        if not len(running):
            break
    return [done[i] for i in range(len(sizes))], bounds


def _products(X: Floats) -> Floats:
    """Return rows x_i x_j, then x_i and 1, shape (n, d² + d + 1)."""
    n, d = X.shape
    return np.hstack([(X[:, :, None] * X[:, None, :]).reshape(n, d * d), X, np.ones((n, 1))])


def _maximised(
    resp: Floats, products: Floats, d: int, reg_covar: float, sizes: NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """Do the M-step from responsibilities (T, n): weights (T,), means (T, d) and precision factors (T, d, d)."""
    moments = resp @ products
    mass = moments[:, -1] + 10 * EPS
    moments /= mass[:, None]
    means = moments[:, d * d : -1]
    covariances = moments[:, : d * d].reshape(-1, d, d) - means[:, :, None] * means[:, None, :]
    covariances += reg_covar * np.eye(d)
    factors = np.linalg.inv(np.linalg.cholesky(covariances)).swapaxes(1, 2)
    starts = np.cumsum(sizes) - sizes
    return mass / np.repeat(np.add.reduceat(mass, starts), sizes), means, factors


def _expected(
    components: tuple[Floats, Floats, Floats], products: Floats, starts: NDArray[np.intp], sizes: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Do the E-step: responsibilities (T, n), and the mean log-likelihood of each mixture."""
    weights, means, factors = components
    T, d = means.shape
    precisions = factors @ factors.swapaxes(1, 2)
    slopes = (precisions @ means[:, :, None])[:, :, 0]
    logs = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1) - 0.5 * d * np.log(2 * np.pi)
    constants = np.log(weights) + logs - 0.5 * (slopes * means).sum(axis=1)
    resp = np.hstack([-0.5 * precisions.reshape(T, d * d), slopes, constants[:, None]]) @ products.T
    peak = np.maximum.reduceat(resp, starts, axis=0)
    resp -= np.repeat(peak, sizes, axis=0)
    np.exp(resp, out=resp)
    total = np.add.reduceat(resp, starts, axis=0)
    resp /= np.repeat(total, sizes, axis=0)
    return resp, (np.log(total) + peak).mean(axis=1)
