"""Accuracies, resamples, differences and their intervals, by hand and by simulation."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from slicebench.runs.suite import ProblemSpec, Suite
from slicebench.studies.interventions.accuracy import accuracies, groups_of, parts_of, resampled
from slicebench.studies.interventions.design import plan_arms
from slicebench.studies.interventions.effects import Quantity, intervention_board
from slicebench.studies.interventions.record import InterventionRecord


def arrays_of(correct, minority, labels=None, base=None, seed=None):
    n = correct.shape[1]
    return {
        "correct": correct,
        "own.seed": np.zeros((len(correct), 0), dtype=bool) if seed is None else seed,
        "base_correct": np.ones(n, dtype=bool) if base is None else base,
        "labels": np.zeros(n, dtype=np.int64) if labels is None else labels,
        "minority": minority,
    }


def test_accuracies_by_hand():
    labels, minority = np.repeat([0, 1], 20), np.tile([True, False], 20)
    correct = np.zeros((2, 40), dtype=bool)
    correct[0, :20] = True
    correct[1, minority] = True
    base = ~((labels == 1) & minority)
    found = accuracies(arrays_of(correct, minority, labels, base, seed=np.array([[True, False], [True, True]])))
    assert found["overall"].tolist() == [0.5, 0.5]
    assert found["minority"].tolist() == [0.5, 1.0]
    assert found["majority"].tolist() == [0.5, 0.0]
    assert found["worst_group"].tolist() == [0.0, 0.0]
    assert found["heldout"].tolist() == [0.0, 1.0]
    assert found["seed"].tolist() == [0.5, 1.0]
    of_base = accuracies(arrays_of(correct, minority, labels, base), base=True)
    assert (of_base["minority"], of_base["heldout"], of_base["worst_group"]) == (0.5, 0.0, 0.0)
    assert "seed" not in of_base


def test_a_group_of_a_few_is_not_the_worst():
    labels, minority = np.zeros(40, dtype=int), np.arange(40) < 9
    correct = np.tile(~minority, (2, 1))
    assert accuracies(arrays_of(correct, minority, labels))["worst_group"].tolist() == [1.0, 1.0]
    assert list(groups_of(labels, minority, ["cat"])) == ["cat, planted", "cat, rest"]


def test_nothing_planted_leaves_no_minority():
    correct = np.ones((2, 30), dtype=bool)
    found = accuracies(arrays_of(correct, np.zeros(30, dtype=bool)))
    assert np.isnan(found["minority"]).all()
    assert np.isnan(found["heldout"]).all()
    assert found["worst_group"].tolist() == [1.0, 1.0]


def test_resamples_are_paired_and_centred():
    rng = np.random.default_rng(0)
    minority, labels = rng.random(400) < 0.3, rng.integers(0, 2, 400)
    arrays = arrays_of(rng.random((3, 400)) < 0.7, minority, labels, rng.random(400) < 0.6, rng.random((3, 50)) < 0.2)
    one, two = (resampled(arrays, 500, np.random.default_rng(1)) for _ in range(2))
    exact = accuracies(arrays)
    assert one.keys() == exact.keys() >= parts_of(arrays).keys()
    for name, value in one.items():
        assert np.array_equal(value, two[name])
        assert value.shape == (3, 500)
        if name != "worst_group":
            assert np.abs(value.mean(axis=1) - exact[name]).max() < 0.01
    assert one["overall"].std() < one["minority"].std()


def test_the_interval_of_one_draw_covers_what_models_and_examples_vary():
    """Right answers of S models on n examples, each with an effect of its own: the interval holds the true mean."""
    rng, hits = np.random.default_rng(3), []
    for _ in range(400):
        model, example = rng.normal(0, 0.3, (5, 1)), rng.normal(0, 1.0, (1, 120))
        correct = rng.random((5, 120)) < 1 / (1 + np.exp(-(model + example)))
        arrays = arrays_of(correct, np.arange(120) < 60)
        quantity = Quantity(
            (accuracies(arrays)["overall"],), (resampled(arrays, 200, np.random.default_rng(0))["overall"],)
        )
        interval = quantity.interval()
        hits.append(interval.low <= 0.5 <= interval.high)
    assert 0.92 <= np.mean(hits) <= 0.99


def test_the_interval_over_draws_is_student_s():
    from scipy.stats import t

    rng = np.random.default_rng(0)
    values = tuple(rng.normal(m, 0.01, 5) for m in (0.1, 0.2, 0.3))
    quantity = Quantity(values, tuple(v[:, None] + rng.normal(0, 0.01, (5, 2000)) for v in values))
    interval = quantity.interval()
    means = np.array([v.mean() for v in values])
    half = t.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert interval.mean == pytest.approx(means.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.1)


def test_one_model_on_one_draw_has_no_interval():
    quantity = Quantity((np.array([0.5]),), (np.full((1, 10), 0.5),))
    assert quantity.interval() is None
    assert (quantity - quantity).estimate().low is None


@dataclass
class Outcome:
    """What `intervention_board` reads of a run."""

    records: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)

    def arrays(self, arm):
        return self.kept[arm]


RIGHT = {None: 0.4, "random": 0.5, "oracle": 0.9, "confidence": 0.7}


def outcome_of(broken=(), draws=3, n=2000, **options):
    suite = Suite(
        name="s",
        description="",
        seeds=tuple(range(draws)),
        methods=("confidence",),
        problems=(ProblemSpec(name="p", dataset="scenes", params={"n_pool": 9}),),
    )
    outcome, minority = Outcome(), np.arange(n) < n // 2
    for arm in plan_arms(suite, retrain=4, **options):
        bad = arm.method in broken
        record = InterventionRecord(
            problem="p", family="f", dataset="scenes", dataset_version="1", dataset_params={}, encoder="e",
            seed=arm.problem.seed, intervention=arm.variant.name, intervention_version="1",
            intervention_params=dict(arm.variant.params), method=arm.method, method_version=None, method_params={},
            retraining_seeds=arm.seeds, status="failed" if bad else "ok", reason="it broke" if bad else None,
            chosen={"a": 3.0, "b": 4.0}, chosen_minority=0.25, base_accuracy={"overall": 0.8, "minority": None},
            code_version="0", hardware="h", date="d",
        )  # fmt: skip
        rng = np.random.default_rng([arm.problem.seed, len(outcome.records)])
        rate = np.where(minority, RIGHT[arm.method], 0.9)
        outcome.records[arm] = record
        outcome.kept[arm] = arrays_of(rng.random((4, n)) < rate, minority)
    return outcome


def test_a_board_says_what_changed_against_what():
    board = intervention_board(outcome_of(interventions=("filter",)), "s")
    rows = {(row.variant, row.method): row for row in board.rows}
    none, random, own = rows["none", None], rows["filter", "random"], rows["filter", "confidence"]
    assert none.change == {}
    assert none.reference is None
    assert random.against == {}
    assert own.reference == "filter random"
    assert own.change["minority"].mean == pytest.approx(0.3, abs=0.02)
    assert own.against["minority"].mean == pytest.approx(0.2, abs=0.02)
    assert own.against["minority"].low > 0 > own.change["majority"].low
    assert own.recovery.mean == pytest.approx(0.5, abs=0.05)
    assert own.recovery.low < 0.5 < own.recovery.high
    assert random.recovery is None
    assert (own.chosen, own.chosen_minority) == (7.0, 0.25)
    assert board.base == {"p": {"overall": pytest.approx(0.8)}}
    assert (board.seeds, board.retrain) == ((0, 1, 2), 4)


def test_a_broken_arm_has_no_values_and_takes_what_is_measured_against_it_along():
    board = intervention_board(outcome_of(broken=("random",), interventions=("filter",)), "s")
    rows = {(row.variant, row.method): row for row in board.rows}
    assert rows["filter", "random"].missing == "failed at 3 of 3 seeds: it broke"
    assert rows["filter", "random"].values == {}
    assert rows["filter", "confidence"].against == {}
    assert rows["filter", "confidence"].recovery is None
    assert rows["filter", "confidence"].change


def test_recovery_needs_an_oracle_that_gains():
    outcome = outcome_of(interventions=("filter",))
    for arm, kept in outcome.kept.items():
        if arm.method == "oracle":
            random = next(a for a in outcome.kept if a.method == "random" and a.problem.seed == arm.problem.seed)
            kept["correct"] = np.roll(outcome.kept[random]["correct"], 1, axis=0)
    rows = {row.method: row for row in intervention_board(outcome, "s").rows}
    assert rows["confidence"].recovery is None


def test_a_reference_may_be_a_parameter_of_the_intervention():
    outcome = outcome_of(interventions=("dcd",), settings=("dcd.selection=nearest,random",))
    rows = {row.variant: row for row in intervention_board(outcome, "s").rows}
    assert rows["dcd selection=nearest"].reference == "dcd selection=random"
    assert rows["dcd selection=random"].reference is None
    alone = intervention_board(outcome_of(interventions=("dcd",)), "s").rows[-1]
    assert (alone.reference, alone.against) == (None, {})
