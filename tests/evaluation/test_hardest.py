"""The most aligned examples of each class."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench.evaluation.hardest import most_aligned


def lists(found):
    return {c: (hard.tolist(), easy.tolist()) for c, (hard, easy) in found.items()}


def test_each_class_gives_its_own_extremes_as_positions_within_the_split():
    hardness, labels = np.array([0.1, 0.9, 0.5, 0.3, 0.7, 0.2]), np.array([0, 2, 0, 2, 0, 2])
    assert lists(most_aligned(hardness, labels, 2)) == {0: ([4, 2], [0, 2]), 2: ([1, 3], [5, 3])}


def test_as_sorting_each_class():
    rng = np.random.default_rng(0)
    hardness, labels = rng.normal(size=300), rng.integers(4, size=300)
    for c, (hard, easy) in most_aligned(hardness, labels, 10).items():
        rows = np.flatnonzero(labels == c)
        order = rows[np.argsort(hardness[rows])]
        np.testing.assert_array_equal(easy, order[:10])
        np.testing.assert_array_equal(hard, order[::-1][:10])


def test_ties_go_by_position_in_both_lists():
    assert lists(most_aligned(np.zeros(5), None, 3)) == {0: ([0, 1, 2], [0, 1, 2])}


def test_small_classes_give_what_there_is():
    assert lists(most_aligned(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1]), 5)) == {
        0: ([0], [0]),
        1: ([2, 1], [1, 2]),
    }


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="k is 0"):
        most_aligned(np.zeros(3), None, 0)
    with pytest.raises(DataError, match="labels has 2 rows; expected 3"):
        most_aligned(np.zeros(3), np.zeros(2, dtype=int), 1)
    with pytest.raises(DataError, match="hardness is nan at row 1"):
        most_aligned(np.array([0, np.nan]), None, 1)
    with pytest.raises(DataError, match="hardness is empty"):
        most_aligned(np.zeros(0), None, 1)
