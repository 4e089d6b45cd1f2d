"""Where examples belong together, a slice of copies is no evidence, and a slice of many groups still is."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench import Split
from slicebench.metrics.slices.clustered import clustered
from slicebench.metrics.slices.significance import judged_parts


def split_of(wrong):
    n = len(wrong)
    return Split(ids=np.arange(n).astype(str), embeddings=np.zeros((n, 1)), losses=wrong * 1.0, correct=~wrong)


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


@pytest.mark.parametrize(("groups", "size", "icc"), [(100, 5, 1.0), (24, 50, 0.3), (40, 20, 0.1), (300, 1, 0.0)])
def test_the_level_holds_whatever_belongs_together(groups, size, icc):
    rng, false = np.random.default_rng(1), 0
    of, rate = np.repeat(np.arange(groups), size), 0.12
    for _ in range(200):
        own = {0.0: np.full(groups, rate), 1.0: (rng.random(groups) < rate) * 1.0}.get(icc)
        if own is None:
            own = rng.beta(rate * (1 - icc) / icc, (1 - rate) * (1 - icc) / icc, groups)
        wrong, inside = rng.random(len(of)) < own[of], (rng.random(groups) < 0.25)[of]
        if inside.any() and not inside.all():
            parts = judged_parts(inside[:, None], split_of(wrong), of)
            false += bool((parts.p <= 0.05).any())
    assert false <= 18  # 10 are to be expected at 5 %, more than 18 come up once in 200 times


def test_a_cause_over_many_groups_is_found():
    rng = np.random.default_rng(0)
    of, bad = np.repeat(np.arange(300), 4), rng.random(300) < 0.2
    wrong = (rng.random(300) < np.where(bad, 0.6, 0.05))[of]
    (p,) = judged_parts(bad[of][:, None], split_of(wrong), of).p
    assert p < 1e-4
