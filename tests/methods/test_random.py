from __future__ import annotations

import doctest

import numpy as np

import slicebench_methods.random as module
from slicebench.data.split import Split
from slicebench.testing import assert_contract, without_labels
from slicebench_methods.random import Random


def split_of(ids):
    return Split(ids=ids, embeddings=np.zeros((len(ids), 1)), losses=np.zeros(len(ids)))


def test_contract_and_example():
    assert_contract(Random())
    assert doctest.testmod(module).failed == 0


def test_depends_on_seed_and_id_alone():
    whole = Random(seed=5).score(split_of(["a", "b", "c", "d"])).hardness
    np.testing.assert_array_equal(Random(seed=5).score(split_of(["d", "x", "b"])).hardness[[0, 2]], whole[[3, 1]])
    assert not np.isin(Random(seed=6).score(split_of(["a", "b", "c", "d"])).hardness, whole).any()


def test_is_uniform_and_uncorrelated_between_seeds():
    from scipy.stats import kstest, spearmanr

    ids = [f"test-{i}" for i in range(5000)]
    one, two = (Random(seed=seed).score(split_of(ids)).hardness for seed in (0, 1))
    assert kstest(one, "uniform").pvalue > 1e-3
    assert abs(spearmanr(one, two).statistic) < 0.05
    assert abs(spearmanr(one, np.arange(5000)).statistic) < 0.05


def test_knows_every_task(problem):
    bare = without_labels(problem.data)
    assert Random().supports(bare) is None
    assert Random().fit(bare).score(bare.val).hardness.shape == (bare.val.n,)
