"""What keeping a method apart costs per cell: pytest tests/bench/test_isolation.py --benchmark-enable

Both run the same cells with the method `random`; the difference of their means is the cost of a fresh, locked process per
cell, of what crosses, and of the decoy.
"""

from __future__ import annotations

import pytest

from slicebench.evaluation.cell import evaluate_cell
from slicebench.problems.frozen import save_problem
from slicebench.runs.tasks import PRELOAD, PRELOAD_FOR_MANY, run_cell
from slicebench.runs.workers import LocalExecutor
from slicebench.testing import example_problem

GROUP = "a cell, in milliseconds beyond which the harness costs nothing"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEBENCH_CACHE", str(tmp_path / "cache"))
    save_problem(example_problem(), tmp_path / "problem")
    return tmp_path / "problem"


@pytest.mark.benchmark(group=GROUP)
def test_in_this_process(benchmark, folder):
    result = benchmark(evaluate_cell, folder, "random", {"seed": 0})
    assert result.record.isolation == "none"


@pytest.mark.benchmark(group=GROUP)
def test_apart(benchmark, folder):
    def cell():
        return engine.submit(run_cell, folder, "example", "random", {"seed": 0}).result(60)

    with LocalExecutor(1, memory_gb=2, preload=(*PRELOAD, *PRELOAD_FOR_MANY), kept=(run_cell,)) as engine:
        cell()
        result = benchmark(cell)
    alone = evaluate_cell(folder, "random", {"seed": 0}).record
    apart = {"cost", "date", "isolation", "decoy_p", "problem"}
    assert result.record.model_dump(exclude=apart) == alone.model_dump(exclude=apart)
