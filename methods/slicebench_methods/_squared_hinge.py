"""Linear SVMs with the squared hinge, for many classes, regularisations and folds at once.

Every problem is min over (w, b) of ½‖w‖² + C Σ_i s_i max(0, 1 − y_i (w·z_i + b))², b unpenalised,
s_i a weight that is 0 for held-out examples. With w = Zᵀa the gradient in w is Zᵀ(a + g), g_i the
derivative of the loss by the decision value of example i, so accelerated gradient descent can work
on the coefficients a. All problems of a class, and of classes of similar size, are columns of one
matrix A, and a step costs one product K A with the Gram matrices K = Z Zᵀ. Held-out decision values
are among its rows. Arithmetic is float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench_methods._batches import like_sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Product = Callable[[Floats], Floats]

STEPS, TOLERANCE, EVERY = 300, 1e-3, 5
"""Maximum number of steps, relative residual of the optimality conditions to reach, and steps between its checks."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Classes of similar size, padded with zeros to n rows.

    `Z` is (B, n, d), `sizes` holds the n_c, `members` the positions of the classes.
    """

    members: NDArray[np.intp]
    sizes: NDArray[np.intp]
    Z: Floats

    def padded(self, values: Sequence[NDArray[np.floating]]) -> Floats:
        """Stack the arrays of this batch's classes, each (n_c, ...), as (B, n, ...) with zeros below."""
        first = values[self.members[0]]
        out = np.zeros((*self.Z.shape[:2], *first.shape[1:]), dtype=np.float32)
        for b, c in enumerate(self.members):
            out[b, : self.sizes[b]] = values[c]
        return out

    def product(self) -> Product:
        """Return A ↦ Z Zᵀ A: by the Gram matrices, or in two steps if they are more than twice as large as Z."""
        n, d = self.Z.shape[1:]
        across = self.Z.transpose(0, 2, 1)
        gram: Any = None if n > 2 * d else self.Z @ across

        def product(A: Floats) -> Floats:
            found: Floats = self.Z @ (across @ A) if gram is None else gram @ A
            return found

        return product


def batches(parts: Sequence[NDArray[np.floating]]) -> Iterator[Batch]:
    """Yield the classes `parts`, each (n_c, d), in batches of similar size and bounded memory."""
    sizes, d = np.array([len(part) for part in parts]), parts[0].shape[1]
    for members in like_sized(sizes, d, square=True):
        Z = np.zeros((len(members), sizes[members].max(), d), dtype=np.float32)
        for b, c in enumerate(members):
            Z[b, : sizes[c]] = parts[c]
        yield Batch(members, sizes[members], Z)


@dataclass(frozen=True, eq=False)
class Best:
    """Result of one class: cross-validated balanced accuracy by C, the first best C, and its SVM on all examples."""

    scores: NDArray[np.float64]
    chosen: int
    weights: Floats
    intercept: float


def fit_best(
    parts: Sequence[NDArray[np.floating]], targets: Sequence[NDArray[np.int64]], Cs: Sequence[float], cv: int
) -> list[Best]:
    """Choose C for each class by stratified folds, and fit its SVM; examples are (n_c, d), targets (n_c,) 0 or 1."""
    found: dict[int, Best] = {}
    for batch in batches(parts):
        product, grid = batch.product(), np.asarray(Cs, dtype=np.float32)
        y = batch.padded([2.0 * target[:, None] - 1 for target in targets])
        held = batch.padded([_held_out(target, cv) for target in targets]) > 0
        present = y != 0
        A, b = solve(
            product, y, np.tile(_balanced(y, present & ~held), len(grid)), np.repeat(grid, cv)[None].repeat(len(y), 0)
        )
        scores = _accuracy(product(A) + b[:, None], y, held)
        chosen = scores.argmax(axis=1)  # the first of equals
        A, b = solve(product, y, _balanced(y, present), grid[chosen][:, None])
        W = (batch.Z.transpose(0, 2, 1) @ A)[..., 0]
        for i, c in enumerate(batch.members):
            found[int(c)] = Best(scores[i], int(chosen[i]), W[i], float(b[i, 0]))
    return [found[c] for c in range(len(parts))]


def _held_out(target: NDArray[np.int64], cv: int) -> NDArray[np.float64]:
    """Return 1 where an example is held out of a fold, shape (n_c, cv)."""
    from sklearn.model_selection import StratifiedKFold

    held = np.zeros((len(target), cv))
    for fold, (_, rows) in enumerate(StratifiedKFold(cv).split(target, target)):
        held[rows, fold] = 1
    return held


def _balanced(y: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Weight the examples seen, (B, n, q), so that both sides weigh the same and the mean weight is 1."""
    right, wrong = seen & (y > 0), seen & (y < 0)
    each = [0.5 * side / np.maximum(side.sum(axis=1, keepdims=True), 1) for side in (right, wrong)]
    balanced: Floats = ((each[0] + each[1]) * seen.sum(axis=1, keepdims=True)).astype(np.float32)
    return balanced


def _accuracy(decision: Floats, y: Floats, held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average balanced accuracy on held-out examples over folds: (B, len(Cs)); columns of `decision` are C by fold."""
    B, n, cv = held.shape
    agree = ((decision > 0) == (y > 0)).reshape(B, n, -1, cv)
    shares = []
    for side in (y > 0, y < 0):
        mask = held & side
        shares.append((agree & mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None])
    accuracy: NDArray[np.float64] = np.mean(shares, axis=(0, 3))
    return accuracy


def solve(product: Product, y: Floats, weights: Floats, Cs: Floats) -> tuple[Floats, Floats]:
    """Solve q problems in each of B classes: coefficients a, shape (B, n, q), and intercepts, shape (B, q).

    `product` is A ↦ K A; `y` (B, n, 1) is ±1, 0 for padding; `weights` (B, n, q) are the s_i; `Cs`
    is (B, q). Columns are removed as soon as they are optimal; those of small C, which are most,
    need only a few steps.
    """
    curved = 1 + 2 * Cs * _largest_eigenvalue(product, weights)
    scale = np.sqrt(curved / (2 * Cs * weights.sum(axis=1)))  # of the intercept, which then curves as much as all else
    root = np.sqrt(2 * curved)
    step, momentum, pull = 0.5 / curved, (root - 1) / (root + 1), -2 * Cs[:, None] * weights * y
    coefficients, intercepts = np.zeros_like(weights), np.zeros_like(Cs)
    live = np.arange(Cs.shape[1])
    before, beta_before = ahead, beta = np.zeros_like(weights), np.zeros_like(Cs)
    for t in range(STEPS + 1):
        decision = product(ahead)
        g = pull * np.maximum(1 - y * (decision + (scale * beta)[:, None]), 0)
        total = g.sum(axis=1)
        if t % EVERY == 0:
            done = _optimal(ahead, g, total).all(axis=0) | (t == STEPS)
            ended = live[done]
            coefficients[..., ended] = ahead[..., done]
            intercepts[:, ended] = _intercepts(decision[..., done], y, weights[..., ended], (scale * beta)[:, done])
            if done.all():
                break
            live = live[~done]
            ahead, before, g, pull = (x[..., ~done] for x in (ahead, before, g, pull))
            beta, beta_before, total = (x[:, ~done] for x in (beta, beta_before, total))
            scale, step, momentum = (x[:, ~done] for x in (scale, step, momentum))
        a, b = ahead - step[:, None] * (ahead + g), beta - step * scale * total
        ahead, beta = a + momentum[:, None] * (a - before), b + momentum * (b - beta_before)
        before, beta_before = a, b
    return coefficients, intercepts


def _intercepts(decision: Floats, y: Floats, weights: Floats, start: Floats) -> Floats:
    """Compute the best intercepts for given decisions, (B, q); with small C, decisions are tiny and this matters."""
    b = start.astype(np.float64)
    for _ in range(10):
        active = weights * (y * (decision + b[:, None]) < 1)
        b = (active * (y - decision)).sum(axis=1, dtype=np.float64) / np.maximum(
            active.sum(axis=1, dtype=np.float64), 1e-30
        )
    return b.astype(np.float32)


def _optimal(a: Floats, g: Floats, total: Floats) -> NDArray[np.bool_]:
    """Check whether a = −g and Σ g = 0 within the tolerance, shape (B, q)."""
    size = TOLERANCE * np.abs(g).sum(axis=1)
    optimal: NDArray[np.bool_] = (np.abs(a + g).sum(axis=1) <= size) & (np.abs(total) <= size)
    return optimal


def _largest_eigenvalue(product: Product, weights: Floats, rounds: int = 12) -> Floats:
    """Bound the largest eigenvalue of S^½ K S^½ per column of `weights`: power iteration plus a tenth; shape (B, q)."""
    root = np.sqrt(weights)
    v = root * (1 + 0.5 * np.cos(np.arange(root.shape[1], dtype=np.float32)))[:, None]
    size = np.zeros(v[:, :1].shape, dtype=np.float32)
    for _ in range(rounds):
        v = v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        v = root * product(root * v)
        size = np.linalg.norm(v, axis=1, keepdims=True)
    found: Floats = 1.1 * size[:, 0]
    return found
