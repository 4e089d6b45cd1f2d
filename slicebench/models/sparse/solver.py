"""Elastic-net multinomial regression at one strength: accelerated proximal gradient with a duality gap.

    min_{W, b}  (1/n) Σ_i [log Σ_c exp a_ic − a_{i y_i}]  +  λ α Ω(W)  +  λ (1 − α)/2 ‖W‖²,      a = Z W + b

Ω is the sum of absolute values, or, grouped, the sum over features of the norm of a feature's C weights. Biases are free.

An iteration costs two matrix products, n × d × C each: logits are linear in the weights, so the
logits of an extrapolated point are extrapolated logits. The dual costs no more. Let P be the matrix
of probabilities and G = Zᵀ(P − Y)/n. The mean entropy of the rows of P minus Σ (|G| − λα)₊² / (2λ(1
− α)) is below every objective value if the columns of P − Y sum to 0, which Newton's method on the
biases alone achieves. So the bound on the distance to the optimum is proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from slicebench.models.sparse.newton import MOST_PARAMETERS, Newton

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]


CHECK_EVERY = 10
"""Iterations between two duality gaps; a gap costs as much as an iteration."""

DENSE_GAIN = 1e-4
"""Decrease of the loss below which the dense layer is done; the released code has the same limit per epoch."""

NEWTON_STEPS = 20
"""Newton steps after which proximal gradient steps take over."""

FEW_COLUMNS = 32
"""Columns up to which NumPy takes maxima faster column by column than row by row."""

ROUNDING = 1e-7
"""Relative error of a mean of float32 losses; a smaller increase does not reject a step."""


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """Strength λ, share α of the first norm, and whether a feature's weights are grouped."""

    lam: float
    alpha: float
    grouped: bool

    def value(self, W: Array) -> float:
        """Compute λ α Ω(W) + λ (1 − α)/2 ‖W‖² of (d, C) weights."""
        sizes = np.linalg.norm(W, axis=1) if self.grouped else np.abs(W)
        first, second = sizes.sum(dtype=np.float64), np.square(W).sum(dtype=np.float64)
        return float(self.lam * (self.alpha * first + (1 - self.alpha) / 2 * second))

    def prox(self, W: Array, step: float) -> Array:
        """Return the proximal point of `W` for `step` · penalty; a feature of norm 0 stays 0."""
        shrunk = 1 + step * self.lam * (1 - self.alpha)
        if not self.grouped:
            soft: Array = np.sign(W) * np.maximum(np.abs(W) - step * self.lam * self.alpha, 0) / shrunk
            return soft
        norms = np.maximum(np.linalg.norm(W, axis=1, keepdims=True), np.finfo(W.dtype).tiny)
        scaled: Array = W * np.maximum(1 - step * self.lam * self.alpha / norms, 0) / shrunk
        return scaled

    def sizes(self, G: Array) -> Array:
        """Compute the size of the gradient (d, C) per feature, shape (d,).

        A feature is used if its size exceeds λ α.
        """
        sizes: Array = np.linalg.norm(G, axis=1) if self.grouped else np.abs(G).max(axis=1, initial=0)
        return sizes

    def conjugate(self, G: Array) -> float:
        """Compute the convex conjugate of the penalty at `G`.

        It is infinite outside the unit ball if there is no second norm.
        """
        sizes = np.linalg.norm(G, axis=1) if self.grouped else np.abs(G)
        excess = np.square(np.maximum(sizes - self.lam * self.alpha, 0), dtype=np.float64).sum()
        if excess == 0:
            return 0.0
        second = 2 * self.lam * (1 - self.alpha)
        return float(excess / second) if second > 0 else float("inf")


@dataclass(eq=False)
class State:
    """Weights (d, C), biases (C,), their logits (n, C), and an estimate of the loss's curvature."""

    W: Array
    b: Array
    logits: Array
    curvature: float = 1.0

    def beyond(self, before: State, beta: float) -> State:
        """Extrapolate by the share `beta` away from `before`; the logits need no matrix product."""
        share = np.float32(beta)  # a float64 scalar of NumPy would make the arrays float64
        return State(
            W=self.W + share * (self.W - before.W),
            b=self.b + share * (self.b - before.b),
            logits=self.logits + share * (self.logits - before.logits),
        )


@dataclass(frozen=True)
class Certificate:
    """Objective, proven bound on its distance to the optimum, gradient of the loss (d, C), and probabilities (n, C).

    The bound `gap` comes from the dual.
    """

    objective: float
    gap: float
    gradient: Array
    probabilities: Array


def steepest(Z: Array) -> float:
    """Return the largest curvature that the loss can have.

    It is ½ of the largest eigenvalue of ZᵀZ/n, or of that of the biases, 1.
    """
    from scipy.sparse.linalg import svds

    n, d = Z.shape
    largest = np.linalg.norm(Z) if min(n, d) < 2 else svds(Z, k=1, return_singular_vectors=False, random_state=0)[0]
    return float(0.5 * max(1.01 * largest**2 / n, 1))


def minimise(
    Z: Array, labels: NDArray[np.int64], state: State, penalty: Penalty, *, tol: float, max_iter: int, steepest: float
) -> int:
    """Move `state` to within `tol` · objective of the optimum; return the iterations.

    The optimum is over the features of `Z` (n, d). With few of them, Newton steps are tried first
    (`newton`). Without a penalty (λ = 0) there may be no optimum; the search then ends when
    `CHECK_EVERY` iterations gain less than `DENSE_GAIN`.
    Restarts follow the gradient (O'Donoghue, Candès 2015), and backtracking sets the curvature
    (Beck, Teboulle 2009).
    """
    done = 0
    if penalty.lam > 0 and (Z.shape[1] + 1) * state.logits.shape[1] <= MOST_PARAMETERS:
        done, reached = _by_newton(Z, labels, state, penalty, tol)
        if reached:
            return done
    before, momentum, last = State(state.W, state.b, state.logits), 1.0, np.inf
    for iteration in range(max_iter):
        if iteration % CHECK_EVERY == 0:
            at = certify(Z, labels, state, penalty)
            if at.gap <= tol * at.objective or (penalty.lam == 0 and last - at.objective < DENSE_GAIN):
                return done + iteration
            last = at.objective
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        start = state.beyond(before, (momentum - 1) / grown)
        end = _step(Z, labels, start, penalty, min(state.curvature, steepest), steepest)
        # the step points back along the last move: restart, so that the next start is not extrapolated
        turned = np.vdot(start.W - end.W, end.W - state.W) + np.vdot(start.b - end.b, end.b - state.b) > 0
        momentum = 1.0 if turned else grown
        before = end if turned else State(state.W, state.b, state.logits)
        # a step only raises the curvature; lowering it here lets later steps be longer
        state.W, state.b, state.logits, state.curvature = end.W, end.b, end.logits, 0.9 * end.curvature
    return done + max_iter


def _by_newton(Z: Array, labels: NDArray[np.int64], state: State, penalty: Penalty, tol: float) -> tuple[int, bool]:
    """Make Newton steps while they lower the gap; return their number, and whether `tol` was reached.

    New curvatures are computed when the old ones no longer divide the gap by 4.
    """
    newton, before = None, np.inf
    for done in range(NEWTON_STEPS):
        at = certify(Z, labels, state, penalty)
        if at.gap <= tol * at.objective:
            return done, True
        if newton is None or at.gap > before / 4:
            newton = Newton(Z, at.probabilities)
        before = at.gap
        if not newton.step(at, state, penalty, lambda logits: softmax(logits, labels)[1]):
            return done, False
    return NEWTON_STEPS, False


def _step(
    Z: Array, labels: NDArray[np.int64], start: State, penalty: Penalty, curvature: float, steepest: float
) -> State:
    """Take a proximal gradient step from `start`.

    The curvature is doubled until the parabola of that curvature lies above the loss at the step's
    end. The curvature `steepest` is always enough, so it is accepted without computing the loss.
    """
    P, loss = softmax(start.logits, labels)
    P[np.arange(len(labels)), labels] -= 1
    P /= len(labels)
    G, g = Z.T @ P, P.sum(axis=0)
    while True:
        step = np.float32(1 / curvature)
        W, b = penalty.prox(start.W - step * G, float(step)), start.b - step * g
        dW, db = W - start.W, b - start.b
        end = State(W, b, Z @ W + b, curvature)
        below = np.vdot(G, dW) + np.vdot(g, db) + curvature / 2 * (np.vdot(dW, dW) + np.vdot(db, db))
        if curvature >= steepest or softmax(end.logits, labels)[1] <= loss + float(below) + ROUNDING * loss:
            return end
        curvature = min(2 * curvature, steepest)


def certify(Z: Array, labels: NDArray[np.int64], state: State, penalty: Penalty) -> Certificate:
    """Compute the duality gap of `state`, after making its biases optimal for its weights.

    The gap is over the features of `Z`.

    The dual point is the best multiple of P − Y, between the one at which no feature would be used and P − Y itself.
    """
    _settle_biases(labels, state)
    P, loss = softmax(state.logits, labels)
    R = P.copy()
    R[np.arange(len(labels)), labels] -= 1
    G = Z.T @ R / np.float32(len(labels))
    objective = loss + penalty.value(state.W)
    dual = _best_dual(P, R, G, penalty)
    return Certificate(objective, objective - dual, G, P)


def _best_dual(P: Array, R: Array, G: Array, penalty: Penalty) -> float:
    """Return the largest value of the dual, which is concave, along s · R.

    s runs from where s · G leaves the unit ball to 1.
    """
    from scipy.optimize import minimize_scalar

    def dual(s: float) -> float:
        return _entropy(P - np.float32(1 - s) * R) - penalty.conjugate(s * G)

    largest = float(penalty.sizes(G).max(initial=0))
    feasible = penalty.lam * penalty.alpha / largest if largest > 0 else 1.0
    if feasible >= 1 or penalty.lam == 0:
        return dual(1.0)
    ends = max(dual(1.0), dual(feasible))
    if penalty.alpha == 1:  # beyond `feasible` the conjugate is infinite, the dual −∞
        return ends
    found = minimize_scalar(lambda s: -dual(s), bounds=(feasible, 1.0), method="bounded", options={"maxiter": 8})
    return max(ends, -float(found.fun))


def softmax(logits: Array, labels: NDArray[np.int64]) -> tuple[Array, float]:
    """Compute probabilities, shape (n, C), and the mean cross-entropy."""
    P = logits - _row_max(logits)[:, None]
    own = P[np.arange(len(labels)), labels]
    np.exp(P, out=P)
    total = P @ np.ones(P.shape[1], P.dtype)  # NumPy's own sums over few columns cost more than the exponentials
    P /= total[:, None]
    return P, float(np.mean(np.log(total) - own, dtype=np.float64))


def _entropy(P: Array) -> float:
    """Compute the mean entropy of the rows."""
    logs = np.maximum(P, np.finfo(P.dtype).tiny)
    np.log(logs, out=logs)
    logs *= P
    return float(-(logs @ np.ones(P.shape[1], P.dtype)).mean(dtype=np.float64))


def _row_max(A: Array) -> Array:
    """Compute the maximum of each row (n,); over few columns, column by column, which is many times faster."""
    highest: Array = A.max(axis=1) if A.shape[1] > FEW_COLUMNS else reduce(np.maximum, A.T)
    return highest


def settled_biases(logits: Array, labels: NDArray[np.int64], biases: Array) -> Array:
    """Return the biases that are optimal for the weights behind `logits` (n, C).

    The logits include `biases` (C,) already. Biases of −∞ stay.
    """
    seen = np.isfinite(biases)
    coded = np.searchsorted(np.flatnonzero(seen), labels)
    state = State(np.zeros((0, int(seen.sum())), logits.dtype), biases[seen], logits[:, seen])
    _settle_biases(coded, state)
    settled = biases.copy()
    settled[seen] = state.b
    return settled


def _settle_biases(labels: NDArray[np.int64], state: State) -> None:
    """Make the biases optimal by Newton's method, halving steps until the loss falls.

    At the optimum, the expected number of examples of each class equals the observed number.
    """
    n, C = state.logits.shape
    shares = np.bincount(labels, minlength=C) / n
    P, loss = softmax(state.logits, labels)
    for _ in range(10):
        off = P.mean(axis=0, dtype=np.float64) - shares
        if np.abs(off).max() < 1e-7:
            return
        hessian = np.diag(off + shares) - (P.T @ P).astype(np.float64) / n
        move = np.linalg.pinv(hessian, rcond=1e-6, hermitian=True) @ off  # the sum of the biases is free
        for _ in range(10):
            trial = state.logits - move.astype(state.b.dtype)
            P, lower = softmax(trial, labels)
            if lower <= loss * (1 + ROUNDING):
                break
            move /= 2
        else:
            return
        state.b, state.logits, loss = state.b - move.astype(state.b.dtype), trial, lower
