"""Error-aware mixture model: Gaussian embeddings, categorical labels and predictions, fitted by EM.

The observation model of Eyuboglu et al. 2022: given its component, an example's embedding is
Gaussian, its label and its predicted class are categorical, and the three are independent. Weights
on the last two log-likelihoods set how closely the components follow the model's errors rather than
the geometry. Predictions are soft: an example with probabilities p has prediction likelihood p ·
P(ŷ | component).

Embeddings are float64: squared distances are expanded into matrix products, which cancel badly in float32 where a component has
collapsed. Predictions are float32, and labels may be a sparse matrix: for 1,000 classes they are most of the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, MethodError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    OneHot = Any  # an array, or a sparse matrix of SciPy's

COVARIANCES = ("diag", "full", "tied", "spherical")
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    """k components over d-dimensional embeddings and C classes.

    `covariances` is (k, d) for "diag", (k,) for "spherical", (d, d) for "tied" and (k, d, d) for "full"; `y_probs` and
    `y_hat_probs` are (k, C). `lower_bounds` holds the mean log-likelihood of every EM iteration, as its E-step found it.
    """

    weights: Array
    means: Array
    covariances: Array
    y_probs: Array
    y_hat_probs: Array
    covariance: str
    y_weight: float
    y_hat_weight: float
    lower_bounds: tuple[float, ...] = ()
    converged: bool = False

    def responsibilities(self, X: Array, Y: OneHot, P: NDArray[np.floating]) -> Array:
        """Compute the posterior probability of each component for each example, shape (n, k).

        `X` is (n, d), `Y` (n, C) one-hot labels, dense or sparse, `P` (n, C) predicted
        probabilities, for any n and any subset of the classes.
        """
        shift = self.weights @ self.means  # squares cancel less near the origin
        resp, _ = _expect(replace(self, means=self.means - shift), _with_squares(X - shift), Y, P)
        return resp


def fit_mixture(
    X: Array,
    Y: OneHot,
    P: NDArray[np.floating],
    responsibilities: Array,
    *,
    y_weight: float,
    y_hat_weight: float,
    covariance: str = "diag",
    tol: float = 1e-3,
    max_iter: int = 100,
    reg_covar: float = 1e-6,
) -> Mixture:
    """Fit the mixture by EM from given `responsibilities` (n, k), which an M-step turns into the first parameters.

    It stops when the mean log-likelihood changes by less than `tol`, or after `max_iter`
    iterations.

    Raises
    ------
    ConfigError
        if `covariance` is not one of `COVARIANCES`.
    MethodError
        if a full or tied covariance is singular despite `reg_covar`.

    """
    if covariance not in COVARIANCES:
        raise ConfigError(f"covariance is {covariance!r}; expected one of {', '.join(COVARIANCES)}")
    shift, d = X.mean(axis=0), X.shape[1]
    XX = _with_squares(X - shift)

    def maximise(resp: Array) -> Mixture:
        mass = resp.sum(axis=0) + 10 * EPS
        both = resp.T @ XX / mass[:, None]
        means = both[:, :d]
        return Mixture(
            weights=mass / mass.sum(),
            means=means,
            covariances=_covariances(covariance, resp, mass, XX[:, :d], both, reg_covar),
            y_probs=resp.T @ Y / mass[:, None],
            y_hat_probs=resp.T.astype(P.dtype) @ P / mass[:, None],
            covariance=covariance,
            y_weight=y_weight,
            y_hat_weight=y_hat_weight,
        )

    mixture, bounds, change = maximise(responsibilities), list[float](), np.inf
    while len(bounds) < max_iter and change >= tol:
        resp, bound = _expect(mixture, XX, Y, P)
        mixture = maximise(resp)
        change = abs(bound - bounds[-1]) if bounds else np.inf
        bounds.append(bound)
    return replace(mixture, means=mixture.means + shift, lower_bounds=tuple(bounds), converged=change < tol)


def _with_squares(X: Array) -> Array:
    """Put embeddings and their squares side by side, (n, 2d), so that diagonal Gaussians need one product."""
    n, d = X.shape
    XX = np.empty((n, 2 * d))
    XX[:, :d] = X
    np.square(X, out=XX[:, d:])
    return XX


def _expect(mixture: Mixture, XX: Array, Y: OneHot, P: NDArray[np.floating]) -> tuple[Array, float]:
    """Do the E-step: responsibilities (n, k) and the mean log-likelihood."""
    log_joint = _log_gaussian(mixture, XX)
    log_joint += Y @ (mixture.y_weight * np.log(mixture.y_probs + EPS) + np.log(mixture.weights)[:, None]).T
    predicted = P @ mixture.y_hat_probs.T.astype(P.dtype)
    predicted += EPS
    np.log(predicted, out=predicted)
    predicted *= mixture.y_hat_weight
    log_joint += predicted
    peak = log_joint.max(axis=1, keepdims=True)
    log_joint -= peak
    resp = np.exp(log_joint, out=log_joint)
    total = resp.sum(axis=1, keepdims=True)
    resp /= total
    return resp, float(np.mean(np.log(total) + peak))


def _log_gaussian(mixture: Mixture, XX: Array) -> Array:
    """Compute the log-density of each row of `XX`, embeddings and squares, under each component, shape (n, k)."""
    d, means, cov = XX.shape[1] // 2, mixture.means, mixture.covariances
    if mixture.covariance in ("full", "tied"):
        square, log_det = _mahalanobis(XX[:, :d], means, cov)
        log_density: Array = -0.5 * (d * np.log(2 * np.pi) + log_det + square)
        return log_density
    precision = 1 / (cov if mixture.covariance == "diag" else np.repeat(cov[:, None], d, axis=1))
    # −½ ‖(x − μ)/σ‖² expanded, so that all n × k distances are one matrix product
    log_density = XX @ np.hstack([means * precision, -0.5 * precision]).T
    constant = np.log(precision).sum(axis=1) - d * np.log(2 * np.pi) - np.sum(np.square(means) * precision, axis=1)
    log_density += 0.5 * constant
    return log_density


def _mahalanobis(X: Array, means: Array, cov: Array) -> tuple[Array, Array]:
    """Compute squared distances (n, k) and log-determinants (k,) by Cholesky factors of one or k covariances."""
    from scipy.linalg import solve_triangular

    try:
        factors = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError as error:
        raise MethodError(
            "a component's covariance is singular; raise reg_covar, scale the embeddings, or use covariance='diag'"
        ) from error
    log_det = 2 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    factors = np.broadcast_to(factors, (len(means), *cov.shape[-2:]))
    square = np.empty((len(X), len(means)))
    for j, (mean, factor) in enumerate(zip(means, factors, strict=True)):
        square[:, j] = np.square(solve_triangular(factor, (X - mean).T, lower=True)).sum(axis=0)
    return square, np.broadcast_to(log_det, len(means))


def _covariances(kind: str, resp: Array, mass: Array, X: Array, both: Array, reg_covar: float) -> Array:
    """Do the M-step of the covariances; variances made negative by rounding are 0 before `reg_covar` is added.

    `both` holds the means and the mean squares of each component, (k, 2d).
    """
    d = X.shape[1]
    means = both[:, :d]
    if kind == "full":
        return np.stack([_scatter(resp[:, j], X - means[j]) / mass[j] for j in range(len(mass))]) + reg_covar * np.eye(
            d
        )
    if kind == "tied":
        tied: Array = (X.T @ X - (mass * means.T) @ means) / mass.sum() + reg_covar * np.eye(d)
        return tied
    variances: Array = np.maximum(both[:, d:] - np.square(means), 0) + reg_covar
    return variances if kind == "diag" else variances.mean(axis=1)


def _scatter(weights: Array, deviations: Array) -> Array:
    scatter: Array = (weights * deviations.T) @ deviations
    return scatter
