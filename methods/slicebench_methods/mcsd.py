"""Find slices of high loss whose members are near one another: a quadratic programme on the graph of nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench_methods._membership import MembershipMethod
from slicebench_methods._needed import at_least
from slicebench_methods._supported import borne_out

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData

    Floats = NDArray[np.float64]

LEAST = 4
"""Minimum number of val examples of a class, so that each half has a graph."""

CHUNK = 1024


class MCSD(MembershipMethod):
    """Find subsets of a given size with high loss whose members are neighbours.

    In each true class, every val example points to its k nearest. A slice gives examples weights in
    [0, 1] that maximise the mean loss plus λ times the compactness, the share of its members'
    neighbours that are members too. Hardness is the expected error rate, by the membership of the
    nearest val examples. Slices must be significant.

    The share in the second term is the paper's manifold compactness. The weights w of a slice sum
    to m = ⌈size · n⌉ and maximise

        F(w) = (Σ_i w_i ℓ_i + λ Σ_ij w_i w_j A_ij) / m,  A_ij = 1/k where i points to j.

    Losses are shifted and scaled to minimum 0 and mean 1 in the class, so that λ means the same
    everywhere. The next slice is sought among the examples with a weight below ½ in the slices
    before it.

    The paper solves the programme with Gurobi. Here it is Frank–Wolfe with exact line search from
    two starts (all weights equal; the m examples of highest loss in their neighbourhood), and the
    better end is kept. F is in general neither convex nor concave, and its maximum is hard to find.
    F is guaranteed to rise in every step, and the steps tend to a point where no direction leads
    upwards; they stop after 200.

    The membership of a new example is the mean weight of its k nearest val examples of the class,
    which needs no further model. Hardness is Σ_s r_s · rate_s + (1 − Σ_s r_s) · rate of the rest. A
    slice is chosen for its losses, so its rate on the same examples is biased; rates are therefore
    cross-fitted: slices of each half of val are applied to the other half.

    A slice is returned only if the cross-fitted slice of the same rank is significant (at least 20
    members, an error rate 0.05 above the rest's, Fisher's one-sided test at 5%, Holm over slices
    and classes). Slices come by descending rate. Flagged are the examples with at least half of
    their neighbours' weight in slices. In a task without right and wrong, rates are mean losses and
    slices are not tested; `notes` says so.

    Only the paper's abstract and summaries were at hand: a quadratic programme of risk and
    compactness on a graph of nearest neighbours. The scaling, the defaults, the further slices, the
    memberships and the test are ours and may differ from the paper.

    A class of constant loss, or with fewer than 4 val examples, falls back to the base model's
    confidence, and its errors are flagged.

    Parameters
    ----------
    size : float, default 0.1
        Share of a class's val examples in a slice. Ours: the test of a slice needs 20 members, so
        200 examples.
    n_slices : int, default 3
        Slices sought per class. Ours: together three tenths of the class.
    compactness : float, default 1
        λ. Ours: having all its neighbours in the slice, and being a neighbour of k members, is then
        worth twice the mean loss to an example. A much larger value puts the slice where the class
        is densest.
    k : int, default 10
        Number of neighbours. Ours: few enough that all neighbours of a member can be members of a
        slice of 20.
    seed : int, default 0
        Seed of the halves.

    Attributes
    ----------
    graphs_ : dict of int to Graph
        Val's examples of each class, in centred embeddings.
    weights_, rates_ : dict of int to (n_c, s) float64, and to (s + 1,) float64
        Slices found in each class, and their cross-fitted error rates, that of the rest last.
    slices_ : list of (int, int)
        Class and number of each slice that is returned.
    fallbacks_ : dict of int to str
        Classes that fell back to confidences, with the reason.
    untested_ : bool
        Whether slices could not be tested.

    Complexity: O(n_c² d) for a class of n_c val examples, then usually fewer than fifty steps of
    O(n_c (k + log n_c)); O(n_c k) memory; scoring O(n n_c d).

    References
    ----------
    Yu, Zou, Liu, Xu, He, Zhang, Cui, "Error Slice Discovery via Manifold Compactness", arXiv 2501.19032, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=300):
    ...     x, hard = rng.normal(size=(n, 2)), rng.random(n) < 0.2
    ...     x[hard, 0] += 5
    ...     return Split(ids=[f"{name}{i}" for i in range(n)], embeddings=x, losses=0.1 + hard * rng.random(n)), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> scores = MCSD(n_slices=1).fit(AuditData(train=train, val=val)).score(test)
    >>> bool(hard[scores.flagged].all()), bool(scores.flagged.any())
    (True, True)

    """

    name = "mcsd"
    needs = ()
    requires = frozenset({"embeddings", "losses"})

    def __init__(
        self, size: float = 0.1, n_slices: int = 3, compactness: float = 1.0, k: int = 10, seed: int = 0
    ) -> None:
        self.size = size
        self.n_slices = n_slices
        self.compactness = compactness
        self.k = k
        self.seed = seed

    def fit(self, data: AuditData) -> Self:
        """Find the slices of each class of val, and test them.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check_parameters()
        val, classes, rng = data.val, dict(data.val.by_class()), np.random.default_rng(self.seed)
        outcome = (val.losses if val.correct is None else ~val.correct).astype(np.float64)
        self.graphs_: dict[int, Graph] = {}
        self.weights_: dict[int, Floats] = {}
        self.rates_: dict[int, Floats] = {}
        self.fallbacks_: dict[int, str] = {}
        members: dict[tuple[int, int], NDArray[np.intp]] = {}
        for c in range(max(1, len(data.class_names))):
            rows = classes.get(c, np.empty(0, dtype=np.intp))
            if len(rows) < LEAST or np.ptp(val.losses[rows]) == 0:
                what = "losses all alike" if len(rows) >= LEAST else f"too few validation examples ({len(rows)})"
                self.fallbacks_[c] = f"class {c} has {what}"
                continue
            X, losses = val.embeddings[rows], val.losses[rows].astype(np.float64)
            self.graphs_[c] = Graph.of(X, self.k)
            self.weights_[c] = self._slices(self.graphs_[c], losses)
            inside = self._cross_fitted(X, losses, rng)
            parts = np.column_stack([inside, ~inside.any(axis=1)]).astype(np.float64)
            # one more example of the class's rate: a part without members has that rate, and a small one no extreme one
            self.rates_[c] = (outcome[rows] @ parts + outcome[rows].mean()) / (parts.sum(axis=0) + 1)
            some = np.flatnonzero(self.weights_[c].any(axis=0))
            members |= {(c, int(s)): rows[inside[:, s]] for s in some}
        self.untested_ = val.correct is None
        kept = list(members) if self.untested_ else borne_out(members, val)
        self.slices_ = sorted(kept, key=lambda slice_: -self.rates_[slice_[0]][slice_[1]])
        return self

    def notes(self) -> tuple[str, ...]:
        """List the classes that fell back to the base model's confidence, and note if slices could not be tested."""
        fell = super().notes()
        return (*fell, "slices are not tested, because the task has no right and wrong") if self.untested_ else fell

    def _judged(self, c: int, X: NDArray[np.float32]) -> tuple[Floats, Floats] | None:
        if c not in self.graphs_:
            return None
        inside = self.graphs_[c].applied(self.weights_[c], X)
        shares = np.column_stack([inside, np.maximum(1 - inside.sum(axis=1), 0)])
        return np.einsum("nk,k->n", shares, self.rates_[c]), shares

    def _flagged(self, c: int, shares: Floats, inside: Floats) -> NDArray[np.bool_]:  # noqa: ARG002 - all slices count
        return np.asarray(inside.sum(axis=1) >= 0.5)

    def _slices(self, graph: Graph, losses: Floats) -> Floats:
        """Compute the slices' weights in a class (or half of one), (n, n_slices); 0 if no examples are left."""
        weights = np.zeros((len(losses), self.n_slices))
        above = losses - losses.min()
        risk, m = above / (above.mean() or 1.0), math.ceil(self.size * len(losses))
        for s in range(self.n_slices):
            left = np.flatnonzero((weights < 0.5).all(axis=1))
            if len(left) <= m:
                break
            weights[left, s] = heaviest(graph.links[left][:, left] * self.compactness, risk[left], m)
        return weights

    def _cross_fitted(self, X: NDArray[np.float32], losses: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Members of the slices that the other half's examples would make, shape (n, n_slices)."""
        inside, order = np.zeros((len(X), self.n_slices), dtype=bool), rng.permutation(len(X))
        halves = np.sort(order[: len(X) // 2]), np.sort(order[len(X) // 2 :])
        for own, other in (halves, halves[::-1]):
            graph = Graph.of(X[other], self.k)
            applied = graph.applied(self._slices(graph, losses[other]), X[own])
            for s, size in enumerate(np.rint(applied.sum(axis=0)).astype(int)):
                # as many of the strongest as memberships add up to: what the harness does with them
                inside[own[np.argsort(-applied[:, s], kind="stable")[:size]], s] = True
        return inside

    def _check_parameters(self) -> None:
        at_least(1, self, "n_slices", "k")
        if not 0 < self.size < 1:
            raise ConfigError(f"size is {self.size}; expected a share between 0 and 1")
        if not 0 <= self.compactness < np.inf:
            raise ConfigError(f"compactness is {self.compactness}; expected a finite number of at least 0")


@dataclass(frozen=True, eq=False)
class Graph:
    """Examples with their symmetric neighbourhood graph: `links` (n, n) sparse, ½ (A + Aᵀ), with the same wᵀAw."""

    X: Floats
    mean: Floats
    scale: float
    k: int
    links: Any

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], k: int) -> Graph:
        """Build the graph of at least two examples, centred and scaled to norms of about 1."""
        from scipy.sparse import csr_array

        X, n, k = embeddings.astype(np.float64), len(embeddings), min(k, len(embeddings) - 1)
        mean = X.mean(axis=0)
        scale = float(np.sqrt(np.square(X - mean).sum(axis=1).mean())) or 1.0
        X = (X - mean) / scale
        near = nearest(X, X, k + 1)
        # without itself, which twins may have pushed to any place
        itself = near == np.arange(n)[:, None]
        itself[~itself.any(axis=1), -1] = True
        near = near[~itself].reshape(n, k)
        A = csr_array((np.full(n * k, 1 / k), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
        return cls(X, mean, scale, k, ((A + A.T) / 2).tocsr())

    def applied(self, weights: Floats, embeddings: NDArray[np.float32]) -> Floats:
        """Average the `weights` (n, s) of the k nearest neighbours of each of other examples."""
        near = nearest((embeddings.astype(np.float64) - self.mean) / self.scale, self.X, self.k)
        mean: Floats = weights[near].mean(axis=1)
        return mean


def nearest(X: Floats, Y: Floats, k: int) -> NDArray[np.intp]:
    """Find the rows of Y nearest to each row of X, shape (n, k), the nearest first; of equal rows the first.

    Norms are about 1, and squared distances are rounded to nine places, because the last digits of
    a matrix product depend on the position of a row and must not decide anything.
    """
    near, norms = np.empty((len(X), k), dtype=np.intp), np.square(Y).sum(axis=1)
    for start in range(0, len(X), CHUNK):
        rows = X[start : start + CHUNK]
        distances = np.square(rows).sum(axis=1, keepdims=True) - 2 * rows @ Y.T + norms
        near[start : start + CHUNK] = np.argsort(distances.round(9), axis=1, kind="stable")[:, :k]
    return near


def heaviest(links: Any, risk: Floats, m: int, max_steps: int = 200) -> Floats:
    """Maximise risk·w + w·links·w locally over weights in [0, 1] with sum m, from two starts: shape (n,)."""
    n = len(risk)
    starts = np.full(n, m / n), _top(risk + links @ risk, m)
    ends = [climb(links, risk, start, m, max_steps) for start in starts]
    return max(ends, key=lambda w: float(risk @ w + w @ (links @ w)))


def climb(links: Any, risk: Floats, w: Floats, m: int, max_steps: int) -> Floats:
    """Run Frank–Wolfe with exact line search: towards the m examples of largest gradient while the objective rises."""
    for _ in range(max_steps):
        gradient = risk + 2 * (links @ w)
        step = _top(gradient, m) - w
        gain = float(gradient @ step)  # the Frank–Wolfe gap: 0 at a stationary point, and nowhere else
        if gain <= 1e-9 * m:
            break
        curvature = float(step @ (links @ step))
        w = w + step * (1.0 if curvature >= 0 else min(1.0, -gain / (2 * curvature)))
    return w


def _top(values: Floats, m: int) -> Floats:
    """Return 1 for the m largest, 0 for the rest; of equal values the first."""
    chosen = np.zeros(len(values))
    chosen[np.argsort(-values, kind="stable")[:m]] = 1
    return chosen
