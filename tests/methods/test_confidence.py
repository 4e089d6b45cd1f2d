from __future__ import annotations

import doctest

import numpy as np
import pytest

import slicebench_methods.confidence as module
from slicebench.errors import DataError
from slicebench.testing import assert_contract, without_labels
from slicebench_methods.confidence import Confidence


def test_contract_and_example():
    assert_contract(Confidence())
    assert doctest.testmod(module).failed == 0


def test_hardness_is_one_minus_the_true_class(problem):
    test = problem.test
    scores = Confidence().fit(problem.data).score(test)
    expected = [1 - float(p[y]) for p, y in zip(test.probs, test.labels, strict=True)]
    np.testing.assert_array_equal(scores.hardness, expected)
    np.testing.assert_array_equal(scores.flagged, test.probs.argmax(axis=1) != test.labels)


def test_declines_losses_only(problem):
    bare = without_labels(problem.data)
    assert Confidence().supports(bare) == "needs class labels and class probabilities"
    with pytest.raises(DataError, match="no labels, which confidence needs"):
        Confidence().score(bare.val)
