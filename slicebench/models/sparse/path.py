"""Compute the regularisation path of a sparse decision layer.

It goes from no feature at all to the dense layer, each layer starting from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.split import deal
from slicebench.errors import ConfigError, DataError
from slicebench.models.sparse.solver import Penalty, State, certify, minimise, steepest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from slicebench.data.split import Split


MAX_ITER = 2000
"""Most iterations at one λ and set of features."""


FARTHEST = np.float32(1e12)
"""Largest value of a standardised feature; larger ones are clipped."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionLayer:
    """Linear layer with `weights` (C, d) on standardised features and `biases` (C,), found at strength `lam`.

    `objective` is at most `gap` above the optimum. `gap` is NaN for the dense layer, whose problem
    may have no optimum.
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    lam: float
    objective: float
    gap: float
    iterations: int

    def logits(self, Z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute logits of standardised features (n, d), shape (n, C)."""
        logits: NDArray[np.float32] = Z @ self.weights.T + self.biases
        return logits

    def accuracy(self, Z: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        """Compute the share of rows whose largest logit is that of their label."""
        return float(np.mean(self.logits(Z).argmax(axis=1) == labels))

    @property
    def per_class(self) -> float:
        """Mean number of features per class with a weight other than 0."""
        return float(np.count_nonzero(self.weights, axis=1).mean())


@dataclass(frozen=True, eq=False, kw_only=True)
class SparsePath:
    """Layers from the strongest penalty to the weakest, then the dense layer.

    `accuracies` (k,) are those on held-out data.
    """

    layers: tuple[DecisionLayer, ...]
    accuracies: NDArray[np.float64]

    @cached_property
    def per_class(self) -> NDArray[np.float64]:
        """Features per class of each layer, shape (k,)."""
        return np.array([layer.per_class for layer in self.layers])

    def within(self, drop: float, *, relative: bool = False) -> int:
        """Return the position of the sparsest layer near the path's best held-out accuracy.

        Its accuracy is at most `drop` below the best, or at most that share of the best if
        `relative`. Of equally sparse layers, the first is taken.

        Raises
        ------
        ConfigError
            for a drop that is not between 0 and 1.

        """
        if not 0 <= drop <= 1:
            raise ConfigError(f"the accuracy drop is {drop}; expected a share between 0 and 1")
        best = self.accuracies.max()
        allowed = best * (1 - drop) if relative else best - drop
        good = np.flatnonzero(self.accuracies >= allowed - 1e-12)
        return int(good[np.argmin(self.per_class[good])])

    def with_features(self, per_class: float) -> int:
        """Return the position of the most accurate layer of at most `per_class` features per class.

        Features are counted as a mean over the classes; of equal layers, the sparsest is taken.
        """
        few = np.flatnonzero(self.per_class <= per_class)  # never empty: the first layer has none
        best = few[self.accuracies[few] >= self.accuracies[few].max() - 1e-12]
        return int(best[np.argmin(self.per_class[best])])


def standardisation(X: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute mean and reciprocal of the unbiased standard deviation per feature, (d,) each.

    The reciprocal is 0 for a constant feature, so that the feature becomes 0 everywhere, not NaN.
    """
    X64 = X.astype(np.float64)
    varies = np.ptp(X64, axis=0) > 0
    std = X64.std(axis=0, ddof=min(1, len(X) - 1))
    return X64.mean(axis=0).astype(np.float32), np.divide(1, std, where=varies, out=np.zeros_like(std)).astype(
        np.float32
    )


def standardised(X: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardise features (n, d) by the mean and scale of `standardisation`.

    The results are clipped at ±`FARTHEST`, so that sums of squares stay finite.
    """
    with np.errstate(over="ignore"):
        Z = (X - mean) * scale
    return np.clip(Z, -FARTHEST, FARTHEST, out=Z)


def fit_path(
    Z: NDArray[np.float32],
    labels: NDArray[np.int64],
    held_out: tuple[NDArray[np.float32], NDArray[np.int64]],
    *,
    n_classes: int,
    alpha: float = 0.99,
    n_lambdas: int = 100,
    smallest: float = 1e-3,
    grouped: bool = False,
    tol: float = 1e-3,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> SparsePath:
    """Fit the elastic-net path of a decision layer on standardised features `Z` (n, d).

    See `solver` for the objective.

    There are `n_lambdas` strengths, log-spaced from the smallest that uses no feature down to
    `smallest` times that, then λ = 0. Accuracies are those on `held_out` (features, labels). Each
    objective is above its optimum by at most the share `tol` of itself. At each λ the solver sees
    only the features that the sequential strong rule keeps; features that the rule wrongly left out
    are found and added.

    A class without `labels` gets weights 0 and the bias −∞: it is never predicted.

    Wong, Santurkar, Madry, "Leveraging Sparse Linear Layers for Debuggable Deep Networks", ICML
    2021, section 2; α, number and range of λ are by default those of the paper. Tibshirani et al.,
    "Strong rules for discarding predictors in lasso-type problems", 2012.

    Raises
    ------
    ConfigError
        for a parameter out of range.
    DataError
        for labels of only one class, and features that do not vary with the class.

    """
    check_parameters(alpha=alpha, n_lambdas=n_lambdas, smallest=smallest, tol=tol)
    present, coded = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        raise DataError(f"all {len(labels)} examples are of one class; a decision layer needs at least two classes")
    solver = _PathSolver(Z, coded, alpha=alpha, grouped=grouped, tol=tol)
    lambdas = [*np.geomspace(solver.largest, smallest * solver.largest, n_lambdas), 0.0]
    layers = []
    for done, lam in enumerate(lambdas, start=1):
        layers.append(_widened(solver.solve(float(lam)), present, n_classes))
        if on_progress is not None:
            on_progress(done, len(lambdas), f"{layers[-1].per_class:.3g} features per class")
    return SparsePath(layers=tuple(layers), accuracies=np.array([layer.accuracy(*held_out) for layer in layers]))


def fit_held_out(
    Z: NDArray[np.float32], train: Split, *, n_classes: int, held_out: float, seed: int, **options: Any
) -> SparsePath:
    """Run `fit_path` on standardised features `Z` of `train`, with accuracies on a held-out share.

    The share `held_out` of each class is drawn with `seed`.

    Raises
    ------
    ConfigError
        for a share that is not between 0 and 1, and wherever `fit_path` raises it.
    DataError
        for train without labels, too few examples to hold any out, and wherever `fit_path` raises
        it.

    """
    if not 0 < held_out < 1:
        raise ConfigError(f"held_out is {held_out}; expected a share between 0 and 1")
    if train.labels is None:
        raise DataError("the train examples have no class labels; a decision layer needs them")
    rng, shares = np.random.default_rng(seed), {"fit": 1 - held_out, "held out": held_out}
    dealt = [deal(rows, shares, rng) for _, rows in train.by_class()]
    fit, held = (np.concatenate([part[name] for part in dealt]) for name in shares)
    if not len(held):
        raise DataError(f"{train.n} train examples are too few to hold out {held_out:.0%} of each class")
    return fit_path(Z[fit], train.labels[fit], (Z[held], train.labels[held]), n_classes=n_classes, **options)


def check_parameters(*, alpha: float, n_lambdas: int, smallest: float, tol: float) -> None:
    """Raise `ConfigError` for a parameter of `fit_path` that is out of range."""
    for name, value, good, expected in (
        ("alpha", alpha, 0 < alpha <= 1, "above 0, at most 1"),
        ("n_lambdas", n_lambdas, n_lambdas >= 2, "at least 2"),
        ("smallest", smallest, 0 < smallest < 1, "between 0 and 1"),
        ("tol", tol, tol > 0, "above 0"),
    ):
        if not good:
            raise ConfigError(f"{name} is {value}; expected {expected}")


class _PathSolver:
    """Solver for decreasing λ, which starts each time from the previous solution.

    `largest` is the smallest λ that uses no feature.
    """

    def __init__(
        self, Z: NDArray[np.float32], labels: NDArray[np.int64], *, alpha: float, grouped: bool, tol: float
    ) -> None:
        n, C = len(labels), int(labels.max()) + 1
        self.Z, self.labels, self.alpha, self.grouped, self.tol = Z, labels, alpha, grouped, tol
        self.state = State(np.zeros((Z.shape[1], C), Z.dtype), np.zeros(C, Z.dtype), np.zeros((n, C), Z.dtype))
        self.gradient = certify(Z, labels, self.state, self._penalty(1.0)).gradient
        self.lam = self.largest = float(self._penalty(1.0).sizes(self.gradient).max()) / alpha
        if self.largest == 0:
            raise DataError("no feature varies with the class, so no decision layer can be fitted")
        self.steepest = steepest(Z)

    def _penalty(self, lam: float) -> Penalty:
        return Penalty(lam=lam, alpha=self.alpha, grouped=self.grouped)

    def solve(self, lam: float) -> DecisionLayer:
        penalty, done = self._penalty(lam), 0
        used = self.state.W.any(axis=1)
        used |= penalty.sizes(self.gradient) >= self.alpha * (2 * lam - self.lam)
        while True:
            done += self._solve_over(np.flatnonzero(used), penalty)
            at = certify(self.Z, self.labels, self.state, penalty)
            missed = ~used & (penalty.sizes(at.gradient) > lam * self.alpha * (1 + self.tol))
            if not missed.any():
                break
            used |= missed
        self.gradient, self.lam = at.gradient, lam
        return DecisionLayer(
            weights=self.state.W.T.copy(),
            biases=self.state.b.copy(),
            lam=lam,
            objective=at.objective,
            gap=at.gap if lam > 0 else float("nan"),
            iterations=done,
        )

    def _solve_over(self, features: NDArray[np.intp], penalty: Penalty) -> int:
        """Move the state to the optimum over some features; the weights of all others are 0."""
        part = State(self.state.W[features], self.state.b, self.state.logits, self.state.curvature)
        Z = self.Z if len(features) == self.Z.shape[1] else np.ascontiguousarray(self.Z[:, features])
        iterations = minimise(Z, self.labels, part, penalty, tol=self.tol, max_iter=MAX_ITER, steepest=self.steepest)
        W = np.zeros_like(self.state.W)
        W[features] = part.W
        self.state = State(W, part.b, part.logits, part.curvature)
        return iterations


def _widened(layer: DecisionLayer, present: NDArray[np.int64], n_classes: int) -> DecisionLayer:
    """Widen a layer to all classes, of which only `present` were seen."""
    weights = np.zeros((n_classes, layer.weights.shape[1]), np.float32)
    biases = np.full(n_classes, -np.inf, np.float32)
    weights[present], biases[present] = layer.weights, layer.biases
    return replace(layer, weights=weights, biases=biases)
