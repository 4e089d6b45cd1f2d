"""Regions of embedding space in which the loss is high on average, found one after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.method import SliceMethod, SliceScores
from slicebench_methods._spotlight import Full, Spherical, ascend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.problem import AuditData
    from slicebench.split import Split

START_PRECISION = 1e-4


class Spotlight(SliceMethod):
    """Shine a light on the contiguous region where the model does worst, dim what it lit, repeat.

    A spotlight is a centre μ and a precision τ; an example x has weight max(1 − τ‖x − μ‖², 0) in it. Centre and precision are
    moved by gradient ascent to maximise the weighted mean loss of val, while a barrier keeps the total weight above a share
    of all examples. After each spotlight the losses are multiplied by 1 − weight / largest weight, so that the next looks
    elsewhere. Needs embeddings and (non-negative) losses only: it also serves tasks without classes.

    The paper defines no score outside the lit regions. Here hardness is −min_j τ_j‖x − μ_j‖² over all spotlights: nearness, in
    units of the radius, to the nearest; it orders the lit by weight and goes on smoothly into the dark. Membership is the
    weights themselves, in order of discovery. Flagged are the examples at
    least as bright in some spotlight as the S brightest of val are (S = `min_fraction` · n_val): weights barely above 0 reach
    over most of the data (94 % of the parity problem's test split), and no fixed weight suits every dimension.

    Parameters
    ----------
    n_spotlights : int, default 5
    min_fraction : float, default 0.05
        Least total weight as a share of val (the paper's S/n: 2 % on sets of 5,000 and more, 5 % on smaller classes of problem).
        The larger of the paper's two is the default because val splits here are small: 2 % of 500 is ten examples.
    precision : {"spherical", "full"}, default "spherical"
        "full" lets the spotlight be an ellipsoid, with precision matrix τ (I + E)ᵀ(I + E) and E lower triangular.
    steps : int, default 1000
        Steps of Adam per spotlight.
    barrier_scale : float, default 1
        Weight of the barrier (the paper used 10 on ImageNet and SQuAD).
    standardize : bool, default True
        Centre embeddings on val's mean and divide by one number, the root mean variance of its features. Learning rate (1e-2 per
        step and feature) and starting precision (1e-4) are absolute, so they presume embeddings of about this scale; a
        single number keeps a sphere a sphere. False uses embeddings as they are, as the paper does.

    Attributes
    ----------
    means_ : (n_spotlights, d) float64
        Centres, in the standardised space.
    precisions_ : (n_spotlights,) float64
        τ of each.
    shapes_ : (n_spotlights, d, d) float64 or None
        I + E of each, with precision="full".
    total_weights_, weighted_losses_ : (n_spotlights,) float64
        Total val weight, and weighted mean of the *original* losses, of each; 0 for a spotlight that lost every example.
    thresholds_ : (n_spotlights,) float64
        Weight from which an example is flagged.
    center_, scale_ : (d,) float64 and float
        The standardisation.

    Complexity: O(n d) per step and spotlight, O(n d²) with precision="full"; O(n d) memory.

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
        *,
        standardize: bool = True,
    ) -> None:
        self.n_spotlights = n_spotlights
        self.min_fraction = min_fraction
        self.precision = precision
        self.steps = steps
        self.barrier_scale = barrier_scale
        self.standardize = standardize

    def fit(self, data: AuditData) -> Self:
        """Find the spotlights of val, one after the other. Deterministic: there is nothing to draw.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check_parameters()
        val, d = data.val, data.val.d
        self._fit_scale(val.embeddings)
        losses = val.losses.astype(np.float64)
        theta = self._search(self._scaled(val.embeddings), losses)
        self.means_, self.precisions_ = theta[:, :d], np.exp(theta[:, d])
        full = self.precision == "full"
        self.shapes_ = np.eye(d) + np.tril(theta[:, d + 1 :].reshape(-1, d, d)) if full else None
        weights = np.maximum(1 - self._distances(val), 0)
        self.total_weights_ = weights.sum(axis=0)
        self.weighted_losses_ = losses @ weights / np.where(self.total_weights_ > 0, self.total_weights_, 1.0)
        lit = max(1, math.ceil(self.min_fraction * val.n))
        self.thresholds_ = np.sort(weights, axis=0)[-lit]
        return self

    def score(self, split: Split) -> SliceScores:
        """Hardness (n,), flags (n,) and membership (n, n_spotlights) of any examples, new ones included."""
        thresholds: NDArray[np.float64] = self._fitted("thresholds_")
        distances = self._distances(split)
        weights = np.maximum(1 - distances, 0)
        flagged: NDArray[np.bool_] = np.any((weights >= thresholds) & (weights > 0), axis=1)
        return SliceScores(hardness=-distances.min(axis=1), flagged=flagged, membership=weights.astype(np.float32))

    def _search(self, X: NDArray[np.float64], losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Parameters of each spotlight, one row each: centre, log precision and, with "full", the shape."""
        kernel = Spherical(X) if self.precision == "spherical" else Full(X)
        start, S, remaining, found = self._start(X), self.min_fraction * len(X), losses.copy(), []
        for _ in range(self.n_spotlights):
            end = ascend(kernel, remaining, start, min_weight=S, steps=self.steps, scale=self.barrier_scale)
            found.append(end.theta)
            remaining *= 1 - end.weights / (end.weights.max() or 1.0)
        return np.stack(found)

    def _distances(self, split: Split) -> NDArray[np.float64]:
        """Squared distance from each spotlight in units of its radius, shape (n, n_spotlights)."""
        X, distances = self._scaled(split.embeddings), np.empty((split.n, len(self.means_)))
        for j, (mean, tau) in enumerate(zip(self.means_, self.precisions_, strict=True)):
            deviations = X - mean if self.shapes_ is None else (X - mean) @ self.shapes_[j].T
            distances[:, j] = tau * np.square(deviations).sum(axis=1)
        return distances

    def _check_parameters(self) -> None:
        if not 0 < self.min_fraction < 1:
            raise ConfigError(f"min_fraction is {self.min_fraction}; expected a share between 0 and 1")
        if self.precision not in ("spherical", "full"):
            raise ConfigError(f"precision is {self.precision!r}; expected 'spherical' or 'full'")
        for name in ("n_spotlights", "steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")

    def _fit_scale(self, embeddings: NDArray[np.float32]) -> None:
        X, constant = embeddings.astype(np.float64), bool(np.ptp(embeddings, axis=0).max() == 0)
        self.center_ = X.mean(axis=0) if self.standardize else np.zeros(X.shape[1])
        self.scale_ = float(np.sqrt(X.var(axis=0).mean())) if self.standardize and not constant else 1.0

    def _scaled(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (embeddings.astype(np.float64) - self.center_) / self.scale_
        return scaled

    def _start(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Centre 0 and precision 1e-4, or what lights the farthest example to ½ where 1e-4 would leave it in the dark.

        Where nothing is lit nothing has a gradient, and embeddings of norm above 100 would never be found.
        """
        d = X.shape[1]
        farthest = float(np.square(X).sum(axis=1).max())
        start = np.zeros(d + 1 + (d * d if self.precision == "full" else 0))
        start[d] = np.log(START_PRECISION if START_PRECISION * farthest < 1 else 0.5 / farthest)
        return start
