"""Clusters of vectors, found without outcomes.

A large group with a few more errors gives a regression hardly anything to learn from. If the group lies apart from the others, a
cluster has it whole, and the only thing left to ask is whether the cluster is worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Vectors = NDArray[np.float32]


COUNTS = (2, 4, 8)
"""Numbers of clusters that are tried."""
PREFERENCE = 0.8
"""How much of what a cluster explains a region need explain: a cluster holds more rows that are not worse."""
LEAST_PER_CLUSTER = 40
SAMPLE = 20_000
"""Rows from which centres are computed."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """The `members` (n,) of a cluster, and how near each of n rows is to its centre, `nearness` (n,)."""

    members: Bools
    nearness: NDArray[np.float32]


def clusters_of(X: Vectors, seed: int) -> list[Cluster]:
    """Return the clusters of X (n, d) by k-means, for each of `COUNTS`."""
    from sklearn.cluster import KMeans

    some = X if len(X) <= SAMPLE else X[np.random.default_rng(seed).permutation(len(X))[:SAMPLE]]
    out = list[Cluster]()
    for count in COUNTS:
        if len(X) >= count * LEAST_PER_CLUSTER:
            nearness = -KMeans(count, n_init=2, random_state=seed).fit(some).transform(X)
            own = nearness.argmax(axis=1)
            out += [Cluster(own == j, nearness[:, j]) for j in range(count)]
    return out
