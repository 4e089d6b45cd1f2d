"""Tests that nearest_error meets slicebench's contract, is registered and beats chance."""

from slicebench_nearest_error import NearestError

from slicebench import METHODS, evaluate
from slicebench.testing import assert_contract, example_problem


def test_contract():
    assert_contract(NearestError())


def test_registered():
    assert METHODS.load("nearest_error") is NearestError


def test_beats_random():
    """The example has a planted subgroup; nAMF is 0 for chance and 1 for the ideal order."""
    problem = example_problem(n=600)
    record, chance = (evaluate(method, problem).record for method in (NearestError(), METHODS.load("random")()))
    assert record.status == "ok", record.reason
    assert record.metrics["namf"] > chance.metrics["namf"] + 0.2
