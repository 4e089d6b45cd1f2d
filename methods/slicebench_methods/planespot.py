"""Blindspots as clusters in two dimensions of the embedding and the model's confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench_methods._gaussians import fit_mixtures
from slicebench_methods._membership import MembershipMethod
from slicebench_methods._needed import at_least, needed
from slicebench_methods._per_class import learnable_classes
from slicebench_methods._space import projection
from slicebench_methods._supported import borne_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench_methods._gaussians import Gaussians

    Floats = NDArray[np.float64]

LEAST_PER_COMPONENT = 10
"""Val examples per component of a mixture, which has 9 parameters of its own."""
REGULAR = 1e-6
"""Added to the variances of a component, as scikit-learn does."""


class PlaneSpot(MembershipMethod):
    """Cluster a two-dimensional projection together with the model's confidence.

    In each true class, the embeddings are projected to two dimensions, scaled to [0, 1] on val;
    confidence times a small weight is the third. A Gaussian mixture is fitted, its size chosen by
    BIC. Hardness is the expected error rate, Σ_k r_k · error_rate_k. Components with a significant
    error rate are slices.

    The mixture has full covariances. Slices come by descending importance: errors times error rate,
    which is size × error rate². Only components that are significant on val (at least 20 members,
    an error rate 0.05 above the rest's, Fisher's test at 5% with Holm's correction) are returned.
    Components are fitted without the errors, so this test is fair except for what the confidence
    tells of the errors. Flagged are the examples whose most probable component is a slice.

    The paper projects with scvis, a variational autoencoder trained on the images that are
    searched; here it is principal components, which map new examples and need no training. The
    public implementation (`PlaneSpotSlicer`) takes as confidence the probability of the class that
    the images belong to. That tells right from wrong, so slices would be errors by construction;
    here confidence is the probability of the *predicted* class. The test of a slice is ours: the
    public implementation returns the most important components untested.

    A class without errors or without right answers falls back to the base model's confidence, and
    `notes` says so.

    Parameters
    ----------
    n_slices : int, default 10
        Maximum number of slices, of all classes together. As in the public implementation.
    weight : float, default 0.025
        Weight of the confidence against a projection of range 1. As in the public implementation.
        Full covariances adapt to any scale, so it matters little: it decides where k-means starts
        and how fine a difference in confidence still counts (1e-6 is added to variances, a
        standard deviation of 0.04 in confidence).
    max_components : int, default 10
        Maximum number of components of a class. Ours: the public implementation tries up to 32, but
        classes here have some hundred examples in val, and a class gets at most one component for
        every ten of them.
    seed : int, default 0
        Seed of the k-means that EM starts from, and of the projection.

    Attributes
    ----------
    planes_ : dict of int to Plane
        Projection and mixture per class, with error rate, mass (sum of memberships) and importance of each component.
    slices_ : list of (int, int)
        Class and component of each slice.
    fallbacks_ : dict of int to str
        Classes that fell back to confidences, with the reason.

    Complexity: O(n d min(n, d)) to project; O(n K) per EM iteration for each number of components
    up to K; scoring O(n (d + K)).

    References
    ----------
    Plumb, Johnson, Cabrera, Talwalkar, "Towards a More Rigorous Science of Blindspot Discovery in Image Classification
    Models", TMLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=200):
    ...     x, y, hard = rng.normal(size=(n, 4)), rng.integers(0, 2, n), rng.random(n) < 0.3
    ...     x[hard, 0] += 6
    ...     right = np.where(rng.random(n) < np.where(hard, 0.7, 0.05), 0.3, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> scores = PlaneSpot().fit(AuditData(train=train, val=val, class_names=("a", "b"))).score(test)
    >>> bool(scores.hardness[hard].mean() > scores.hardness[~hard].mean() + 0.3)
    True

    """

    name = "planespot"
    needs = ("correct",)
    requires = frozenset({"embeddings", "labels", "probs"})

    def __init__(self, n_slices: int = 10, weight: float = 0.025, max_components: int = 10, seed: int = 0) -> None:
        self.n_slices = n_slices
        self.weight = weight
        self.max_components = max_components
        self.seed = seed

    def fit(self, data: AuditData) -> Self:
        """Fit projection and mixture of each class to val, and choose the slices.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        at_least(1, self, "n_slices", "max_components")
        if not 0 <= self.weight < np.inf:
            raise ConfigError(f"weight is {self.weight}; expected a finite number of at least 0")
        val = data.val
        correct, sure = needed(val, "correct", "planespot"), _confidence(val)
        self.planes_: dict[int, Plane] = {}
        learnable, self.fallbacks_ = learnable_classes(val, correct, len(data.class_names), 1)
        members: dict[tuple[int, int], NDArray[np.intp]] = {}
        for c, rows in learnable.items():
            plane = self.planes_[c] = Plane(val.embeddings[rows], sure[rows], ~correct[rows], self)
            likeliest = plane.responsibilities(val.embeddings[rows], sure[rows]).argmax(axis=1)
            members |= {(c, k): rows[likeliest == k] for k in range(len(plane.mass))}
        kept = sorted(borne_out(members, val), key=lambda slice_: -self.planes_[slice_[0]].importance[slice_[1]])
        self.slices_ = kept[: self.n_slices]
        return self

    def notes(self) -> tuple[str, ...]:
        """List the classes that fell back to confidence, and those with the most components allowed."""
        fell = super().notes()
        full = [c for c, plane in self.planes_.items() if 1 < len(plane.mass) == self.max_components]
        return (*fell, *(f"class {c} has as many components as max_components allows" for c in full))

    def _features(self, split: Split) -> NDArray[np.float32]:
        """Return embeddings and, in the last column, confidence: shape (n, d + 1)."""
        needed(split, "labels", "planespot")  # without them all would count as one class
        return np.column_stack([split.embeddings, _confidence(split)])

    def _judged(self, c: int, X: NDArray[np.float32]) -> tuple[Floats, Floats] | None:
        if c not in self.planes_:
            return None
        resp = self.planes_[c].responsibilities(X[:, :-1], X[:, -1])
        return np.einsum("nk,k->n", resp, self.planes_[c].error_rate), resp


class Plane:
    """Projection and mixture of one class, with mass, error rate and importance of each component on val."""

    def __init__(
        self, X: NDArray[np.float32], sure: NDArray[np.float32], wrong: NDArray[np.bool_], method: PlaneSpot
    ) -> None:
        self.mean, self.axes = projection(X.astype(np.float64), 2, method.seed)
        self.weight = method.weight
        projected = self._projected(X)
        self.low, width = projected.min(axis=0), np.ptp(projected, axis=0)
        # a width of rounding errors would be blown up to 1; along it the class is constant
        self.width = np.where(width > 1e-9 * max(1.0, float(np.abs(X).max())), width, np.inf)
        points = self._points(X, sure)
        self.mixture = _by_bic(points, method.max_components, method.seed)
        resp = self.responsibilities(X, sure)
        self.mass: Floats = resp.sum(axis=0)
        errors: Floats = wrong @ resp
        self.error_rate: Floats = errors / np.where(self.mass > 0, self.mass, 1.0)
        self.importance: Floats = errors * self.error_rate

    def responsibilities(self, X: NDArray[np.float32], sure: NDArray[np.float32]) -> Floats:
        """Return the probability of each component for each example, shape (n, K)."""
        resp: Floats = self.mixture.responsibilities(self._points(X, sure))
        return resp

    def _projected(self, X: NDArray[np.float32]) -> Floats:
        projected: Floats = np.einsum("nd,kd->nk", X.astype(np.float64) - self.mean, self.axes)
        return projected

    def _points(self, X: NDArray[np.float32], sure: NDArray[np.float32]) -> Floats:
        """Return the projection scaled by val's range, and weighted confidence: (n, 3), or (n, 2) if d = 1."""
        return np.column_stack([(self._projected(X) - self.low) / self.width, self.weight * sure.astype(np.float64)])


def _by_bic(points: Floats, max_components: int, seed: int) -> Gaussians:
    """Fit the mixture of least BIC, with at most one component per distinct point and per ten examples."""
    most = min(max_components, len(np.unique(points, axis=0)), max(1, len(points) // LEAST_PER_COMPONENT))
    fitted = fit_mixtures(points, range(1, most + 1), starts=1, seed=seed, reg_covar=REGULAR)
    return min(fitted, key=lambda mixture: mixture.bic(points))


def _confidence(split: Split) -> NDArray[np.float32]:
    """Return the probability of the predicted class, shape (n,)."""
    sure: NDArray[np.float32] = needed(split, "probs", "planespot").max(axis=1)
    return sure
