"""Dense clusters of errors: HDBSCAN on what the model gets wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench_methods._clusters import Clustered, distances
from slicebench_methods._needed import at_least
from slicebench_methods._space import projection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class HDBSCANErrors(Clustered):
    """Cluster the errors by density; scattered errors form no cluster.

    In each true class, HDBSCAN clusters val's errors in few dimensions. Hardness is minus the
    distance to the nearest error in a cluster, in units of the cluster's reach, within which nine
    in ten of its errors have their nearest neighbour. Without clusters, all examples are equally
    hard. Significant clusters are slices.

    What HDBSCAN calls noise is in no slice, and a class without clusters has none. A new example
    belongs to the cluster whose nearest error is nearest in these units, or to none if that error
    is beyond the cluster's reach. A cluster is a slice if it is significant on val (at least 20
    members, an error rate 0.05 above the rest's, Fisher's test at 5% with Holm's correction),
    because errors are also dense where the class is. Slices come with the highest error rate first,
    and their members are flagged. Errors of val lie at distance 0 from themselves, so rates on val
    are optimistic; the benchmark judges on other data. A class without errors or without right
    answers falls back to the base model's confidence, and `notes` says so.

    Parameters
    ----------
    min_cluster_size : int, default 10
        Minimum number of errors in a cluster. Ours: half of the 20 members that a slice needs.
    n_components : int, default 5
        Principal components of the class in which distances are taken; density means little in
        more. Ours.
    seed : int, default 0
        Seed of the projection.

    Attributes
    ----------
    parts_ : dict of int to Spots
        Projection, errors in clusters, and reach of each cluster, by class.
    rates_ : dict of int to (k + 1,) float64
        Val error rate in each cluster and, last, outside all, shrunk towards the class's by one example.
    slices_ : list of (class, cluster)
    fallbacks_ : dict of int to str

    Complexity: O(n d min(n, d)) for the projection, O(m²) for m errors, O(n m) to score.

    References
    ----------
    Campello, Moulavi, Sander, "Density-Based Clustering Based on Hierarchical Density Estimates",
    2013; scikit-learn's `HDBSCAN`. The treatment of new examples is ours.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=600):
    ...     x, y, hard = rng.normal(size=(n, 4)), rng.integers(0, 2, n), rng.random(n) < 0.2
    ...     x[hard] = rng.normal(scale=0.3, size=(hard.sum(), 4)) + 3
    ...     right = np.where(rng.random(n) < np.where(hard, 0.7, 0.05), 0.3, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> scores = HDBSCANErrors().fit(AuditData(train=train, val=val, class_names=("a", "b"))).score(test)
    >>> scores.membership.shape, bool((scores.flagged == hard).mean() > 0.95)
    ((600, 2), True)

    """

    name = "hdbscan_errors"

    def __init__(self, min_cluster_size: int = 10, n_components: int = 5, seed: int = 0) -> None:
        self.min_cluster_size = min_cluster_size
        self.n_components = n_components
        self.seed = seed

    def notes(self) -> tuple[str, ...]:
        """List the classes that fell back to the base model's confidence, and those whose errors are all noise."""
        scattered = [c for c, parts in self._fitted("parts_").items() if not len(parts.candidates)]
        return (*super().notes(), *(f"class {c}: no cluster of errors; all equally hard" for c in scattered))

    def _check(self) -> None:
        at_least(2, self, "min_cluster_size")
        at_least(1, self, "n_components")

    def _parts(self, Z: Floats, wrong: NDArray[np.bool_]) -> Spots:
        mean, axes = projection(Z, self.n_components, self.seed)
        errors = np.einsum("nd,kd->nk", Z[wrong] - mean, axes)
        clusters = self._clusters(errors)
        spots = tuple(errors[clusters == k] for k in range(clusters.max(initial=-1) + 1))
        return Spots(mean, axes, spots, np.array([_reach(spot) for spot in spots]))

    def _hardness(self, c: int, Z: Floats, shares: Floats) -> Floats:  # noqa: ARG002 - distances say more than membership
        parts = self.parts_[c]
        assert isinstance(parts, Spots)
        nearest = parts.distances(Z)
        hardness: Floats = -nearest.min(axis=1) if nearest.shape[1] else np.zeros(len(Z))
        return hardness

    def _clusters(self, errors: Floats) -> NDArray[np.intp]:
        """Return the cluster of each error, −1 for noise."""
        from sklearn.cluster import HDBSCAN

        if len(errors) <= self.min_cluster_size:
            return np.full(len(errors), -1)
        model = HDBSCAN(self.min_cluster_size, allow_single_cluster=True, copy=True)
        clusters: NDArray[np.intp] = model.fit_predict(errors)
        return clusters


def _reach(spot: Floats) -> float:
    """Compute the distance within which nine in ten of a cluster's errors have their nearest neighbour."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=2).fit(spot).kneighbors(spot)[0][:, 1]
    return max(float(np.quantile(nearest, 0.9)), 1e-9)


@dataclass(frozen=True, eq=False)
class Spots:
    """Clusters of errors, each (m_k, d') after projection, and their reaches (k,)."""

    mean: Floats
    axes: Floats
    errors: tuple[Floats, ...]
    reaches: Floats

    @property
    def candidates(self) -> NDArray[np.intp]:
        """All parts but the last, which holds what is in no cluster."""
        return np.arange(len(self.errors))

    def distances(self, Z: Floats) -> Floats:
        """Compute the distance to the nearest error of each cluster in units of its reach, shape (n, k)."""
        points = np.einsum("nd,kd->nk", Z - self.mean, self.axes)
        nearest = [distances(points, spot).min(axis=1) for spot in self.errors]
        return np.stack(nearest, axis=1) / self.reaches if nearest else np.empty((len(Z), 0))

    def shares(self, Z: Floats) -> Floats:
        """Return 1 for the nearest cluster within reach, else for "none", shape (n, k + 1)."""
        nearest = np.column_stack([self.distances(Z), np.full(len(Z), 1.0)])
        shares: Floats = np.eye(nearest.shape[1])[nearest.argmin(axis=1)]
        return shares
