"""Numerics of the spotlight: kernels with hand-derived gradients, and the ascent under a shrinking barrier.

A point's weight is k(x) = max(1 − q(x), 0), q a squared distance from the centre in units of the spotlight's radius. The
objective (d'Eon et al. 2021) is the weighted mean loss Σ k ℓ / Σ k, minus scale · (S + b − Σ k)² / b² while the total
weight Σ k is below S + b; the barrier width b shrinks geometrically from n − S to S / 20.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEARNING_RATE = 1e-2
PATIENCE, DECAY, THRESHOLD = 10, 0.5, 1e-4
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8


class Kernel(Protocol):
    """Weights of fixed points as a function of parameters θ, whose first entries are the centre μ and the log precision."""

    def weights(self, theta: Array) -> Array:
        """Weight of each point, shape (n,); the array is reused by the next call."""
        ...

    def gradient(self, slope: Array) -> Array:
        """Gradient of Σ slope · k by the θ of the last call of `weights`; `slope` is 0 wherever the weight is."""
        ...


class Spherical:
    """q = τ ‖x − μ‖², θ = (μ, log τ).

    With rows a = (x, ‖x‖², 1) the weights are one matrix–vector product with (2τμ, −τ, 1 − τ‖μ‖²), the gradient another.
    """

    def __init__(self, X: Array) -> None:
        n, d = X.shape
        self._A = np.column_stack([X, np.einsum("ij,ij->i", X, X), np.ones(n)])
        self._coef, self._k, self._grad = np.empty(d + 2), np.empty(n), np.empty(d + 1)

    def weights(self, theta: Array) -> Array:
        mu, tau = theta[:-1], float(np.exp(theta[-1]))
        self._mu, self._tau, self._mu2 = mu, tau, float(mu @ mu)
        np.multiply(mu, 2 * tau, out=self._coef[:-2])
        self._coef[-2:] = -tau, 1 - tau * self._mu2
        np.dot(self._A, self._coef, out=self._k)
        np.maximum(self._k, 0, out=self._k)
        return self._k

    def gradient(self, slope: Array) -> Array:
        sums = slope @ self._A  # Σ s x, Σ s ‖x‖², Σ s
        sx, sx2, s = sums[:-2], float(sums[-2]), float(sums[-1])
        np.multiply(self._mu, -s, out=self._grad[:-1])
        self._grad[:-1] += sx
        self._grad[:-1] *= 2 * self._tau
        self._grad[-1] = -self._tau * (sx2 - 2 * float(self._mu @ sx) + self._mu2 * s)
        return self._grad


class Full:
    """q = τ ‖(I + E)(x − μ)‖², θ = (μ, log τ, E): the precision τ (I + E)ᵀ(I + E) is positive semidefinite for every E.

    E is lower triangular; it starts at 0, where the spotlight is spherical.
    """

    def __init__(self, X: Array) -> None:
        self._X = X

    def weights(self, theta: Array) -> Array:
        d = self._X.shape[1]
        self._R = np.eye(d) + np.tril(theta[d + 1 :].reshape(d, d))
        self._tau = float(np.exp(theta[d]))
        self._D = self._X - theta[:d]
        self._V = self._D @ self._R.T
        self._q = self._tau * np.einsum("ij,ij->i", self._V, self._V)
        k: Array = np.maximum(1 - self._q, 0)
        return k

    def gradient(self, slope: Array) -> Array:
        by_mu = 2 * self._tau * (slope @ self._V) @ self._R
        by_E = -2 * self._tau * np.tril((slope * self._V.T) @ self._D)
        return np.concatenate([by_mu, [-float(slope @ self._q)], by_E.ravel()])


def objective(
    kernel: Kernel, losses: Array, theta: Array, min_weight: float, barrier: float, scale: float = 1.0
) -> tuple[float, float, Array]:
    """Objective, total weight, and the objective's gradient by `theta`.

    A spotlight without a point in it has mean loss 0 and no gradient.
    """
    k = kernel.weights(theta)
    total = float(np.add.reduce(k))
    mean = float(k @ losses) / total if total > 0 else 0.0
    per_weight = 1 / total if total > 0 else 0.0
    short = max(min_weight + barrier - total, 0.0)
    slope = losses * per_weight
    slope += 2 * scale * short / barrier**2 - mean * per_weight
    slope *= k > 0
    return mean - scale * short**2 / barrier**2, total, kernel.gradient(slope)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """End of an ascent: parameters, their weights, and objective and total weight before each step."""

    theta: Array
    weights: Array
    objective: Array
    total_weight: Array


def ascend(kernel: Kernel, losses: Array, theta: Array, *, min_weight: float, steps: int, scale: float = 1.0) -> Ascent:
    """Adam on the objective; the learning rate halves when the objective stalls.

    The rule is "reduce on plateau": more than 10 steps in a row that do not beat the best objective by 1e-4 of its size halve the
    rate and forget the best, so that the changing barrier is judged anew.
    """
    theta = theta.copy()
    barriers = np.geomspace(len(losses) - min_weight, 0.05 * min_weight, steps).tolist()
    first, second, step = np.zeros_like(theta), np.zeros_like(theta), np.empty_like(theta)
    history, rate, best, stalled = np.empty((steps, 2)), LEARNING_RATE, np.inf, 0
    for t, barrier in enumerate(barriers, start=1):
        value, total, grad = objective(kernel, losses, theta, min_weight, barrier, scale)
        history[t - 1] = value, total
        first *= BETA1
        first += (1 - BETA1) * grad
        second *= BETA2
        np.square(grad, out=grad)
        grad *= 1 - BETA2
        second += grad
        np.sqrt(second, out=step)
        step *= (1 - BETA2**t) ** -0.5
        step += ADAM_EPS
        np.divide(first, step, out=step)
        step *= rate / (1 - BETA1**t)
        theta += step
        # minimising −value; for a negative best the factor asks for less than equality, as PyTorch's rule does
        best, stalled = (-value, 0) if -value < best * (1 - THRESHOLD) else (best, stalled + 1)
        if stalled > PATIENCE:
            rate, best, stalled = rate * DECAY, np.inf, 0
    weights = kernel.weights(theta).copy()
    return Ascent(theta=theta, weights=weights, objective=history[:, 0], total_weight=history[:, 1])
