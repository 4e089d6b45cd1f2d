"""Hidden subclasses: a Gaussian mixture of each class in few dimensions, and its worst components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench_methods._clusters import Clustered, distances
from slicebench_methods._gaussians import Gaussians, fit_mixtures
from slicebench_methods._needed import at_least
from slicebench_methods._space import projection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class George(Clustered):
    """Estimate subclasses of each class, then measure their error rates.

    In each true class, the val embeddings are reduced to few dimensions and divided by a Gaussian
    mixture, without looking at errors. The silhouette chooses 2 to `max_clusters` components.
    Hardness is the expected error rate, Σ_k responsibility_k · rate_k. Components with a
    significant error rate are slices.

    The number of components with the highest silhouette is taken. Slices are those components that
    are significant on val (at least 20 members, an error rate 0.05 above the rest's, Fisher's test
    at 5% with Holm's correction), the highest error rate first; their members are flagged. The
    paper goes on to train with group DRO on the components. A class without errors or without right
    answers falls back to the base model's confidence, and `notes` says so.

    Parameters
    ----------
    n_components : int, default 2
        Dimensions that a class is reduced to: two, as in the paper, but by principal components.
        The paper uses UMAP, which is not a dependency here and has no exact map for new examples.
    max_clusters : int, default 10
        Maximum number of subclasses per class, as in the paper, and at most one per ten examples.
    seed : int, default 0
        Seed of the projection and of the mixtures.

    Attributes
    ----------
    parts_ : dict of int to Subclasses
        Projection and mixture by class.
    rates_ : dict of int to (k,) float64
        Val error rate of each subclass, shrunk towards the class's by one example.
    slices_ : list of (class, subclass)
    fallbacks_ : dict of int to str

    Complexity: O(n d min(n, d)) to project; per number of subclasses O(n k) per EM iteration and
    O(n²) for the silhouette (of at most 1,000 examples); scoring O(n (d + k)).

    References
    ----------
    Sohoni, Dunnmon, Angus, Gu, Ré, "No Subclass Left Behind: Fine-Grained Robustness in Coarse-Grained Classification
    Problems", NeurIPS 2020, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=400):
    ...     x, y, hard = rng.normal(size=(n, 4)), rng.integers(0, 2, n), rng.random(n) < 0.3
    ...     x[hard] += 4
    ...     right = np.where(rng.random(n) < np.where(hard, 0.7, 0.05), 0.3, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> scores = George().fit(AuditData(train=train, val=val, class_names=("a", "b"))).score(test)
    >>> scores.membership.shape, bool((scores.flagged == hard).mean() > 0.98)
    ((400, 2), True)

    """

    name = "george"

    def __init__(self, n_components: int = 2, max_clusters: int = 10, seed: int = 0) -> None:
        self.n_components = n_components
        self.max_clusters = max_clusters
        self.seed = seed

    def _check(self) -> None:
        at_least(1, self, "n_components")
        at_least(2, self, "max_clusters")

    def _parts(self, Z: Floats, wrong: NDArray[np.bool_]) -> Subclasses:  # noqa: ARG002 - errors are not looked at
        mean, axes = projection(Z, self.n_components, self.seed)
        points, distinct = (Z - mean) @ axes.T, len(np.unique(Z, axis=0))
        rows = np.random.RandomState(self.seed).permutation(len(Z))[:SILHOUETTE_SAMPLE]
        between = distances(points[rows], points[rows])
        regular = max(REGULAR, ROUNDING * float(points.var(axis=0).max()))
        sizes = range(2, min(self.max_clusters, len(Z) // 10, distinct) + 1)
        mixtures = fit_mixtures(points, sizes, starts=3, seed=self.seed, reg_covar=regular)
        found = [silhouette(between, mixture.responsibilities(points).argmax(axis=1)[rows]) for mixture in mixtures]
        if not found or max(found) == -np.inf:
            mixtures, found = fit_mixtures(points, [1], starts=1, seed=self.seed, reg_covar=regular), [0.0]
        best = mixtures[int(np.argmax(found))]
        return Subclasses(mean, axes, best)


def silhouette(between: Floats, clusters: NDArray[np.int64]) -> float:
    """Compute the mean silhouette (Rousseeuw 1987) of a clustering (n,) from distances (n, n); −∞ for one cluster.

    Sums of distances to all clusters are one matrix product. A point alone in its cluster has silhouette 0.
    """
    found, own, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(found) < 2:
        return -np.inf
    sums, each = between @ (own[:, None] == np.arange(len(found))), np.arange(len(own))
    inside = sums[each, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[each, own] = np.inf
    outside = means.min(axis=1)
    apart = np.where(sizes[own] > 1, outside - inside, 0.0)
    return float(np.mean(apart / np.maximum(np.maximum(inside, outside), np.finfo(float).tiny)))


SILHOUETTE_SAMPLE = 1000
REGULAR = 1e-4
"""Added to the variances of whitened embeddings, so that a subclass of equal examples has a variance."""
ROUNDING = 1e-10
"""Share of the largest variance below which a covariance cannot be told from a singular one."""


@dataclass(frozen=True, eq=False)
class Subclasses:
    """Projection, with mean (d,) and axes (d', d), and the mixture on it."""

    mean: Floats
    axes: Floats
    mixture: Gaussians

    @property
    def candidates(self) -> NDArray[np.intp]:
        """All subclasses."""
        return np.arange(len(self.mixture))

    def shares(self, Z: Floats) -> Floats:
        """Return the responsibilities, shape (n, k)."""
        shares: Floats = self.mixture.responsibilities(np.einsum("nd,kd->nk", Z - self.mean, self.axes))
        return shares
