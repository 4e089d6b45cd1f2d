"""Proximal Newton steps for elastic-net multinomial regression, where few features are in use.

The loss is replaced by its parabola, whose minimum under the penalty costs nothing that grows with the number of examples
(Lee, Sun, Saunders 2014). Curvatures are kept while they serve: they only steer, objective and gap are always exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from slicebench.models.sparse.solver import Certificate, Penalty, State

    Array = NDArray[np.floating]

MOST_PARAMETERS = 1000
"""Weights and biases up to which a matrix of all their curvatures pays."""
INNER_ITERATIONS, INNER_SHARE = 500, 0.01
"""Most iterations on the parabola, and the share of the first iteration's length at which they end."""
HALVINGS = 5


class Newton:
    """Steps over the features of `Z` (n, d), by curvatures at the point of the first of them."""

    def __init__(self, Z: Array, P: Array) -> None:
        self.X = np.column_stack([Z, np.ones(len(Z), Z.dtype)])
        self.H = _curvatures(self.X, P)
        self.largest = _largest_eigenvalue(self.H)

    def step(self, at: Certificate, state: State, penalty: Penalty, loss_of: Callable[[Array], float]) -> bool:
        """Move `state`, which `at` certifies, to where the objective is lower; return False if that is not found."""
        start = np.vstack([state.W, state.b])
        G = np.vstack([at.gradient, np.zeros_like(state.b)])  # the biases are at their optimum
        move = self._minimum(start, G, penalty) - start
        change = self.X @ move
        for _ in range(HALVINGS):
            W, logits = state.W + move[:-1], state.logits + change
            if loss_of(logits) + penalty.value(W) < at.objective:
                state.W, state.b, state.logits = W, state.b + move[-1], logits
                return True
            move, change = move / 2, change / 2
        return False

    def _minimum(self, start: Array, G: Array, penalty: Penalty) -> Array:
        """Minimise ⟨G, V − start⟩ + ½ (V − start) H (V − start) + penalty by accelerated steps; V is (d + 1, C)."""
        length, first = np.float32(1 / self.largest), None
        V, ahead, momentum = start, start, 1.0
        for _ in range(INNER_ITERATIONS):
            slope = G + (self.H @ (ahead - start).T.ravel()).reshape(G.shape[::-1]).T
            new = ahead - length * slope
            new[:-1] = penalty.prox(new[:-1], float(length))
            moved = ahead - new
            size = float(np.linalg.norm(moved))
            first = size if first is None else first
            if size <= INNER_SHARE * first:
                return new
            on = new - V
            grown = 1.0 if np.vdot(moved, on) > 0 else (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + np.float32((momentum - 1) / grown if grown > 1 else 0) * on
            V, momentum = new, grown
        return V


def _curvatures(X: Array, P: Array) -> Array:
    """Compute the second derivatives of the mean loss, ordered by class and then by feature: (C p, C p).

    A class's blocks sum to 0, so those with the last class need no product.
    """
    (n, p), C = X.shape, P.shape[1]
    H = np.zeros((C, p, C, p), X.dtype)
    for c in range(C - 1):
        for e in range(c, C - 1):
            weights = P[:, c] * ((c == e) - P[:, e]) / np.asarray(n, P.dtype)
            H[c, :, e] = (X * weights[:, None]).T @ X
            H[e, :, c] = H[c, :, e].T
        H[c, :, -1] = -H[c, :, :-1].sum(axis=1)
        H[-1, :, c] = H[c, :, -1].T
    H[-1, :, -1] = -H[-1, :, :-1].sum(axis=1)
    return H.reshape(C * p, C * p)


def _largest_eigenvalue(H: Array) -> float:
    """Bound the largest eigenvalue: power iteration from a fixed start, and a tenth more."""
    v = 1 + 0.5 * np.cos(np.arange(len(H)))
    v, size = v.astype(H.dtype), 0.0
    for _ in range(20):
        v = H @ (v / max(float(np.linalg.norm(v)), 1e-30))
        size = float(np.linalg.norm(v))
    return max(1.1 * size, 1e-30)
