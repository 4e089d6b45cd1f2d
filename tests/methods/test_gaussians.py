"""`_gaussians`: mixtures that are fitted together are those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from slicebench_methods._gaussians import fit_mixtures


@pytest.mark.parametrize(("d", "starts", "reg_covar"), [(2, 3, 1e-4), (3, 1, 1e-6), (1, 2, 1e-4)])
def test_mixtures_are_those_of_scikit_learn(d, starts, reg_covar):
    rng = np.random.default_rng(d)
    X = 5 + np.concatenate([rng.normal(size=(80, d)) * 0.3, rng.normal(size=(60, d)) + 3, rng.random((50, d)) * 9])
    for k, found in zip(
        range(1, 7), fit_mixtures(X, range(1, 7), starts=starts, seed=0, reg_covar=reg_covar), strict=True
    ):
        expected = GaussianMixture(k, n_init=starts, random_state=0, reg_covar=reg_covar).fit(X)
        np.testing.assert_allclose(found.means, expected.means_, rtol=1e-8)
        np.testing.assert_allclose(found.weights, expected.weights_, rtol=1e-8)
        np.testing.assert_allclose(found.responsibilities(X), expected.predict_proba(X), atol=1e-8)
        assert found.bic(X) == pytest.approx(expected.bic(X), rel=1e-9)


def test_a_cluster_without_points_and_equal_points_do_not_stop_it():
    X = np.repeat([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [40, 3, 2], axis=0)
    for mixture in fit_mixtures(X, [2, 3], starts=3, seed=0, reg_covar=1e-4):
        resp = mixture.responsibilities(X)
        assert np.isfinite(resp).all()
        np.testing.assert_array_equal(resp[0], resp[39])
