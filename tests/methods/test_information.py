"""`_information`: mutual information of sorted features is that of scikit-learn's trees."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif

from slicebench_methods._information import mutual_information


@pytest.mark.parametrize(("n", "d", "k"), [(250, 30, 3), (60, 5, 1), (1000, 8, 2), (12, 4, 2)])
def test_mutual_information_is_that_of_scikit_learn(n, d, k):
    """Also with ties, which only the jitter breaks, and with a constant feature."""
    rng = np.random.default_rng(n)
    X, target = rng.normal(size=(n, d)), np.arange(n) % 3 == 0
    X[:, 0] += target
    X[:, 1], X[:, 2] = np.round(X[:, 1]), 3
    found = mutual_information(X, target, neighbours=k, seed=0)
    np.testing.assert_allclose(found, mutual_info_classif(X, target, n_neighbors=k, random_state=0), atol=1e-12)
