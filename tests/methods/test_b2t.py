from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import slicebench_methods.b2t as module
from slicebench.errors import ConfigError, DataError
from slicebench.testing import assert_contract, without_labels
from slicebench_methods.b2t import B2T, _welch
from tests.support import plants


def embedded(data, how, captions=None):
    """The data with examples, and perhaps captions, embedded otherwise."""
    train, val = (replace(split, embeddings=how(split.embeddings)) for split in (data.train, data.val))
    return replace(data, train=train, val=val, captions=captions or data.captions)


def test_contract_and_example():
    assert_contract(B2T(n_keywords=1, alpha=0.5))
    assert doctest.testmod(module).failed == 0


def test_finds_the_plant_and_nothing_where_there_is_nothing():
    assert plants.found(B2T()) > 0.9
    assert plants.declared(B2T()) < 1e-4
    assert plants.false_alarms(B2T()) <= 1


def test_the_plant_is_the_keyword_of_both_classes():
    data, test, group = plants.planted()
    method = B2T(n_keywords=1).fit(data)
    assert method.score(test).names == ("a cat at night",) * 2
    assert sorted(method.class_) == [0, 1]
    assert (method.caption_hardness(data).argmax(axis=1) == plants.PLANTED_TEXT).all()
    members = method.score(test).flagged
    assert members[group].mean() > 0.9
    assert members[~group].mean() < 0.2


def test_clip_score_is_the_difference_of_mean_cosines():
    data, _, _ = plants.planted(n=80)
    val, captions = data.val, data.captions
    method = B2T().fit(data)
    for c in range(2):
        for j, text in enumerate(captions.embeddings):
            cosines = [x @ text / np.linalg.norm(x) / np.linalg.norm(text) for x in val.embeddings.astype(float)]
            mean = {
                side: np.mean(
                    [v for v, y, r in zip(cosines, val.labels, val.correct, strict=True) if y == c and r == side]
                )
                for side in (0, 1)
            }
            assert method.scores_[c, j] == pytest.approx(mean[0] - mean[1], abs=1e-6)


def test_test_is_welchs():
    from scipy.stats import t

    rng = np.random.default_rng(0)
    wrong, right = rng.normal(0.3, 1, (12, 1)), rng.normal(0, 2, (30, 1))
    a, b = wrong.var(ddof=1) / 12, right.var(ddof=1) / 30
    freedom = (a + b) ** 2 / (a**2 / 11 + b**2 / 29)
    assert _welch(wrong, right)[0] == pytest.approx(t.sf((wrong.mean() - right.mean()) / np.sqrt(a + b), freedom))
    assert _welch(wrong[:1], right)[0] == 1
    assert _welch(np.ones((5, 1)), np.ones((6, 1)))[0] == 1


def test_correction_counts_the_candidates():
    """The same caption that is a keyword alone is none among many, since Holm multiplies its p."""
    data, _, _ = plants.planted(n=160)
    alone = np.zeros((2, 4), bool)
    alone[0, plants.PLANTED_TEXT] = True
    one = B2T().fit(replace(data, captions=replace(data.captions, candidates=alone)))
    all_of_them = B2T().fit(data)
    assert all_of_them.p_[0, plants.PLANTED_TEXT] > one.p_[0, plants.PLANTED_TEXT]
    assert (one.p_[~alone] == 1).all()
    assert (one.scores_[~alone] == 0).all()
    strict = B2T(alpha=float(all_of_them.p_[0, plants.PLANTED_TEXT]) / 2).fit(data)
    assert 0 not in strict.class_


def test_an_example_is_of_the_slice_of_its_own_class_above_the_midpoint():
    data, test, _ = plants.planted()
    method = B2T().fit(data)
    scores = method.score(test)
    for j, (c, text) in enumerate(zip(method.class_, method.keywords_, strict=True)):
        direction = data.captions.embeddings[text].astype(float)
        cosines = test.embeddings @ direction / np.linalg.norm(test.embeddings, axis=1) / np.linalg.norm(direction)
        np.testing.assert_array_equal(
            scores.membership[:, j] > 0, (test.labels == c) & (cosines > method.threshold_[j])
        )
    assert (np.diff(method.scores_[method.class_, method.keywords_]) <= 0).all()


def test_hardness_is_the_cosine_with_the_best_keyword_else_doubt():
    data, test, _ = plants.planted()
    right = np.flatnonzero((data.val.labels == 0) | data.val.correct)
    method = B2T().fit(replace(data, val=data.val.take(right)))
    scores = method.score(test)
    assert method.notes() == ("class 1 has 0 wrong and 231 right answers in val; ranked by confidence",)
    ones = np.flatnonzero(test.labels == 1)
    np.testing.assert_allclose(scores.hardness[ones], 0.5 - test.probs[ones, 1], atol=1e-6)
    np.testing.assert_array_equal(scores.flagged[ones], ~test.correct[ones])
    assert scores.membership[ones].sum() == 0
    best = data.captions.embeddings[plants.PLANTED_TEXT] / 4
    zeros = np.flatnonzero(test.labels == 0)
    X = test.embeddings[zeros].astype(float)
    expected = X @ best / np.linalg.norm(X, axis=1) / np.linalg.norm(best)
    np.testing.assert_allclose(scores.hardness[zeros], expected, atol=1e-6)


@pytest.mark.parametrize("how", [lambda X: X * 1e4, lambda X: X * 0, lambda X: X * 0 + 1])
def test_degenerate_embeddings_stay_finite(how):
    data, test, _ = plants.planted(n=80)
    scores = B2T().fit(embedded(data, how)).score(replace(test, embeddings=how(test.embeddings)))
    assert np.isfinite(scores.hardness).all()
    constant = np.ptp(how(test.embeddings)) == 0
    assert not constant or scores.membership.shape == (test.n, 0)


def test_one_error_one_example_and_one_dimension():
    data, test, _ = plants.planted(n=80)
    first = np.flatnonzero(~data.val.correct)[:1]
    for rows in (np.r_[first, np.flatnonzero(data.val.correct)], first):
        scores = B2T().fit(replace(data, val=data.val.take(rows))).score(test)
        assert scores.membership.shape == (test.n, 0)
    captions = replace(data.captions, embeddings=data.captions.embeddings[:, 1:2], references=np.zeros((2, 1)))
    narrow = embedded(data, lambda X: X[:, 1:2], captions)
    assert np.isfinite(B2T().fit(narrow).score(replace(test, embeddings=test.embeddings[:, 1:2])).hardness).all()


def test_refusals():
    data, test, _ = plants.planted(n=80)
    for bad in ({"n_keywords": 0}, {"alpha": 0.0}, {"alpha": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            B2T(**bad).fit(data)
    assert "candidate captions" in B2T().supports(replace(data, captions=None))
    with pytest.raises(DataError, match="no labels"):
        B2T().fit(data).score(without_labels(data).val)
    assert B2T().fit(data).score(test.take(np.flatnonzero(test.labels == 0))).hardness.shape == (40,)
