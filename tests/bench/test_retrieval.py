"""Timings of retrieval beside the straightforward way and the bare product: pytest tests/bench --benchmark-enable

`scripts/once/debugging_speed.py` measures the same at the size of the paper, with memory.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from slicebench.studies.interventions.kinds.retrieval import retrieve

N = 10


def clustered(seeds, pool, width):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((40, width))
    parts = [centres[rng.integers(40, size=m)] + 0.7 * rng.standard_normal((m, width)) for m in (seeds, pool)]
    return [part.astype(np.float32) for part in parts]


def algorithm_1(seeds, pool):
    """Word for word: the smallest entry of the whole matrix, again and again."""
    left = np.array([((seed - pool.astype(np.float64)) ** 2).sum(axis=1) for seed in seeds.astype(np.float64)])
    owner, counts = np.full(len(pool), -1), np.zeros(len(seeds), int)
    for _ in range(min(len(pool), N * len(seeds))):
        s, r = np.unravel_index(left.argmin(), left.shape)
        owner[r], left[:, r] = s, np.inf
        counts[s] += 1
        if counts[s] == N:
            left[s] = np.inf
    return owner


@pytest.fixture(scope="module")
def small():
    return clustered(50, 10_000, 64)


@pytest.mark.benchmark(group="Algorithm 1, 50 seeds, pool of 10,000, d = 64, n = 10")
def test_retrieve_slicebench(benchmark, small):
    found = benchmark.pedantic(retrieve, args=(*small, N), rounds=3)
    np.testing.assert_array_equal(found.owner, algorithm_1(*small))


@pytest.mark.benchmark(group="Algorithm 1, 50 seeds, pool of 10,000, d = 64, n = 10")
def test_retrieve_reference(benchmark, small):
    assert (benchmark.pedantic(algorithm_1, args=small, rounds=2) >= 0).sum() == N * 50


@pytest.fixture(scope="module")
def large():
    return clustered(1000, 40_000, 384)


@pytest.mark.benchmark(group="Algorithm 1 against the product alone, 1,000 seeds, pool of 40,000, d = 384")
def test_large_retrieve_slicebench(benchmark, large):
    assert benchmark.pedantic(retrieve, args=(*large, N), rounds=3).taken.sum() == N * 1000


@pytest.mark.benchmark(group="Algorithm 1 against the product alone, 1,000 seeds, pool of 40,000, d = 384")
def test_large_product_reference(benchmark, large):
    seeds, pool = large
    room = np.empty((1000, 4096), np.float32)

    def product():
        for start, stop in pairwise([*range(0, len(pool), 4096), len(pool)]):
            np.matmul(seeds, pool[start:stop].T, out=room[:, : stop - start])

    benchmark.pedantic(product, rounds=3)
