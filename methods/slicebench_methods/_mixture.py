"""Error-aware mixture model: Gaussian embeddings, categorical labels and predictions, fitted by EM.

The observation model of Eyuboglu et al. 2022, equation 3: given its component, an example's embedding is Gaussian, its label
and its predicted class categorical, and the three are independent. Weights on the last two log-likelihoods say how much the
components should follow the model's errors rather than the geometry. Predictions are soft, so an example with probabilities p
has prediction likelihood p · P(ŷ | component).

Everything is float64: squared distances are expanded into matrix products, which cancel badly in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import ConfigError, MethodError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COVARIANCES = ("diag", "full", "tied", "spherical")
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    """k components over d-dimensional embeddings and C classes.

    `covariances` is (k, d) for "diag", (k,) for "spherical", (d, d) for "tied" and (k, d, d) for "full"; `lower_bounds` holds
    the mean log-likelihood of every EM iteration, taken before that iteration's M-step.
    """

    weights: Array
    means: Array
    covariances: Array
    y_probs: Array
    y_hat_probs: Array
    covariance: str
    y_weight: float
    y_hat_weight: float
    lower_bounds: Array
    converged: bool

    def responsibilities(self, X: Array, Y: Array, P: Array) -> Array:
        """Posterior probability of each component for each example, shape (n, k).

        `X` is (n, d), `Y` (n, C) one-hot labels, `P` (n, C) predicted probabilities; any n, any subset of the classes.
        """
        shift = self.weights @ self.means  # densities are taken near the origin, where squares do not cancel
        resp, _ = _normalise(_log_joint(self, X - shift, Y, P, self.means - shift))
        return resp


def fit_mixture(
    X: Array,
    Y: Array,
    P: Array,
    responsibilities: Array,
    *,
    y_weight: float,
    y_hat_weight: float,
    covariance: str = "diag",
    tol: float = 1e-3,
    max_iter: int = 100,
    reg_covar: float = 1e-6,
) -> Mixture:
    """Expectation–maximisation from given `responsibilities` (n, k), which an M-step turns into the first parameters.

    Stops when the mean log-likelihood changes by less than `tol`, or after `max_iter` iterations.

    Raises
    ------
    ConfigError
        if `covariance` is not one of `COVARIANCES` or `max_iter` < 1.
    MethodError
        if a full or tied covariance is singular in spite of `reg_covar`.

    """
    if covariance not in COVARIANCES:
        raise ConfigError(f"covariance is {covariance!r}; expected one of {', '.join(COVARIANCES)}")
    if max_iter < 1:
        raise ConfigError(f"max_iter is {max_iter}; expected at least 1")
    shift = X.mean(axis=0)
    X = X - shift
    resp, bounds, converged = responsibilities, list[float](), False
    while len(bounds) < max_iter and not converged:
        if bounds or resp is not responsibilities:
            raise AssertionError
    raise NotImplementedError
