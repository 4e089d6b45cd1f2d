"""What a method returned, as slices, and what they are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.slices import measure_slices, returned_slices
from slicebench.metrics.ranking import Ranking, average_precision
from slicebench.metrics.slices import SLICE_METRICS
from slicebench.plugins.method import SliceScores
from slicebench.plugins.registry import METHODS
from slicebench.testing import example_problem


def split_of(labels):
    n = len(labels)
    return Split(ids=np.arange(n), embeddings=np.zeros((n, 2)), losses=np.zeros(n), labels=np.array(labels))


def test_memberships_that_sum_to_one_have_their_usual_members():
    member = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]], dtype=np.float32)
    found = returned_slices(
        SliceScores(hardness=np.zeros(4), membership=member, names=("a", "b")), split_of([0, 0, 1, 1])
    )
    assert found.hard.tolist() == [[True, False], [True, False], [False, True], [False, True]]
    assert (found.k, found.names) == (2, ("a", "b"))
    np.testing.assert_array_equal(found.soft, member)


def test_weak_memberships_have_as_many_members_as_they_add_up_to():
    """A spotlight: no weight reaches one half, yet they add up to two examples."""
    weights = np.array([[0.45], [0.4], [0.35], [0.3], [0.3], [0.2], [0.0]], dtype=np.float32)
    found = returned_slices(SliceScores(hardness=np.zeros(7), membership=weights), split_of([0] * 7))
    assert found.hard[:, 0].tolist() == [True, True, False, False, False, False, False]
    assert found.names == ("slice 1",)


def test_empty_slices_ties_and_no_slices():
    member = np.array([[0.0, 0.4, 0.1], [0.0, 0.4, 0.1], [0.0, 0.4, 0.1]], dtype=np.float32)
    found = returned_slices(SliceScores(hardness=np.zeros(3), membership=member), split_of([0, 0, 0]))
    assert found.hard.sum(axis=0).tolist() == [0, 3, 0]  # nobody, all that are tied, less than half an example
    none = returned_slices(SliceScores(hardness=np.zeros(3), membership=np.zeros((3, 0))), split_of([0, 0, 0]))
    assert (none.k, none.hard.shape) == (0, (3, 0))


def test_flags_are_one_slice_per_class_ordered_by_hardness():
    hardness, flagged = np.array([3.0, 1.0, 2.0, 5.0]), np.array([True, False, True, False])
    found = returned_slices(SliceScores(hardness=hardness, flagged=flagged), split_of([0, 0, 0, 1]), ("cat", "dog"))
    assert found.names == ("flagged cat", "flagged dog")
    assert found.hard.tolist() == [[True, False], [False, False], [True, False], [False, False]]
    assert np.argsort(-found.soft[:3, 0]).tolist() == [0, 2, 1]
    assert found.soft[3, 0] == 0


def test_hardness_alone_is_no_slice():
    assert returned_slices(SliceScores(hardness=np.zeros(3)), split_of([0, 0, 1])).k == 0


def planted(problem, groups, names):
    """`problem` with other groups in its test split; `groups` (n, g)."""
    empty = {split: np.zeros((len(ids), groups.shape[1]), bool) for split, ids in problem.truth.ids.items()}
    truth = PlantedTruth(ids=problem.truth.ids, groups=empty | {"test": groups}, group_names=names)
    return replace(problem, truth=truth)


def measured(problem, scores):
    return measure_slices(scores, problem.test, problem.truth, problem.data.class_names)


def memberships(problem, k=4):
    member = np.random.default_rng(0).dirichlet(np.full(k, 0.4), problem.test.n).astype(np.float32)
    return SliceScores(hardness=member[:, 0], membership=member)


def test_the_truth_as_slices_scores_one():
    problem = example_problem(n=1500)
    found = measured(problem, oracle_scores(problem))
    for name, metric in SLICE_METRICS.items():
        if name in ("redundancy", "error_coverage"):
            continue
        assert found.metrics[name] == pytest.approx(1 if metric.higher_is_better else 0), name
    (one,) = found.per_slice
    assert (one.name, one.group, found.k) == ("apart", "apart", 1)
    assert 0.35 < one.low < one.delta < one.high < 0.65


def oracle_scores(problem):
    oracle = METHODS.load("oracle")()
    oracle.reveal(problem.truth)
    return oracle.fit(problem.data).score(problem.test)


def test_metrics_are_means_over_classes_and_then_over_groups(problem):
    """Group b is in one class only: its one value weighs as much as the mean of a's three."""
    labels, a = problem.test.labels, problem.truth.minority(problem.test.ids)
    b = (labels == 2) & (np.arange(len(labels)) % 4 == 0)
    both = planted(problem, np.column_stack([a, b]), ("a", "b"))
    scores = memberships(problem)
    found = measured(both, scores).metrics["best_ap"]
    of = lambda group, c: max(
        average_precision(Ranking.of(column[labels == c], group[labels == c])) for column in scores.membership.T
    )
    assert found == pytest.approx(np.mean([np.mean([of(a, c) for c in range(3)]), of(b, 2)]))


def test_groups_that_are_not_in_the_split_do_not_count(problem):
    a = problem.truth.minority(problem.test.ids)
    with_absent = planted(problem, np.column_stack([np.zeros_like(a), a]), ("absent", "a"))
    alone = planted(problem, a[:, None], ("a",))
    scores = memberships(problem)
    assert measured(with_absent, scores) == measured(alone, scores)
    assert {one.group for one in measured(with_absent, oracle_scores(with_absent)).per_slice} == {None, "a"}


def test_a_group_that_fills_its_class_can_be_discovered_but_not_ranked(problem):
    """Within its class there is nothing to tell it from."""
    whole = planted(problem, (problem.test.labels == 1)[:, None], ("dogs",))
    found = measured(whole, oracle_scores(whole))
    assert found.metrics["best_ap"] is found.chance["matched_p_at_10"] is None
    assert found.metrics["discovery_rate_8_8"] == 1
    assert found.per_slice[0].delta is None
    assert found.per_slice[0].error_rate == pytest.approx(np.mean(~problem.test.correct[problem.test.labels == 1]))


def test_row_order_does_not_matter(problem):
    scores, order = memberships(problem), np.random.default_rng(1).permutation(problem.test.n)
    shuffled = SliceScores(hardness=scores.hardness[order], membership=scores.membership[order])
    straight = measured(problem, scores)
    permuted = measure_slices(shuffled, problem.test.take(order), problem.truth, problem.data.class_names)
    assert permuted.metrics == pytest.approx(straight.metrics)
    assert permuted.chance == pytest.approx(straight.chance)
    assert permuted.per_slice == straight.per_slice


def test_where_nothing_is_planted_the_slices_remain(problem):
    bare = planted(problem, np.zeros((problem.test.n, 0), bool), ())
    found = measured(bare, memberships(problem))
    assert {name for name, value in found.metrics.items() if value is not None} == {"redundancy", "error_coverage"}
    assert all(one.group is None and one.low <= one.delta <= one.high for one in found.per_slice)


def test_without_labels_and_errors_groups_are_still_compared(problem):
    bare = replace(problem.test, labels=None, probs=None, correct=None)
    scores = memberships(problem)
    found = measure_slices(scores, bare, problem.truth)
    assert found.metrics["error_coverage"] is None
    assert found.metrics["best_ap"] > 0
    assert {(one.error_rate, one.delta, one.low) for one in found.per_slice} == {(None, None, None)}


def test_flags_are_measured_and_bare_hardness_is_not(problem):
    hardness = np.random.default_rng(0).random(problem.test.n)
    found = measured(problem, SliceScores(hardness=hardness, flagged=hardness > 0.8))
    assert [one.name for one in found.per_slice] == ["flagged cat", "flagged dog", "flagged owl"]
    assert found.metrics["redundancy"] == 0
    assert measured(problem, SliceScores(hardness=hardness)) is None


def test_a_method_that_returns_no_slice_scores_chance(problem):
    found = measured(problem, SliceScores(hardness=np.zeros(problem.test.n), membership=np.zeros((problem.test.n, 0))))
    assert (found.k, found.per_slice) == (0, ())
    assert found.metrics["matched_kappa_at_10"] == pytest.approx(0, abs=1e-12)
    assert found.metrics["discovery_rate_5_5"] == found.metrics["error_coverage"] == 0
    assert found.metrics["false_discovery_rate_5_5"] is found.metrics["redundancy"] is None


def test_every_value_stands_beside_chance_or_none(problem):
    found = measured(problem, memberships(problem))
    assert list(found.metrics) == list(found.chance) == list(SLICE_METRICS)
    assert found.chance["matched_p_at_10"] == pytest.approx(problem.truth.minority(problem.test.ids).mean(), abs=0.02)
    assert found.chance["highest_p_at_10"] > found.chance["matched_p_at_10"]
