"""Declaring a slice: against scipy and statsmodels on random tables, and what a part is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests

from slicebench.data.split import Split
from slicebench.errors import DataError
from slicebench.metrics.slices.significance import MIN_SUPPORT, about_group, excess_p, judged_parts


def split_of(labels, correct):
    n = len(labels)
    return Split(
        ids=[f"e{i}" for i in range(n)], embeddings=np.ones((n, 1)), losses=np.ones(n), labels=labels, correct=correct
    )


@pytest.fixture
def random_case():
    rng = np.random.default_rng(3)
    labels, correct = np.arange(400) % 2, rng.random(400) < 0.7
    return split_of(labels, correct), rng.random((400, 6)) < np.linspace(0.02, 0.9, 6)


def test_p_is_fishers_one_sided():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, total, support = (int(x) for x in (rng.integers(40, 300), rng.integers(0, 40), rng.integers(20, 39)))
        hits = int(rng.hypergeometric(total, n - total, support))
        table = [[hits, support - hits], [total - hits, n - total - support + hits]]
        wanted = fisher_exact(table, alternative="greater").pvalue
        assert excess_p(np.array([hits]), np.array([support]), total, n)[0] == pytest.approx(wanted, rel=1e-9)


def test_parts_are_the_slices_within_each_class(random_case):
    split, hard = random_case
    parts = judged_parts(hard, split)
    assert len(parts.p) >= 8
    for j, c, support, effect, p in zip(parts.slices, parts.classes, parts.support, parts.effect, parts.p, strict=True):
        inside, rest = (hard[:, j] == member for member in (True, False))
        wrong = [~split.correct[rows & (split.labels == c)] for rows in (inside, rest)]
        assert support == len(wrong[0]) >= MIN_SUPPORT
        assert effect == pytest.approx(wrong[0].mean() - wrong[1].mean())
        table = [[int(w.sum()), int((~w).sum())] for w in wrong]
        assert p == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)
    assert parts.p_holm == pytest.approx(multipletests(parts.p, method="holm")[1])


def test_small_parts_and_whole_classes_are_not_tested():
    labels = np.repeat([0, 1], 100)
    hard = np.zeros((200, 3), dtype=bool)
    hard[:19, 0] = True
    hard[:20, 1] = True
    hard[100:, 2] = True
    parts = judged_parts(hard, split_of(labels, np.arange(200) % 3 > 0))
    assert list(zip(parts.slices.tolist(), parts.classes.tolist(), strict=True)) == [(1, 0)]


def test_a_significant_but_small_effect_is_not_declared():
    n = 40_000
    inside = np.arange(n) < n // 2
    wrong = np.where(inside, np.arange(n) % 25 < 3, np.arange(n) % 25 < 2)
    parts = judged_parts(inside[:, None], split_of(np.zeros(n, dtype=int), ~wrong))
    assert parts.effect[0] == pytest.approx(0.04)
    assert parts.p_holm[0] < 1e-6
    assert parts.smallest_p() == 1.0


def test_no_slice_and_no_part_declare_nothing(random_case):
    split, hard = random_case
    for nothing in (hard[:, :0], np.zeros_like(hard)):
        parts = judged_parts(nothing, split)
        assert (len(parts.p), parts.smallest_p()) == (0, 1.0)


def test_under_permutation_the_test_holds_its_level(random_case):
    """The smallest Holm p over the slices is below 5 % at most as often as it says, and not hardly ever."""
    split, hard = random_case
    rng = np.random.default_rng(2)
    smallest = []
    for _ in range(1500):
        correct = split.correct.copy()
        for _, rows in split.by_class():
            correct[rows] = rng.permutation(correct[rows])
        smallest.append(judged_parts(hard, split_of(split.labels, correct)).p_holm.min())
    assert 0.015 < np.mean(np.array(smallest) <= 0.05) < 0.06


def test_about_the_group_is_enriched_and_not_by_chance():
    n = 400
    group = np.arange(n) < 80
    hard = np.zeros((n, 4), dtype=bool)
    hard[:40, 0] = True  # all in the group
    hard[::5, 1] = True  # the group's share is the class's
    hard[60:80, 2] = hard[200:240, 2] = True  # a third: lift 1.67, 60 members
    hard[72:80, 3] = hard[200:212, 3] = True  # lift 2, but 20 members
    split = split_of(np.zeros(n, dtype=int), np.ones(n, dtype=bool))
    assert about_group(judged_parts(hard, split), hard, split, group).tolist() == [True, False, True, True]
    hard[79, 3] = hard[78, 3] = False
    hard[[220, 221], 3] = True  # lift 1.5, 6 of 20: as likely as not by chance
    assert about_group(judged_parts(hard, split), hard, split, group).tolist() == [True, False, True, False]


def test_without_correctness_nothing_can_be_tested():
    split = Split(ids=["a", "b"], embeddings=np.ones((2, 1)), losses=np.ones(2))
    with pytest.raises(DataError, match="does not say which predictions are correct"):
        judged_parts(np.ones((2, 1), dtype=bool), split)
