"""Where examples belong together, a slice of copies is no evidence, and a slice of many groups still is."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.metrics.slices.clustered import clustered


def test_exact_copies_have_their_number_as_design_effect():
    rng = np.random.default_rng(0)
    of, inside, wrong = np.repeat(np.arange(400), 5), rng.random(400) < 0.3, rng.random(400) < 0.2
    found = clustered(inside[of][:, None], wrong[of], of)
    assert found.design[0] == pytest.approx(5, rel=0.02)
    alone = clustered(inside[:, None], wrong, np.arange(400))
    assert alone.design[0] == pytest.approx(1, rel=0.02)
    assert found.p[0] == pytest.approx(alone.p[0], rel=0.05)


def test_one_group_or_none_outside_tells_nothing():
    wrong = np.array([True] * 30 + [False] * 70)
    inside = np.arange(100) < 30
    assert clustered(inside[:, None], wrong, (np.arange(100) >= 30) * 1).p[0] == 1
    assert len(clustered(np.zeros((100, 0), dtype=bool), wrong, np.arange(100)).p) == 0
