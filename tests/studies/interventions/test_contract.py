from dataclasses import replace

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench.plugins.registry import METHODS
from slicebench.studies.interventions import INTERVENTIONS, Added, Audit, Intervention, Treatment
from slicebench.studies.interventions.contract import joined, retrained, treated
from slicebench.studies.interventions.kinds.filter import Filter
from slicebench.studies.interventions.kinds.native import Native
from slicebench.studies.interventions.kinds.none import Nothing
from slicebench.studies.interventions.kinds.upweight import Upweight, balanced, rank_in_class, times


def audit_of(problem, method=None, **params):
    fitted = None
    if method is not None:
        fitted = METHODS.load(method)(**params)
        if method == "oracle":
            fitted.reveal(problem.truth)
        fitted.fit(problem.data)
    return Audit(data=problem.data, method=fitted, about=problem)


def chosen_rows(split, treatment):
    return np.flatnonzero(np.isin(split.ids, treatment.chosen))


def test_all_registered_interventions_can_be_made_and_describe_themselves():
    for info in INTERVENTIONS.describe():
        assert info.status == "ok", info
        made = INTERVENTIONS.load(info.name)()
        made.check()
        assert type(made)(**made.get_params()).get_params() == made.get_params()


def test_nothing_trains_the_base_model_again(problem):
    treatment = Nothing().treat(audit_of(problem), 0)
    inputs, labels, weights = treated(problem.data.train, treatment)
    assert inputs is problem.data.train.inputs
    assert labels is problem.data.train.labels
    assert weights is None
    again = problem.data.trainer.fit(seed=7).predict(problem.test.inputs)
    assert np.array_equal(retrained(problem.data, treatment, 7).predict(problem.test.inputs), again)


def test_weights_of_train_and_of_what_is_added_stand_in_a_row(problem):
    train = problem.data.train
    added = Added(inputs=train.inputs[:3], labels=np.array([0, 1, 2]), weights=np.array([5.0, 6.0, 7.0]))
    none = train.ids[:0]
    for weights in (None, np.full(train.n, 2.0)):
        inputs, labels, factors = treated(train, Treatment(chosen=none, weights=weights, added=added))
        assert len(inputs) == len(labels) == len(factors) == train.n + 3
        assert factors[-3:].tolist() == [5, 6, 7]
        assert set(factors[:-3]) == {1.0 if weights is None else 2.0}
    bare = replace(added, weights=None)
    assert treated(train, Treatment(chosen=none, added=bare))[2] is None
    assert treated(train, Treatment(chosen=none, weights=np.full(train.n, 2.0), added=bare))[2][-3:].tolist() == [
        1,
        1,
        1,
    ]


def test_only_examples_of_one_kind_are_joined():
    assert joined(["a"], ["b", "c"]) == ["a", "b", "c"]
    assert joined(np.zeros((1, 2)), np.ones((2, 2))).shape == (3, 2)
    with pytest.raises(DataError, match=r"dtype float64 and shape \(3,\)"):
        joined(np.zeros((1, 2)), np.ones((2, 3)))
    with pytest.raises(DataError, match="expected the same"):
        joined(np.zeros((1, 2), dtype=np.uint8), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trainer": None}, "needs a trainer"),
        ({"pool": None}, "needs a pool split"),
    ],
)
def test_an_intervention_says_what_it_lacks(problem, changes, reason):
    data = replace(problem.data, **changes)
    assert Filter().supports(data, METHODS.load("random")()) == reason
    assert Filter().supports(problem.data, METHODS.load("random")()) is None


def test_a_stranger_s_trainer_is_declined(problem):
    class Other:
        recipe = object()

    assert "recipe" in Nothing().supports(replace(problem.data, trainer=Other()), None)


def test_upweighting_spends_the_budget_that_a_method_s_flags_set(problem):
    train = problem.data.train
    audit = audit_of(problem, "svm_directions")
    flagged = audit.method.score(train).flagged
    treatment = Upweight(like="svm_directions").treat(audit, 0)
    assert sorted(treatment.chosen) == sorted(train.ids[flagged])
    for other in ("random", "confidence", "oracle"):
        treatment = Upweight(like="svm_directions").treat(audit_of(problem, other), 0)
        rows = chosen_rows(train, treatment)
        assert np.bincount(train.labels[rows]).tolist() == np.bincount(train.labels[flagged]).tolist()


def test_upweighting_by_share_takes_the_hardest_of_each_class(problem):
    train = problem.data.train
    treatment = Upweight(share=0.1, factor=3.0).treat(audit_of(problem, "oracle"), 0)
    rows = chosen_rows(train, treatment)
    planted = problem.truth.minority(train.ids)
    for c in range(3):
        there, own = int((planted & (train.labels == c)).sum()), rows[train.labels[rows] == c]
        assert planted[own].sum() == min(there, len(own))
    assert set(treatment.weights[rows]) == {3.0}
    assert treatment.weights.sum() == train.n + 2 * len(rows)
    assert np.bincount(train.labels[rows]).tolist() == np.rint(0.1 * np.bincount(train.labels)).astype(int).tolist()


def test_soft_weights_go_by_rank_and_spend_the_same_whoever_ranks(problem):
    sums = []
    for method in ("random", "confidence"):
        treatment = Upweight(rule="soft", factor=3.0).treat(audit_of(problem, method), 0)
        assert treatment.weights.min() >= 1
        assert treatment.weights.max() <= 3
        assert not len(treatment.chosen)
        sums.append(treatment.weights.sum())
    assert sums[0] == pytest.approx(sums[1])


def test_weights():
    labels = np.array([0, 0, 0, 1, 1, 2])
    assert times(np.array([1, 3]), labels, 2.0).tolist() == [1, 2, 1, 2, 1, 1]
    assert balanced(np.array([1, 3, 5]), labels, 2.0).tolist() == [1, 2, 1, 1, 1, 1]
    assert rank_in_class(np.array([5.0, 5, 1, 0, 2, 7]), labels).tolist() == [0.75, 0.75, 0, 0, 1, 0.5]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rule": "double"}, "rule is 'double'"),
        ({"factor": 0.0}, "factor is 0.0"),
        ({"factor": float("nan")}, "factor is nan"),
        ({"share": 1.0}, "share is 1.0"),
        ({"like": "svm"}, "svm_directions"),
    ],
)
def test_upweighting_refuses_what_it_cannot_use(params, message):
    from slicebench.errors import SlicebenchError

    with pytest.raises(SlicebenchError, match=message):
        Upweight(**params).check()


def test_a_budget_needs_flags(problem):
    with pytest.raises(ConfigError, match="has no flags, so it cannot set the budget"):
        Upweight(like="random").treat(audit_of(problem, "confidence"), 0)
    blind = replace(problem.data, val=replace(problem.data.val, probs=None, correct=None))
    reason = Upweight(like="svm_directions").supports(blind, METHODS.load("random")())
    assert "svm_directions, whose flags set the budget, needs" in reason
    assert Upweight(share=0.1).supports(blind, METHODS.load("random")()) is None


def test_filtering_adds_the_pool_s_hardest(problem):
    pool = problem.data.pool
    treatment = Filter(k=5).treat(audit_of(problem, "oracle"), 0)
    rows = chosen_rows(pool, treatment)
    assert len(rows) == 15
    assert problem.truth.minority(pool.ids[rows]).all()
    assert np.array_equal(treatment.added.inputs, pool.inputs[rows])
    assert np.array_equal(treatment.added.labels, pool.labels[rows])
    assert treatment.notes == ()


def test_filtering_says_when_the_pool_is_too_small(problem):
    treatment = Filter(k=1000).treat(audit_of(problem, "random"), 0)
    assert len(treatment.chosen) == problem.data.pool.n
    assert len(treatment.notes) == 3
    assert "of the 1000 examples of" in treatment.notes[0]
    for k in (0, 2.5, True):
        with pytest.raises(ConfigError, match="whole number"):
            Filter(k=k).check()


def test_methods_without_a_rule_of_their_own_are_skipped(problem):
    assert "no rule of its own" in Native().supports(problem.data, METHODS.load("confidence")())
    assert Native().supports(problem.data, METHODS.load("lff")()) is None
    with pytest.raises(NotImplementedError):
        METHODS.load("confidence")().repair(problem.data, 0)


def test_jtt_weighs_the_early_errors(problem):
    audit = audit_of(problem, "early_stopping")
    errors = audit.method.score(problem.data.train).flagged
    expected = problem.data.trainer.fit(weights=np.where(errors, 20.0, 1.0), seed=5).predict(problem.test.inputs)
    model = Native().repair(audit, Native().treat(audit, 5), 5)
    assert 0 < errors.sum() < len(errors)
    assert np.array_equal(model.predict(problem.test.inputs), expected)


def test_lff_gives_its_debiased_network(problem):
    audit = audit_of(problem, "lff", relative_difficulty=True, seed=3)
    model = Native().repair(audit, Native().treat(audit, 3), 3)
    assert np.array_equal(model.predict(problem.test.inputs), audit.method.debiased_.predict(problem.test.inputs))
    assert not np.array_equal(model.predict(problem.test.inputs), audit.method.biased_.predict(problem.test.inputs))


def test_the_base_class_has_no_treatment(problem):
    with pytest.raises(NotImplementedError, match="Intervention has no treat"):
        Intervention().treat(audit_of(problem), 0)


def test_an_audit_leads_to_neither_truth_nor_test(problem, reachable):
    from slicebench.data.truth import PlantedTruth

    audit = audit_of(problem, "svm_directions")
    header = type("Header", (), {"name": "x", "params": {}, "seed": 0, "dataset": "y"})()
    found = reachable(Audit(data=audit.data, method=audit.method, about=header))
    assert not any(isinstance(item, PlantedTruth) for item in found.values())
    assert id(problem.test) not in found
