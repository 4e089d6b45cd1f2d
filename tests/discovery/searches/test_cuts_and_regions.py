"""A ranking is cut where the error rate falls off, members in two places are two slices, and regions are found."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.discovery.holdout.excess import Excess
from slicebench.discovery.holdout.folds import dealt_folds
from slicebench.discovery.searches.cuts import cut_of, places
from slicebench.discovery.searches.regions import find_regions
from slicebench.discovery.searches.vectors import DIMENSIONS, Compact

RNG = np.random.default_rng(0)


def compact(X, seed):
    return Compact.learnt(X, seed)(X)


@pytest.mark.parametrize("size", [60, 200, 500])
def test_the_cut_is_where_the_rate_falls_off(size):
    n = 2000
    wrong = RNG.random(n) < np.where(np.arange(n) < size, 0.7, 0.05)
    hardness = -np.arange(n, dtype=float)
    found = cut_of(hardness, wrong - wrong.mean())
    assert -found + 1 == pytest.approx(size, rel=0.1)


def test_a_ranking_that_says_nothing_of_errors_has_no_cut():
    assert cut_of(np.arange(15.0), np.zeros(15)) is None
    assert cut_of(np.arange(100.0), np.zeros(100)) is None


def blobs(centres, n=1500, d=20, size=120):
    X = RNG.normal(size=(n, d)).astype(np.float32)
    where = np.zeros(n, dtype=int)
    for i, centre in enumerate(centres):
        rows = slice(i * size, (i + 1) * size)
        X[rows, : len(centre)] += np.array(centre, dtype=np.float32)
        where[rows] = i + 1
    return X, where


def test_members_in_two_places_are_split():
    X, where = blobs([[5, 0], [-5, 0]])
    parts = np.arange(len(X)) % 5
    found = places(X, where > 0, np.ones(len(X), dtype=bool), parts, seed=0)
    assert sorted(one.sum() for one in found) == [120, 120]
    assert all(len(np.unique(where[one])) == 1 for one in found)


def test_members_in_one_place_stay_together():
    X, where = blobs([[5, 0]])
    inside = where > 0
    (found,) = places(X, inside, np.ones(len(X), dtype=bool), np.arange(len(X)) % 5, seed=0)
    assert (found == inside).all()


def test_constant_vectors_are_one_place():
    X = np.ones((400, 3), dtype=np.float32)
    inside = np.arange(400) < 80
    (found,) = places(X, inside, np.ones(400, dtype=bool), np.arange(400) % 5, seed=0)
    assert (found == inside).all()


@pytest.mark.filterwarnings("error")
def test_members_are_split_where_all_others_are_one_point():
    X, where = blobs([[5, 0], [-5, 0]])
    X[where == 0] = 0
    found = places(X, where > 0, np.ones(len(X), dtype=bool), np.arange(len(X)) % 5, seed=0)
    assert sorted(one.sum() for one in found) == [120, 120]
    assert all(len(np.unique(where[one])) == 1 for one in found)


def searched(X, wrong, classes=None):
    classes = np.zeros(len(X), dtype=np.int64) if classes is None else classes
    excess = Excess(badness=wrong.astype(float), classes=classes, groups=None, exact=True)
    folds = dealt_folds(classes, wrong, None, None, seed=0)
    names = [str(c) for c in range(int(classes.max()) + 1)]
    return find_regions(compact(X, 0), excess, folds, names, 0), folds


def test_a_region_is_found_without_each_fold():
    X, where = blobs([[3, 3, 3]], size=200)
    wrong = RNG.random(len(X)) < np.where(where > 0, 0.7, 0.05)
    found, folds = searched(X, wrong)
    for fold in folds.tested:
        first = next(one for one in found.candidates if one.fold == fold)
        held = folds.number == fold
        assert (where[held & first.members] > 0).mean() > 0.8
        assert first.members[held & (where > 0)].mean() > 0.5
    assert found.hardness[where > 0].mean() > found.hardness[where == 0].mean() + 0.3


def test_the_outcomes_of_a_fold_do_not_move_its_members():
    X, where = blobs([[3, 3, 3]], size=200)
    wrong = RNG.random(len(X)) < np.where(where > 0, 0.7, 0.05)
    found, folds = searched(X, wrong)
    held = folds.number == 0
    moved = wrong.copy()
    moved[held] = RNG.permutation(wrong[held])
    excess = Excess(badness=moved.astype(float), classes=np.zeros(len(X), dtype=np.int64), groups=None, exact=True)
    again = find_regions(compact(X, 0), excess, folds, ["0"], 0)
    ours = [one.members for one in found.candidates if one.fold == 0]
    theirs = [one.members for one in again.candidates if one.fold == 0]
    assert len(ours) == len(theirs)
    assert all((a[held] == b[held]).all() for a, b in zip(ours, theirs, strict=True))


def test_a_cause_in_two_classes_is_one_region_over_both():
    X, where = blobs([[4, 4, 4]], size=300)
    classes = RNG.integers(2, size=len(X))
    wrong = RNG.random(len(X)) < np.where(where > 0, 0.7, 0.05)
    found, _ = searched(X, wrong, classes)
    assert any(one.class_number is None for one in found.candidates)
    only = wrong & (classes == 0)
    found, _ = searched(X, only, classes)
    assert all(one.class_number == 0 for one in found.candidates if one.members[where > 0].mean() > 0.2)


def test_long_vectors_are_projected():
    X = RNG.normal(size=(300, 200)).astype(np.float32)
    assert compact(X, 0).shape == (300, DIMENSIONS)
    assert compact(X[:, :10], 0).std(axis=0) == pytest.approx(1, abs=1e-5)
