"""Data-Centric Debugging: retrieve pool examples near failures, filter leaks, and measure retention.

Singla, Chegini, Moayeri and Feizi, "Data-Centric Debugging: mitigating model failures via targeted data collection",
2022. All results are exact, ties included, and the matrix of all distances is never in memory; see
`slicebench.studies.interventions.kinds.nearest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of, read_only
from slicebench.errors import DataError
from slicebench.studies.interventions.kinds.nearest import Bounds, Held, Pool, nearest, squared_distances

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


SPARE = 0.5
"""Neighbours of a seed in its first list beyond the n that it may take, as a share of n."""

GROWTH = 2
"""Factor by which lists of neighbours grow when some are used up."""

PAIRS_KEPT = 2**22
"""Largest number of pairs in one search."""

QUERIES = 2048
"""Number of embeddings in one search of `retention`."""


@dataclass(frozen=True, eq=False)
class Retrieved:
    """Rows of the pool that the seeds took.

    `owner` (p,) is the seed of each pool row, or -1. `rows` and `distances` (t,) are those of the rows
    taken, in the order in which they were taken, which is that of the squared distances.
    """

    owner: Ints
    rows: Ints
    distances: Floats

    @property
    def seeds(self) -> Ints:
        """The seed that took each of `rows`, (t,)."""
        return self.owner[self.rows]

    @property
    def taken(self) -> Bools:
        """Mask of the pool rows that were taken, (p,)."""
        return self.owner >= 0


def retrieve(
    seeds: ArrayLike,
    pool: ArrayLike,
    n: int,
    *,
    seed_labels: ArrayLike | None = None,
    pool_labels: ArrayLike | None = None,
) -> Retrieved:
    """Run Algorithm 1: take the nearest pair of a seed and a pool row until no pair is left.

    A pool row is taken once, and a seed stops at `n` rows. Ties go to the lowest seed, then to the lowest
    row. With labels, only pairs of equal label count: a row whose label no seed has, for example -1, is
    never taken. Without labels, all pairs count, as in the paper's ablation.

    Parameters
    ----------
    seeds : (s, d) floats
        Embeddings of the failures; with none, nothing is taken.
    pool : (p, d) floats
        Embeddings of the candidates, for example a `np.memmap`. They may have any float type, are read
        block by block, and are never copied as a whole.
    n : int
        Most rows per seed.
    seed_labels, pool_labels : (s,) and (p,) ints
        Weak labels; both or neither.

    Raises
    ------
    DataError
        if arrays do not fit together, a value is not finite, only one side has labels, or n < 1.

    Notes
    -----
    Both sides of a pair rank it by the same strict order (distance, seed, row), so there is only one
    stable matching. It is found from lists of nearest neighbours: the algorithm runs on the pairs in the
    lists, and a seed that has used up its list gets a longer one. That leaves out rows held by a nearer
    seed, since only a still nearer seed can take them.

    The cost is about that of one product of matrices. It approaches that of measuring every pair if seeds
    are very similar, or if the pool has many duplicates, so that most of a seed's list is taken. With
    thousands of duplicates it exceeds that.

    >>> retrieve([[0.0], [1.0]], [[0.9], [0.2], [5.0]], 1).owner.tolist()
    [1, 0, -1]

    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"n is {n!r}; expected a whole number of 1 or more: the largest number of pool rows per seed")
    wanted = array_of("seeds", seeds, np.float64, 2)
    given = _matrix("pool", pool, wanted.shape[1])
    owner = np.full(len(given), -1)
    distance = np.full(len(given), np.inf)
    for numbers, candidates in _groups(len(wanted), given, seed_labels, pool_labels):
        held = _matched(wanted[numbers], candidates, int(n))
        rows = slice(None) if candidates.rows is None else candidates.rows
        owner[rows] = np.where(held.by >= 0, numbers[held.by], -1)
        distance[rows] = held.distance
    taken = np.flatnonzero(owner >= 0)
    order = taken[np.lexsort((taken, owner[taken], distance[taken]))]
    return Retrieved(read_only(owner), read_only(order), read_only(distance[order]))


def _groups(
    n_seeds: int, pool: NDArray[Any], seed_labels: ArrayLike | None, pool_labels: ArrayLike | None
) -> Iterator[tuple[Ints, Pool]]:
    """Yield, for each label, the numbers of its seeds and the candidates for which they compete."""
    if (seed_labels is None) != (pool_labels is None):
        raise DataError(
            "only one of seeds and pool has labels; expected labels for both, or for neither to search the whole pool"
        )
    if seed_labels is None:
        if n_seeds:
            yield np.arange(n_seeds), Pool("pool", pool)
        return
    ours = array_of("seed_labels", seed_labels, np.int64, 1, n_seeds)
    theirs = array_of("pool_labels", pool_labels, np.int64, 1, len(pool))
    for label in np.unique(ours):
        yield np.flatnonzero(ours == label), Pool("pool", pool, np.flatnonzero(theirs == label))


def _matched(seeds: Floats, pool: Pool, n: int) -> Held:
    """Return the final holder of each of the pool's rows."""
    held = Held(np.full(pool.n, -1), np.full(pool.n, np.inf))
    if not pool.n:
        return held
    hungry, complete = np.arange(len(seeds)), np.zeros(len(seeds), bool)
    seed, row, distance = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    width = n + 1 + int(SPARE * n)
    while len(hungry):
        width = max(1, min(width, PAIRS_KEPT // len(hungry)))
        more = nearest(seeds[hungry], pool, min(width, pool.n), held=held, numbers=hungry)
        complete[hungry] = np.bincount(more.query, minlength=len(hungry)) < min(width, pool.n)
        seed, row = np.concatenate([seed, hungry[more.query]]), np.concatenate([row, more.row])
        distance = np.concatenate([distance, more.distance])
        order = np.lexsort((row, seed, distance))
        seed, row, distance = seed[order], row[order], distance[order]
        takes = _greedy(seed, row, n, len(seeds), pool.n)
        held.by[:], held.distance[:] = -1, np.inf
        held.by[row[takes]], held.distance[row[takes]] = seed[takes], distance[takes]
        hungry = np.flatnonzero((np.bincount(seed[takes], minlength=len(seeds)) < n) & ~complete)
        alive = held.allow(row, seed, distance) | (held.by[row] == seed)
        seed, row, distance = seed[alive], row[alive], distance[alive]
        width *= GROWTH
    return held


def _greedy(seed: Ints, row: Ints, n: int, n_seeds: int, n_rows: int) -> Ints:
    """Run Algorithm 1 on sorted pairs; return the positions of the pairs taken."""
    free, room, takes = bytearray(b"\1") * n_rows, [n] * n_seeds, []
    for at, (s, r) in enumerate(zip(seed.tolist(), row.tolist(), strict=True)):
        if free[r] and room[s]:
            free[r] = 0
            room[s] -= 1
            takes.append(at)
    return np.array(takes, dtype=np.int64)


def leak_free(
    pool: ArrayLike,
    pool_labels: ArrayLike,
    train: ArrayLike,
    train_labels: ArrayLike,
    test: ArrayLike,
    test_labels: ArrayLike,
) -> Bools:
    """Mark the pool rows to keep, shape (p,): those that cannot be copies of test examples.

    The threshold of a class is the smallest squared distance between an example of it in train (m, d)
    and one in test (t, d). A pool row with weak label c is kept if it is farther than the threshold of c
    from every test example, of any class. A class without train or test examples has no threshold, and
    all pool rows with its label are kept.

    Raises
    ------
    DataError
        if arrays do not fit together, or a value is not finite.

    """
    tests = array_of("test", test, np.float64, 2)
    candidates, learnt = _matrix("pool", pool, tests.shape[1]), _matrix("train", train, tests.shape[1])
    of_pool = array_of("pool_labels", pool_labels, np.int64, 1, len(candidates))
    of_train = array_of("train_labels", train_labels, np.int64, 1, len(learnt))
    of_test = array_of("test_labels", test_labels, np.int64, 1, len(tests))
    limit = np.full(len(candidates), -np.inf)
    for label in np.intersect1d(np.intersect1d(of_train, of_test), of_pool):
        near = nearest(tests[of_test == label], Pool("train", learnt, np.flatnonzero(of_train == label)), 1)
        limit[of_pool == label] = near.distance.min()
    keep = np.ones(len(candidates), bool)
    limited = np.flatnonzero(limit >= 0)
    if len(limited):
        keep[limited] = ~_any_within(tests, Pool("pool", candidates, limited), limit[limited])
    return keep


def _any_within(tests: Floats, pool: Pool, limit: Floats) -> Bools:
    """Return whether some row of `tests` is at most `limit` (m,) from each pool row."""
    bounds, found = Bounds(tests), np.zeros(pool.n, bool)
    for part, block in pool.blocks(len(tests)):
        lower, excess = bounds.of(pool, part, block)
        least, cut = lower.min(axis=0).astype(np.float64), limit[part]
        near = least + excess <= cut
        doubtful = np.flatnonzero((least <= cut) & ~near)
        i, j = np.nonzero(lower[:, doubtful] <= cut[doubtful])
        j = doubtful[j]
        near[j[squared_distances(tests, i, block, j) <= cut[j]]] = True
        found[part] = near
    return found


def retention(embeddings: ArrayLike, keys: ArrayLike, ks: Sequence[int]) -> dict[int, float]:
    """Compute, for each k, the share of an item's k nearest neighbours that have its key.

    The share is averaged over items. `embeddings` (n, d) are read block by block. An item is not its own
    neighbour, and ties go to the lowest index. `keys` (n,) are ints, for example classes or contexts.

    Raises
    ------
    DataError
        if arrays do not fit together, a value is not finite, or a k is not between 1 and n - 1.

    """
    items = _matrix("embeddings", embeddings)
    n = len(items)
    of_item = array_of("keys", keys, np.int64, 1, n)
    if any(not 1 <= k < n for k in ks):
        raise DataError(f"ks is {list(ks)}; expected numbers from 1 to {n - 1}, since there are {n} items")
    if not ks:
        return {}
    most, wanted = max(ks), np.array(ks)
    total = np.zeros(len(ks))
    for start in range(0, n, QUERIES):
        own = np.arange(start, min(start + QUERIES, n))
        queries = array_of(f"embeddings[{start}:{own[-1] + 1}]", items[own], np.float64, 2)
        near = nearest(queries, Pool("embeddings", items), most + 1).row.reshape(len(own), most + 1)
        others = near != own[:, None]
        others[others.all(axis=1), -1] = False
        same = of_item[near[others].reshape(len(own), most)] == of_item[own][:, None]
        total += (np.cumsum(same, axis=1)[:, wanted - 1] / wanted).sum(axis=0)
    return {k: float(share) for k, share in zip(ks, total / n, strict=True)}


def _matrix(name: str, value: ArrayLike, width: int | None = None) -> NDArray[Any]:
    """Return `value` as a matrix of numbers with `width` columns.

    An array is not copied, and its values are checked only when they are read.
    """
    matrix = np.asarray(value)
    if matrix.ndim != 2 or width not in (None, matrix.shape[1]):
        columns = "numbers" if width is None else f"{width} numbers, as in the other matrix"
        raise DataError(f"{name} has shape {matrix.shape}; expected rows of {columns}")
    if matrix.dtype.kind not in "fiu":
        raise DataError(f"{name} has dtype {matrix.dtype}; expected numbers")
    return matrix
