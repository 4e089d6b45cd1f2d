"""Regions of embedding space in which the loss is high on average, found one after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._batches import like_sized
from slicebench_methods._needed import at_least
from slicebench_methods._per_class import doubt
from slicebench_methods._space import moments, row_blocks
from slicebench_methods._spotlight import FAR, Full, Spherical, ascend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

START_PRECISION = 1e-4


class Spotlight(SliceMethod):
    """Find the region where the loss is highest, lower the losses in it, and repeat.

    In a spotlight with centre μ and precision τ, x has weight max(1 − τ‖x − μ‖², 0). Gradient
    ascent maximises the weighted mean loss of val; a barrier keeps the total weight above a share
    of all examples. Hardness is the nearness to the nearest spotlight. It also runs on tasks
    without classes.

    After each spotlight the losses are multiplied by 1 − weight / largest weight, so that the next
    one looks elsewhere. The paper defines no score outside the spotlights. Here hardness is −min_j
    τ_j‖x − μ_j‖² over all spotlights, in units of the radius: it orders the examples inside by
    weight and continues smoothly outside. Membership is the weights themselves, in order of
    discovery.

    Flagged are the examples whose weight in some spotlight reaches that of the S heaviest of val (S
    = `min_fraction` · n_val). Weights just above 0 cover most of the data (94% of the parity
    problem's test split), and no fixed weight suits every dimension. Losses must not be negative.

    Parameters
    ----------
    n_spotlights : int, default 5
        Number of spotlights.
    min_fraction : float, default 0.05
        Minimum total weight as a share of val (the paper's S/n: 2% on sets of 5,000 and more, 5% on
        smaller classes of problem). The larger of the two is the default because val splits here
        are small: 2% of 500 is ten examples.
    precision : {"spherical", "full"}, default "spherical"
        "full" lets the spotlight be an ellipsoid, with precision matrix τ (I + E)ᵀ(I + E) and E lower triangular.
    steps : int, default 1000
        Steps of Adam per spotlight.
    barrier_scale : float, default 1
        Weight of the barrier (the paper used 10 on ImageNet and SQuAD).
    restarts : int, default 1
        Starts of each spotlight, of which the one with the best objective is kept: first the
        paper's own, centre 0, then seeded examples of val.
    seed : int, default 0
        Seed of the further starts; unused with one start.
    standardize : bool, default True
        Whether to centre embeddings on val's mean and divide them by one number, the root mean
        variance of the features. The learning rate (1e-2 per step and feature) and the first
        precision (1e-4) are absolute, so they presume embeddings of about this scale; a single
        number keeps a sphere a sphere. False uses embeddings as they are, as the paper does.
    by_class : bool, default False
        Whether to search each true class by itself, where the paper searches all of val. Ours, for
        rankings within classes. An example then belongs to the spotlights of its own class; one of
        a class that val lacks is ranked by the base model's doubt.

    Attributes
    ----------
    classes_ : (g,) int64
        Classes of val with `by_class`; otherwise a single 0, for all examples.
    means_ : (g, n_spotlights, d) float64
        Centres, in the standardised space.
    precisions_ : (g, n_spotlights) float64
        τ of each spotlight.
    shapes_ : (g, n_spotlights, d, d) float64 or None
        I + E of each spotlight, with precision="full".
    total_weights_, weighted_losses_ : (g, n_spotlights) float64
        Total val weight, and weighted mean of the *original* losses, of each spotlight; 0 for one
        without examples.
    thresholds_ : (g, n_spotlights) float64
        Weight from which an example is flagged.
    center_, scale_ : (d,) float64 and float
        The standardisation.

    Complexity: per step, spotlight and start O(m d), with precision="full" O(n d²). m is the number of examples that can
    be at the edge of the spotlight; of all others, bounds on how far it has moved prove on which side they are, so that
    every step is that of the algorithm up to rounding. O(n d) memory.

    References
    ----------
    d'Eon, d'Eon, Wright, Leyton-Brown, "The Spotlight: A General Method for Discovering Systematic Errors in Deep Learning
    Models", FAccT 2022 (arXiv 2021).

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=200):
    ...     x, hard = rng.normal(size=(n, 2)), rng.random(n) < 0.2
    ...     x[hard, 0] += 5
    ...     return Split(ids=[f"{name}{i}" for i in range(n)], embeddings=x, losses=0.1 + hard), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> method = Spotlight(n_spotlights=1, min_fraction=0.1).fit(AuditData(train=train, val=val))
    >>> bool(hard[np.argsort(-method.score(test).hardness)[:25]].all())
    True

    """

    requires = frozenset({"embeddings", "losses"})

    def __init__(
        self,
        n_spotlights: int = 5,
        min_fraction: float = 0.05,
        precision: str = "spherical",
        steps: int = 1000,
        barrier_scale: float = 1.0,
        restarts: int = 1,
        seed: int = 0,
        *,
        standardize: bool = True,
        by_class: bool = False,
    ) -> None:
        self.n_spotlights = n_spotlights
        self.min_fraction = min_fraction
        self.precision = precision
        self.steps = steps
        self.barrier_scale = barrier_scale
        self.restarts = restarts
        self.seed = seed
        self.standardize = standardize
        self.by_class = by_class

    def fit(self, data: AuditData) -> Self:
        """Find the spotlights of val, one after the other.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check_parameters()
        val, d = data.val, data.val.d
        self._fit_scale(val.embeddings)
        groups = dict(val.by_class()) if self.by_class else {0: np.arange(val.n)}
        self.classes_ = np.array(list(groups))
        theta = self._search(self._scaled(val.embeddings), val.losses, list(groups.values()))
        self.means_, self.precisions_ = theta[..., :d], np.exp(theta[..., d])
        full = self.precision == "full"
        self.shapes_ = np.eye(d) + np.tril(theta[..., d + 1 :].reshape(*theta.shape[:2], d, d)) if full else None
        self.total_weights_, self.weighted_losses_, self.thresholds_ = np.zeros((3, *theta.shape[:2]))
        for g, rows in enumerate(groups.values()):
            weights = np.maximum(1 - self._distances(g, val.embeddings[rows]), 0)
            total = self.total_weights_[g] = weights.sum(axis=0)
            self.weighted_losses_[g] = val.losses[rows] @ weights / np.where(total > 0, total, 1.0)
            lit = max(1, math.ceil(self.min_fraction * len(rows)))
            self.thresholds_[g] = np.sort(weights, axis=0)[-lit]
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness (n,), flags (n,) and membership (n, n_spotlights) of any examples, new ones included.

        With `by_class`, column j is the j-th spotlight of an example's own class.
        """
        thresholds: NDArray[np.float64] = self._fitted("thresholds_")
        labels = split.labels if self.by_class and split.labels is not None else np.zeros(split.n, dtype=np.int64)
        weights = np.zeros((split.n, self.n_spotlights), dtype=np.float32)
        hardness, flagged = doubt(split), np.zeros(split.n, dtype=bool)
        for g, c in enumerate(self.classes_):
            rows = np.flatnonzero(labels == c)
            distances = self._distances(g, split.embeddings[rows])
            weight = np.maximum(1 - distances, 0)
            hardness[rows], weights[rows] = -distances.min(axis=1), weight
            flagged[rows] = np.any((weight >= thresholds[g]) & (weight > 0), axis=1)
        return SliceScores(hardness=hardness, flagged=flagged, membership=weights)

    def _search(
        self, X: NDArray[np.floating], losses: NDArray[np.float32], groups: list[NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """Find each spotlight's parameters, (g, n_spotlights, p): centre, log precision and, with "full", shape."""
        found: dict[int, NDArray[np.float64]] = {}
        for members in like_sized(np.array([len(rows) for rows in groups]), X.shape[1]):
            theta = self._search_together(X, losses, [groups[g] for g in members])
            found |= dict(zip(members.tolist(), theta, strict=True))
        return np.stack([found[g] for g in range(len(groups))])

    def _search_together(
        self, X: NDArray[np.floating], losses: NDArray[np.float32], groups: list[NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """Search groups that are padded to one size."""
        n = np.array([[len(rows)] for rows in groups])
        points = np.full((len(n), n.max(), X.shape[1]), FAR, dtype=X.dtype)
        remaining = np.zeros((len(n), 1, n.max()), dtype=X.dtype)
        for g, rows in enumerate(groups):
            points[g, : len(rows)], remaining[g, 0, : len(rows)] = X[rows], losses[rows]
        start = np.stack([self._starts(X[rows]) for rows in groups])
        kernel = Spherical(points) if self.precision == "spherical" else Full(points)
        S, found, each = self.min_fraction * n, [], np.arange(len(n))
        for _ in range(self.n_spotlights):
            end = ascend(kernel, remaining, start, n=n, min_weight=S, steps=self.steps, scale=self.barrier_scale)
            best = end.objective[-1].argmax(axis=-1)
            found.append(end.theta[each, best])
            weights = end.weights[each, best][:, None]
            peak = weights.max(axis=-1, keepdims=True)
            remaining *= 1 - weights / np.where(peak > 0, peak, 1)
        return np.stack(found, axis=1)

    def _distances(self, g: int, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute squared distances from a group's spotlights in units of their radii, shape (n, n_spotlights)."""
        distances = np.empty((len(embeddings), self.n_spotlights))
        for rows in row_blocks(len(embeddings)):
            X = self._scaled(embeddings[rows]).astype(np.float64)
            for j, (mean, tau) in enumerate(zip(self.means_[g], self.precisions_[g], strict=True)):
                apart = X - mean if self.shapes_ is None else (X - mean) @ self.shapes_[g, j].T
                distances[rows, j] = tau * np.einsum("ij,ij->i", apart, apart)
        return distances

    def _check_parameters(self) -> None:
        if not 0 < self.min_fraction < 1:
            raise ConfigError(f"min_fraction is {self.min_fraction}; expected a share between 0 and 1")
        if self.precision not in ("spherical", "full"):
            raise ConfigError(f"precision is {self.precision!r}; expected 'spherical' or 'full'")
        at_least(1, self, "n_spotlights", "steps", "restarts")

    def _fit_scale(self, embeddings: NDArray[np.float32]) -> None:
        constant = bool(np.ptp(embeddings, axis=0).max() == 0)
        mean, std = moments(embeddings)
        self.center_ = mean if self.standardize else np.zeros_like(mean)
        self.scale_ = float(np.sqrt(np.square(std).mean())) if self.standardize and not constant else 1.0

    def _scaled(self, embeddings: NDArray[np.float32]) -> NDArray[np.floating]:
        """Standardise embeddings, in float32 if their squares fit into it."""
        scaled: NDArray[np.float64] = (embeddings - self.center_) / self.scale_
        return scaled.astype(np.float32) if np.abs(scaled).max() < FAR else scaled

    def _starts(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Choose parameters to start from, shape (restarts, p): centre 0 and precision 1e-4, then seeded examples.

        If 1e-4 gives the farthest example no weight, the precision gives it weight ½ instead.
        Without weights there is no gradient, so embeddings with a norm above 100 would never be
        found.
        """
        d = X.shape[1]
        farthest = float(np.square(X).sum(axis=1, dtype=np.float64).max())
        starts = np.zeros((self.restarts, d + 1 + (d * d if self.precision == "full" else 0)))
        starts[:, d] = np.log(START_PRECISION if START_PRECISION * farthest < 1 else 0.5 / farthest)
        starts[1:, :d] = X[np.random.default_rng(self.seed).integers(len(X), size=self.restarts - 1)]
        return starts
