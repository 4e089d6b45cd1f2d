"""Records of cells and arms say the same of their problem, and in the same place: files of older versions stay as they are."""

from __future__ import annotations

import pytest

from slicebench.evaluation.record import Identity, Record
from slicebench.studies.interventions.record import InterventionRecord

FIRST = ["schema_version", "problem", "family", "dataset", "dataset_version", "dataset_params", "encoder", "seed"]


@pytest.mark.parametrize("kind", [Record, InterventionRecord])
def test_the_problem_comes_first_and_the_circumstances_last(kind):
    names = list(kind.model_fields)
    assert names[: len(FIRST)] == FIRST == list(Identity.model_fields)
    assert names[-3:] == ["code_version", "hardware", "date"]
    assert (kind.model_config["frozen"], kind.model_config["extra"]) == (True, "forbid")


def test_what_identifies_a_problem_fills_both(problem):
    from slicebench.evaluation.cell import identity

    about = identity(problem)
    cell = Record(**about, method="m", method_version="1", method_params={}, status="ok")
    arm = InterventionRecord(
        **about, intervention="i", intervention_version="1", intervention_params={}, method=None, method_version=None,
        method_params={}, retraining_seeds=(1,), status="ok",
    )  # fmt: skip
    assert (cell.schema_version, arm.schema_version) == (6, 1)
    assert (
        (cell.problem, cell.seed, cell.date)
        == (arm.problem, arm.seed, arm.date)
        == (problem.name, problem.seed, about["date"])
    )
