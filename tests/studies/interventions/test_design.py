import pytest

from slicebench.errors import ConfigError, PluginError, SlicebenchError
from slicebench.runs.plan import Filters
from slicebench.runs.suite import ProblemSpec, Suite, load_suite
from slicebench.studies.interventions.design import plan_arms, retraining_seeds

SUITE = Suite(
    name="small",
    description="",
    seeds=(0, 1),
    methods=("confidence", "spotlight"),
    problems=(ProblemSpec(name="a", dataset="scenes", params={"n_pool": 100}),),
)


def arms_of(**options):
    return plan_arms(SUITE, **options)


def test_every_variant_meets_every_method_random_and_oracle_among_them():
    arms = arms_of(interventions=("filter",), settings=("filter.k=10,20",), retrain=2)
    per_draw = [(arm.variant.label, arm.method) for arm in arms if arm.problem.seed == 0]
    methods = ["confidence", "spotlight", "random", "oracle"]
    expected = [("none", None), *[(f"filter k={k}", m) for k in (10, 20) for m in methods]]
    assert per_draw == expected
    assert len(arms) == 2 * len(expected)
    assert {arm.seeds for arm in arms if arm.problem.seed == 1} == {(1001, 1002)}


def test_by_default_upweight_and_filter_with_the_suite_s_methods():
    assert {arm.variant.label for arm in arms_of()} == {"none", "upweight", "filter"}
    only = arms_of(filters=Filters(methods=("domino",), seeds=(7,)))
    assert {arm.method for arm in only} == {None, "domino", "random", "oracle"}
    assert {arm.problem.seed for arm in only} == {7}


def test_an_unguided_intervention_has_one_arm_per_variant():
    arms = arms_of(interventions=("dcd",), settings=("dcd.selection=nearest,random", "dcd.n=3,5"))
    labels = [arm.variant.label for arm in arms if arm.problem.seed == 0]
    assert labels == [
        "none",
        "dcd selection=nearest n=3",
        "dcd selection=nearest n=5",
        "dcd selection=random n=3",
        "dcd selection=random n=5",
    ]
    assert {arm.method for arm in arms} == {None}


def test_identities_tell_everything_apart_and_nothing_else():
    def identities(**options):
        return {(str(arm), arm.problem.seed): arm.identity for arm in arms_of(interventions=("filter",), **options)}

    base = identities()
    assert len(set(base.values())) == len(base)
    assert identities() == base
    default = identities(settings=("filter.k=50",))  # the label alone differs
    assert set(default.values()) == set(base.values())
    assert not set(identities(retrain=3).values()) & set(base.values())
    assert len({arm.file for arm in arms_of()}) == len(arms_of())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interventions": ("filtre",)}, "did you mean 'filter'"),
        ({"settings": ("k=1",)}, "intervention.parameter=value"),
        ({"settings": ("filters.k=1",)}, "did you mean 'filter.k'"),
        ({"settings": ("dcd.n=1",)}, "expected intervention.parameter"),
        ({"settings": ("filter.q=1",)}, "no parameter 'q'"),
        ({"settings": ("filter.k=1,x",)}, "expected a whole number"),
        ({"settings": ("filter.k=0",)}, "filter: k is 0"),
        ({"settings": ("filter.k=1", "filter.k=2")}, "set twice"),
        ({"settings": ("filter.k",)}, "expected name=value"),
        ({"retrain": 0}, "retrain is 0"),
        ({"filters": Filters(methods=("dominoe",))}, "did you mean 'domino'"),
        ({"filters": Filters(problems=("b",))}, "no problem 'b'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(options, message):
    with pytest.raises(SlicebenchError, match=message) as caught:
        arms_of(**options)
    assert isinstance(caught.value, ConfigError | PluginError)


def test_draws_of_a_problem_never_share_retraining_seeds():
    assert retraining_seeds(0, 3) == (1, 2, 3)
    assert not set(retraining_seeds(4, 999)) & set(retraining_seeds(5, 999))


def test_the_packaged_suite_has_a_pool_everywhere():
    suite = load_suite("interventions")
    assert all(spec.params["n_pool"] > 0 for spec in suite.problems)
    assert {"scenes-correlation", "scenes-rare", "colored-digits", "digit-subtypes", "scenes-corruption"} == {
        spec.name for spec in suite.problems
    }
