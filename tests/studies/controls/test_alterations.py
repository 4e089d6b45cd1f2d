"""What the controls do to outcomes and labels: nothing is left to find, and nothing else has changed."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.data.permuted import permuted_outcomes
from slicebench.data.split import Split, cross_entropy
from slicebench.errors import DataError
from slicebench.studies.controls import alterations as alter
from slicebench.testing import example_problem

UNTOUCHED = ("ids", "embeddings", "labels", "inputs")


@pytest.fixture(scope="module")
def pool():
    problem = example_problem(n=900)
    return alter.joined(problem.data.val, problem.test)


def outcomes(split, rows):
    return sorted(
        zip(split.losses[rows].tolist(), split.correct[rows].tolist(), split.probs[rows, 0].tolist(), strict=True)
    )


def consistent(split):
    assert np.array_equal(split.correct, split.probs.argmax(axis=1) == split.labels)
    assert split.losses == pytest.approx(cross_entropy(split.probs, split.labels), rel=1e-5)


def error_rates(split):
    return [float(1 - split.correct[rows].mean()) for _, rows in split.by_class()]


def test_joined_holds_both_splits_whole():
    problem = example_problem(n=60)
    both = alter.joined(problem.data.val, problem.test)
    assert both.ids.tolist() == [*problem.data.val.ids, *problem.test.ids]
    assert both.metadata["length"].tolist() == [
        *problem.data.val.metadata["length"],
        *problem.test.metadata["length"],
    ]
    assert np.array_equal(both.inputs[60:], problem.test.inputs)
    texts = [
        Split(ids=[f"{k}{i}" for i in range(3)], embeddings=np.ones((3, 1)), losses=[1, 2, 3], inputs=list("abc"))
        for k in "vt"
    ]
    assert alter.joined(*texts).inputs == list("abcabc")
    assert alter.joined(*texts).labels is None


def test_permuted_outcomes_move_together_within_the_class(pool):
    permuted = permuted_outcomes(pool, np.random.default_rng(0))
    for name in UNTOUCHED:
        assert np.array_equal(getattr(permuted, name), getattr(pool, name))
    for _, rows in pool.by_class():
        assert outcomes(permuted, rows) == outcomes(pool, rows)
    consistent(permuted)
    assert (permuted.losses == pool.losses).mean() < 0.05
    other = permuted_outcomes(pool, np.random.default_rng(1))
    assert (permuted.losses == other.losses).mean() < 0.05


def test_one_class_loses_its_errors(pool):
    altered = alter.no_errors_in_one_class(pool, np.random.default_rng(0))
    before, after = error_rates(pool), error_rates(altered)
    assert after[0] == 0 < before[0]
    assert after[1:] == before[1:]
    consistent(altered)


def test_one_class_is_hard_all_over(pool):
    altered = alter.homogeneous_errors(pool, np.random.default_rng(0))
    rows, apart = pool.labels == 0, pool.embeddings[:, 1] > 1.5
    assert error_rates(altered)[0] == pytest.approx(0.35, abs=0.001)
    assert error_rates(altered)[1:] == error_rates(pool)[1:]
    consistent(altered)
    gap = [(~s.correct[rows & apart]).mean() - (~s.correct[rows & ~apart]).mean() for s in (pool, altered)]
    assert gap[0] > 0.3
    assert abs(gap[1]) < 0.15


def test_label_noise_is_the_only_cause_of_errors(pool):
    altered = alter.label_noise_only(pool, np.random.default_rng(0))
    kept = np.flatnonzero(pool.correct)
    assert altered.ids.tolist() == pool.ids[kept].tolist()
    assert np.array_equal(altered.probs, pool.probs[kept])
    noisy = altered.labels != pool.labels[kept]
    assert noisy.mean() == pytest.approx(0.15, abs=0.001)
    assert np.array_equal(altered.correct, ~noisy)
    consistent(altered)
    assert set(altered.labels[noisy].tolist()) == {0, 1, 2}


def test_a_class_with_nothing_to_draw_from_is_named(pool):
    faultless = pool.take(np.flatnonzero(pool.correct))
    for make in (alter.no_errors_in_one_class, alter.homogeneous_errors):
        with pytest.raises(DataError, match=r"class 0 has .* and 0 wrong answers"):
            make(faultless, np.random.default_rng(0))
