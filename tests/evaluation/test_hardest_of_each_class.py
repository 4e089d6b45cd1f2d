import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicebench.errors import DataError
from slicebench.evaluation.hardest import hardest, per_class


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 20), st.integers(0, 5))
def test_the_hardest_of_each_class_are_chosen(n, C, count, seed):
    rng = np.random.default_rng(seed)
    hardness, labels = rng.integers(0, 4, n).astype(float), rng.integers(0, C, n)
    rows = hardest(hardness, labels, np.full(C, count), np.random.default_rng(seed))
    assert (np.diff(rows) > 0).all()
    for c in range(C):
        own, chosen = np.flatnonzero(labels == c), rows[labels[rows] == c]
        assert len(chosen) == min(count, len(own))
        left = np.setdiff1d(own, chosen)
        if len(chosen) and len(left):
            assert hardness[chosen].min() >= hardness[left].max()


def test_ties_are_broken_by_chance_and_the_same_chance_breaks_them_alike():
    hardness, labels = np.zeros(100), np.zeros(100, dtype=int)

    def pick(seed):
        return hardest(hardness, labels, np.array([20]), np.random.default_rng(seed))

    assert pick(0).tolist() == pick(0).tolist()
    assert len({tuple(pick(seed)) for seed in range(10)}) == 10
    often = np.bincount(np.concatenate([pick(seed) for seed in range(400)]), minlength=100)
    assert often.min() > 40
    assert often.max() < 130


@pytest.mark.parametrize("hardness", [np.array([1.0, np.nan]), np.array([1.0]), np.array([[1.0], [2.0]])])
def test_hardness_that_cannot_be_ordered_is_refused(hardness):
    with pytest.raises(DataError, match="expected one finite number each"):
        hardest(hardness, np.array([0, 1]), np.array([1, 1]), np.random.default_rng(0))


def test_classes_without_examples_are_counted_too():
    assert per_class(np.array([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]
