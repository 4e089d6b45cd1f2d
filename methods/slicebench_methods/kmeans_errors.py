"""Clusters of the errors and of the right answers of a class; hard is what lies nearer to the errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench_methods._clusters import Clustered, distances
from slicebench_methods._needed import at_least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class KMeansErrors(Clustered):
    """Rank by nearness to errors, against right answers.

    In each true class, k-means divides the misclassified val examples into clusters, and the right
    ones into as many. Hardness is the distance to the nearest centre of right answers minus that to
    the nearest centre of errors, in whitened embeddings. Errors alone would only show where the
    class is dense.

    The right answers say what is normal. The examples nearer to one centre of errors than to any
    other centre are a slice if it is significant on val (at least 20 members, an error rate 0.05
    above the rest's, Fisher's test at 5% with Holm's correction). Slices come with the highest
    error rate first, and their members are flagged. A class without errors or without right answers
    falls back to the base model's confidence, and `notes` says so.

    Parameters
    ----------
    n_clusters : int, default 1
        Clusters of errors and of right answers per class, or as many as there are examples if that
        is fewer. Tuned (leaderboard/tuning.json): 1 contrasts two means, and more clusters fit the
        few errors of a class too closely.
    seed : int, default 0
        Seed of k-means.

    Attributes
    ----------
    parts_ : dict of int to Centres
        Centres of errors and of right answers in whitened embeddings, by class.
    rates_ : dict of int to (2 n_clusters,) float64
        Val error rate around each centre, shrunk towards the class's by one example.
    slices_ : list of (class, centre)
    fallbacks_ : dict of int to str

    Complexity: O(n k d) per iteration of k-means; scoring O(n k d).

    References
    ----------
    Lloyd, "Least squares quantization in PCM", 1982, for k-means. Clustering the errors is common
    practice.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=400):
    ...     x, y, hard = rng.normal(size=(n, 4)), rng.integers(0, 2, n), rng.random(n) < 0.2
    ...     x[hard, 0] += 5
    ...     right = np.where(rng.random(n) < np.where(hard, 0.7, 0.05), 0.3, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> scores = KMeansErrors().fit(AuditData(train=train, val=val, class_names=("a", "b"))).score(test)
    >>> bool(scores.hardness[hard].mean() > scores.hardness[~hard].mean() + 1)
    True

    """

    name = "kmeans_errors"

    def __init__(self, n_clusters: int = 1, seed: int = 0) -> None:
        self.n_clusters = n_clusters
        self.seed = seed

    def _check(self) -> None:
        at_least(1, self, "n_clusters")

    def _parts(self, Z: Floats, wrong: NDArray[np.bool_]) -> Centres:
        return Centres(self._centres(Z[wrong]), self._centres(Z[~wrong]))

    def _hardness(self, c: int, Z: Floats, shares: Floats) -> Floats:  # noqa: ARG002 - distances say more than the nearest centre
        parts = self.parts_[c]
        assert isinstance(parts, Centres)
        hardness: Floats = distances(Z, parts.right).min(axis=1) - distances(Z, parts.wrong).min(axis=1)
        return hardness

    def _centres(self, Z: Floats) -> Floats:
        from sklearn.cluster import KMeans

        k = min(self.n_clusters, len(np.unique(Z, axis=0)))
        centres: Floats = KMeans(k, n_init=10, random_state=self.seed).fit(Z).cluster_centers_
        return centres


@dataclass(frozen=True, eq=False)
class Centres:
    """Centres of errors (k, d) and of right answers (k', d); a part holds the examples nearest to one centre."""

    wrong: Floats
    right: Floats

    @property
    def candidates(self) -> NDArray[np.intp]:
        """Parts around centres of errors."""
        return np.arange(len(self.wrong))

    def shares(self, Z: Floats) -> Floats:
        """Return 1 for the nearest centre, errors first, shape (n, k + k')."""
        centres = np.concatenate([self.wrong, self.right])
        shares: Floats = np.eye(len(centres))[distances(Z, centres).argmin(axis=1)]
        return shares
