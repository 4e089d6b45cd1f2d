"""Numerics of the spotlight: kernels with hand-derived gradients, and the ascent under a shrinking barrier.

A point's weight is k(x) = max(1 − q(x), 0), q a squared distance from the centre in units of the spotlight's radius. The
objective (d'Eon et al. 2021) is the weighted mean loss Σ k ℓ / Σ k, minus scale · (S + b − Σ k)² / b² while the total
weight Σ k is below S + b; the barrier width b shrinks geometrically from n − S to S / 20.

Ellipsoids ascend together: r of them (starts) in each of g groups of points (classes), so
parameters have shape (g, r, p), weights and losses (g, r, n). Groups are padded to equal n with
points that are too far away to have a weight. Products with the points are in the points'
precision, which may be float32; parameters, sums over points and the ascent are float64. Spheres, of which a step need not
look at all points, ascend one by one (`_spotlight_sphere`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from slicebench_methods._spotlight_sphere import (
    ADAM_EPS,
    BETA1,
    BETA2,
    DECAY,
    LEARNING_RATE,
    PATIENCE,
    THRESHOLD,
    Sphere,
    ascend_sphere,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Points = NDArray[np.floating]

FAR = 1e15
"""Every coordinate of a padding point."""


class Kernel(Protocol):
    """Weights of fixed points as a function of parameters θ, whose first entries are the centre μ and the log precision."""

    def weights(self, theta: Array) -> Points:
        """Compute the weight of each point, shape (g, r, n)."""
        ...

    def gradient(self, slope: Points) -> Array:
        """Compute the gradient of Σ slope · k by the last θ of `weights`; `slope` is 0 where the weight is."""
        ...


class Spherical:
    """q = τ ‖x − μ‖², θ = (μ, log τ); `X` is (g, n, d).

    With rows a = (x, ‖x‖², 1) the weights are one matrix product with (2τμ, −τ, 1 − τ‖μ‖²), the gradient another. Points are
    moved to the mean of all first, where the squares cancel least.
    """

    def __init__(self, X: Points) -> None:
        g, n, d = X.shape
        self._origin = X[X[..., 0] < FAR].mean(axis=0, dtype=np.float64)
        self._A = np.empty((g, n, d + 2), dtype=X.dtype)
        np.subtract(X, self._origin.astype(X.dtype), out=self._A[..., :d])
        np.einsum("...ij,...ij->...i", self._A[..., :d], self._A[..., :d], out=self._A[..., d])
        self._A[..., d + 1] = 1

    def sphere(self, g: int, n: int, losses: Points, theta: Array) -> Sphere:
        """Make the spotlight θ (p,) on the first `n` points of group `g`, which are those that do not pad."""
        return Sphere(self._A[g, :n], losses[:n], theta[:-1] - self._origin, float(theta[-1]))

    def theta(self, sphere: Sphere) -> Array:
        """Return the parameters (p,) of what `sphere` made."""
        return np.append(sphere.centre + self._origin, sphere.log_tau)

    def weights(self, theta: Array) -> Points:
        self._mu, self._tau = theta[..., :-1] - self._origin, np.exp(theta[..., -1:])
        self._mu2 = _dots(self._mu, self._mu)
        coef = np.empty((*theta.shape[:-1], theta.shape[-1] + 1), dtype=self._A.dtype)
        np.multiply(self._mu, 2 * self._tau, out=coef[..., :-2], casting="same_kind")
        coef[..., -2:-1], coef[..., -1:] = -self._tau, 1 - self._tau * self._mu2
        k: Points = np.ascontiguousarray(
            (self._A @ coef.swapaxes(1, 2)).swapaxes(1, 2)
        )  # twice as fast as points on the right
        return np.maximum(k, 0, out=k)

    def gradient(self, slope: Points) -> Array:
        sums = (slope @ self._A).astype(np.float64)  # Σ s x, Σ s ‖x‖², Σ s
        sx, sx2, s = sums[..., :-2], sums[..., -2:-1], sums[..., -1:]
        moment = sx2 - 2 * _dots(self._mu, sx) + self._mu2 * s
        gradient = np.empty((*sx.shape[:-1], sx.shape[-1] + 1))
        sx -= s * self._mu
        np.multiply(sx, 2 * self._tau, out=gradient[..., :-1])
        np.multiply(moment, -self._tau, out=gradient[..., -1:])
        return gradient


def _dots(a: Array, b: Array) -> Array:
    """Compute dot products row by row, shape (..., 1)."""
    dots: Array = (a[..., None, :] @ b[..., :, None])[..., 0]
    return dots


class Full:
    """q = τ ‖(I + E)(x − μ)‖², θ = (μ, log τ, E): the precision τ (I + E)ᵀ(I + E) is positive semidefinite for every E.

    E is lower triangular; it starts at 0, where the spotlight is spherical.
    """

    def __init__(self, X: Points) -> None:
        self._X = X[:, None].astype(np.float64)

    def weights(self, theta: Array) -> Points:
        d = self._X.shape[-1]
        self._R = np.eye(d) + np.tril(theta[..., d + 1 :].reshape(*theta.shape[:-1], d, d))
        self._tau = np.exp(theta[..., d : d + 1])
        self._D = self._X - theta[..., None, :d]
        self._V = self._D @ self._R.swapaxes(-1, -2)
        self._q = self._tau * np.einsum("...ij,...ij->...i", self._V, self._V)
        k: Array = np.maximum(1 - self._q, 0)
        return k

    def gradient(self, slope: Points) -> Array:
        by_mu = 2 * self._tau * (slope[..., None, :] @ self._V @ self._R)[..., 0, :]
        by_E = -2 * self._tau[..., None] * np.tril((slope[..., None] * self._V).swapaxes(-1, -2) @ self._D)
        by_tau = -np.einsum("...i,...i->...", slope, self._q)[..., None]
        return np.concatenate([by_mu, by_tau, by_E.reshape(*slope.shape[:-1], -1)], axis=-1)


def objective(
    kernel: Kernel, losses: Points, theta: Array, min_weight: Array, barrier: Array, scale: float = 1.0
) -> tuple[Array, Array, Array]:
    """Compute objective (g, r), total weight (g, r), and the objective's gradient by `theta` (g, r, p).

    `min_weight` and `barrier` are (g, 1). A spotlight without points has mean loss 0 and no
    gradient.
    """
    k = kernel.weights(theta)
    total = k.sum(axis=-1, dtype=np.float64)
    per_weight = 1 / np.where(total > 0, total, np.inf)
    mean = (k[..., None, :] @ losses[..., :, None])[..., 0, 0] * per_weight
    short = np.maximum(min_weight + barrier - total, 0.0)
    level = (2 * scale / barrier**2) * short - mean * per_weight
    slope = losses * per_weight.astype(k.dtype)[..., None]
    slope += level.astype(k.dtype)[..., None]
    slope *= k > 0
    return mean - (scale / barrier**2) * short**2, total, kernel.gradient(slope)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """End of an ascent: parameters (g, r, p), weights (g, r, n), and the values before each step, (steps, g, r)."""

    theta: Array
    weights: Points
    objective: Array
    total_weight: Array


def ascend(
    kernel: Kernel, losses: Points, theta: Array, *, n: Array, min_weight: Array, steps: int, scale: float = 1.0
) -> Ascent:
    """Ascend the objective with Adam; the learning rate halves when the objective stalls.

    `n`, the number of points, and `min_weight` are (g, 1). The rule is "reduce on plateau": after
    more than 10 steps in a row that do not beat the best objective by 1e-4 of its size, the rate is
    halved and the best forgotten, because the barrier changes.
    """
    n = np.broadcast_to(n, (len(theta), 1))
    barriers = np.geomspace(n - min_weight, 0.05 * min_weight, steps)
    if isinstance(kernel, Spherical):
        theta, history = _ascend_spheres(
            kernel, losses, theta, n=n, min_weight=min_weight, barriers=barriers, scale=scale
        )
    else:
        theta, history = ascend_together(kernel, losses, theta, min_weight=min_weight, barriers=barriers, scale=scale)
    return Ascent(theta=theta, weights=kernel.weights(theta), objective=history[:, 0], total_weight=history[:, 1])


def _ascend_spheres(
    kernel: Spherical, losses: Points, theta: Array, *, n: Array, min_weight: Array, barriers: Array, scale: float
) -> tuple[Array, Array]:
    """Ascend each spotlight of each group by itself; return as `ascend_together` does."""
    theta, history = theta.copy(), np.empty((len(barriers), 2, *theta.shape[:-1]))
    losses = np.broadcast_to(losses, (len(theta), 1, losses.shape[-1]))
    for g, r in np.ndindex(theta.shape[:-1]):
        sphere = kernel.sphere(g, int(n[g, 0]), losses[g, 0], theta[g, r])
        history[..., g, r] = ascend_sphere(sphere, barriers[:, g, 0], min_weight=float(min_weight[g, 0]), scale=scale)
        theta[g, r] = kernel.theta(sphere)
    return theta, history


def ascend_together(
    kernel: Kernel, losses: Points, theta: Array, *, min_weight: Array, barriers: Array, scale: float
) -> tuple[Array, Array]:
    """Ascend with barriers (steps, g, 1); return parameters (g, r, p), and objective and total weight, (steps, 2, g, r)."""
    theta = theta.copy()
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    history = np.empty((len(barriers), 2, *theta.shape[:-1]))
    rate, best = np.full(theta.shape[:-1], LEARNING_RATE), np.full(theta.shape[:-1], np.inf)
    stalled = np.zeros(theta.shape[:-1], dtype=int)
    for t, barrier in enumerate(barriers, start=1):
        value, total, grad = objective(kernel, losses, theta, min_weight, barrier, scale)
        history[t - 1] = value, total
        first += (1 - BETA1) * (grad - first)
        np.square(grad, out=grad)
        second += (1 - BETA2) * (grad - second)
        step = np.sqrt(second)
        step *= (1 - BETA2**t) ** -0.5
        step += ADAM_EPS
        np.divide(first, step, out=step)
        step *= (rate / (1 - BETA1**t))[..., None]
        theta += step
        # minimising −value; for a negative best the factor asks for less than equality, as PyTorch's rule does
        better = -value < best * (1 - THRESHOLD)
        best[better], stalled[better] = -value[better], -1
        stalled += 1
        if stalled.max() > PATIENCE:
            reduced = stalled > PATIENCE
            rate[reduced] *= DECAY
            best[reduced], stalled[reduced] = np.inf, 0
    return theta, history
