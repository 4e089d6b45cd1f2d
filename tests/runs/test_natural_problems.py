"""Problems in which nothing is planted run and are shown, and count in no mean and no rank."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.results.standings import standings
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.plan import plan
from slicebench.runs.runner import run
from slicebench.runs.store import load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits

SUITE = """
name = "natural"
seeds = [0, 1]
methods = ["random", "confidence", "domino", "oracle"]
[[problems]]
name = "planted"
dataset = "gaussian"
params = {{ plant = "linear", n_train = 300, n_val = 200, n_test = 200, epochs = 2 }}
[[problems]]
name = "mine"
dataset = "table"
params = {{ path = "{path}", label = "y", probs = "p_", features = ["a", "b"] }}
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("natural")
    rng = np.random.default_rng(0)
    p = rng.random(300)
    table = {
        "a": rng.normal(size=300),
        "b": rng.normal(size=300),
        "y": rng.integers(2, size=300),
        "p_0": 1 - p,
        "p_1": p,
    }
    pd.DataFrame(table).to_csv(folder / "mine.csv", index=False)
    suite = parse_suite(SUITE.format(path=folder / "mine.csv"), "here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICEBENCH_CACHE", str(folder / "cache"))
        return run(suite, plan(suite), out=folder / "run", limits=Limits(jobs=1))


def test_every_cell_is_ok_and_undefined_where_nothing_is_planted(outcome):
    for cell, record in outcome.records:
        assert record.status == "ok", record.reason
        undefined = record.metrics["namf"] is None
        assert undefined == (cell.problem.name == "mine")
        assert (record.base_model.minority_rate is None) == (cell.problem.name == "mine")


def test_means_intervals_and_ranks_are_of_the_planted_problem_alone(outcome):
    loaded = load_run(outcome.store.folder)
    board = standings(RunOutcomes(loaded.store, loaded.cells), loaded.suite)
    planted = [(entry, record) for entry, record in loaded.cells if entry.problem == "planted"]
    alone = standings(RunOutcomes(loaded.store, planted), loaded.suite)
    for row, other in zip(board.methods, alone.methods, strict=True):
        assert row.name == other.name
        assert row.values["namf"] == other.values["namf"]
        assert row.values["namf"].mean > 0
        assert row.rank == other.rank
        assert "namf" not in board.cells["mine"][row.name].values
    assert board.comparison == alone.comparison
    assert [column.name for column in board.problems] == ["planted", "mine"]
    assert board.problems[1].minority_rate is None
