"""Folds share classes, errors and groups; slices are chosen for what they add; the same slice of several folds is one."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.discovery.holdout.candidates import Candidate
from slicebench.discovery.holdout.consensus import findings_of
from slicebench.discovery.holdout.excess import Excess, likelihood_gain, ranks_within
from slicebench.discovery.holdout.folds import N_FOLDS, Folds, dealt_folds
from slicebench.discovery.holdout.forward import chosen_forward
from slicebench.discovery.holdout.masks import overlap, overlaps

N = 1000
RNG = np.random.default_rng(0)


def candidate(members, fold=0, name="a", c=None, crossed=False):
    return Candidate(
        method="m",
        label=name,
        fold=fold,
        members=members,
        strength=members.astype(float),
        class_number=c,
        crossed=crossed,
    )


def test_each_fold_gets_its_share_of_classes_and_errors():
    classes, wrong = RNG.integers(3, size=N), RNG.random(N) < 0.2
    folds = dealt_folds(classes, wrong, None, None, seed=0)
    assert folds.tested == tuple(range(N_FOLDS))
    for c in range(3):
        for errors in (True, False):
            counts = np.bincount(folds.number[(classes == c) & (wrong == errors)], minlength=N_FOLDS)
            assert np.ptp(counts) <= 1
    assert (dealt_folds(classes, wrong, None, None, seed=0).number == folds.number).all()
    assert (dealt_folds(classes, wrong, None, None, seed=1).number != folds.number).any()


def test_groups_stay_whole():
    groups = RNG.integers(90, size=N)
    folds = dealt_folds(RNG.integers(2, size=N), RNG.random(N) < 0.2, groups, None, seed=0)
    assert all(len(np.unique(folds.number[groups == g])) == 1 for g in range(90))
    assert np.bincount(folds.number).min() > 0.7 * N / N_FOLDS


def test_rows_held_out_are_the_only_tested_fold():
    held_out = np.arange(N) % 4 == 0
    folds = dealt_folds(np.zeros(N, dtype=int), None, None, held_out, seed=0)
    assert folds.tested == (0,)
    assert ((folds.number == 0) == held_out).all()
    assert folds.others(0) == [1, 2, 3, 4]


def test_ranks_and_gains():
    assert ranks_within(np.array([3.0, 1, 2, 5]), np.array([0, 0, 0, 1])).tolist() == [1, 0, 0.5, 0.5]
    gain = likelihood_gain(np.array([9.0, 1, 0]), np.array([10.0, 10, 10]), np.array([1.0, 1, 1]))
    assert gain[0] == pytest.approx(9 * np.log(9) + 1 * np.log(1 / 9))
    assert gain[1:].tolist() == [0, 0]


def test_slices_are_chosen_for_what_they_add():
    one, two = np.arange(N) < 100, (np.arange(N) >= 100) & (np.arange(N) < 200)
    wrong = RNG.random(N) < np.where(one, 0.8, np.where(two, 0.6, 0.05))
    excess = Excess(badness=wrong.astype(float), classes=np.zeros(N, dtype=int), groups=None, exact=True)
    inner = np.arange(N) < 60
    every = [candidate(members, name=name) for name, members in (("inner", inner), ("two", two), ("one", one))]
    complement = candidate(np.arange(N) < 990, name="nearly all")
    chosen = chosen_forward([*every, complement], excess, np.ones(N, dtype=bool))
    assert [each.candidate.label for each in chosen] == ["one", "two"]
    assert not chosen[1].left[one].any()


def test_the_same_slice_of_several_folds_is_one_finding():
    inside = np.arange(N) < 150
    wrong = RNG.random(N) < np.where(inside, 0.6, 0.05)
    excess = Excess(badness=wrong.astype(float), classes=np.zeros(N, dtype=int), groups=None, exact=True)
    folds = dealt_folds(excess.classes, wrong, None, None, seed=0)
    blurred = [inside ^ (RNG.random(N) < 0.02) for _ in folds.tested]
    other = RNG.random(N) < 0.1
    candidates = [candidate(blurred[f], fold=f) for f in folds.tested] + [candidate(other, fold=2, name="chance")]
    first, *rest = findings_of(candidates, excess, folds, {f: folds.learn(f) for f in folds.tested})
    assert first.folds == folds.tested
    assert first.p < 1e-6
    assert all(one.p == 1 for one in rest)
    assert first.held_out.all()
    expected = np.select([folds.number == f for f in folds.tested], blurred)
    assert (first.inside == expected).all()
    assert overlap(first.members, inside) > 0.8


def test_members_of_a_region_are_those_that_most_searches_agree_on():
    inside = np.arange(N) < 150
    wrong = RNG.random(N) < np.where(inside, 0.6, 0.05)
    excess = Excess(badness=wrong.astype(float), classes=np.zeros(N, dtype=int), groups=None, exact=True)
    folds = dealt_folds(excess.classes, wrong, None, None, seed=0)
    judges = {f: folds.learn(f) for f in folds.tested}
    blurred = [inside ^ (RNG.random(N) < 0.04) for _ in folds.tested]
    found = {}
    for crossed in (False, True):
        candidates = [candidate(blurred[f], fold=f, crossed=crossed) for f in folds.tested]
        (found[crossed],) = findings_of(candidates, excess, folds, judges)
    assert (found[True].members == (np.sum(blurred, axis=0) >= 4)).all()
    assert (found[False].members == found[False].inside).all()
    assert found[True].p == found[False].p
    assert (found[True].inside == found[False].inside).all()
    alien = [(one.members & ~inside).sum() for one in (found[True], found[False])]
    assert alien[0] < alien[1] / 4


def test_one_tested_fold_is_a_plain_split():
    folds = Folds(np.arange(N) % 2, (0,))
    inside = np.arange(N) < 200
    wrong = RNG.random(N) < np.where(inside, 0.5, 0.05)
    excess = Excess(badness=wrong.astype(float), classes=np.zeros(N, dtype=int), groups=None, exact=True)
    (one,) = findings_of([candidate(inside)], excess, folds, {0: folds.learn(0)})
    assert one.p < 1e-6
    assert (one.held_out == (folds.number == 0)).all()


def test_overlaps_of_many_sets_are_those_of_each_two():
    masks = [RNG.random(N) < share for share in (0.0, 0.0, 0.1, 0.5, 0.5, 1.0)]
    expected = [[overlap(one, other) for other in masks] for one in masks]
    assert overlaps(masks).tolist() == expected
    assert overlaps([]).shape == (0, 0)
