"""What a grid costs beside its cells: pytest tests/bench/test_grid.py --benchmark-enable

Planning is for 100,000 cells; without --benchmark-enable for a few, and what needs a cluster is left out.
"""

from __future__ import annotations

import json
import os
from functools import partial

import pytest

from slicebench.evaluation.cell import evaluate
from slicebench.evaluation.record import ProblemFacts, TestTruth
from slicebench.files.json_models import sealed
from slicebench.plugins.registry import METHODS
from slicebench.runs.plan import plan
from slicebench.runs.runner import plan_run
from slicebench.runs.store import RunStore, entry_of
from slicebench.runs.suite import load_suite
from slicebench.runs.workers import LocalExecutor
from slicebench.testing import example_problem
from tests.support.dask_cluster import Cluster, until

TASKS = 1000


@pytest.fixture
def grid(benchmark):
    """The standard suite's problems and methods with as many seeds as make 100,000 cells."""
    suite = load_suite("standard")
    cells = 2_000 if benchmark.disabled else 100_000
    seeds = range(-(-cells // (len(suite.methods) * len(suite.problems))))
    return suite.model_copy(update={"seeds": tuple(seeds)})


@pytest.mark.benchmark(group="planning 100,000 cells")
def test_planning_an_empty_folder(benchmark, grid, tmp_path):
    def planned():
        cells, store = plan(grid), RunStore(tmp_path)
        found = plan_run(cells, store)
        store.open(grid, cells)
        return found

    assert {item.action for item in benchmark.pedantic(planned, rounds=1)} == {"run"}


@pytest.mark.benchmark(group="planning 100,000 cells")
def test_planning_a_full_folder(benchmark, grid, tmp_path):
    cells, store = plan(grid), RunStore(tmp_path)
    problem = example_problem(n=60)
    record = evaluate(METHODS.load("confidence")(), problem).record
    for entry in map(entry_of, cells):
        folder = tmp_path / entry.folder
        folder.mkdir(parents=True, exist_ok=True)
        own = record.model_copy(update={"problem": entry.problem, "seed": entry.seed, "method": entry.method})
        (folder / f"{entry.record}.json").write_text(json.dumps(sealed(json.loads(own.model_dump_json()))))
    found = benchmark.pedantic(lambda: plan_run(plan(grid), store), rounds=1)
    assert {item.action for item in found} == {"done"}


@pytest.mark.benchmark(group="records written, 2,000 test examples")
def test_a_record_is_written(benchmark, tmp_path):
    problem, cell = example_problem(n=2000), plan(load_suite("quick"))[0]
    result, test = evaluate(METHODS.load("confidence")(), problem), problem.test
    entry, store = entry_of(cell), RunStore(tmp_path)
    facts = ProblemFacts(modality="vector", how="", groups=("a",), class_names=problem.data.class_names)
    store.save_truth(entry, TestTruth(test.ids, test.labels, problem.truth.minority(test.ids)), facts)
    benchmark(store.save, entry, result.record, result.scores)


def all_done(engine):
    """Trivial tasks through an engine, as many in its hands at a time as a run puts there."""
    ahead = 4 * engine.width
    futures = [engine.submit(divmod, 7, 3) for _ in range(ahead)]
    for i in range(TASKS):
        assert futures[i].result(60) == (2, 1)
        if len(futures) < TASKS:
            futures.append(engine.submit(divmod, 7, 3))


@pytest.mark.benchmark(group="1,000 trivial tasks")
def test_tasks_local(benchmark):
    if benchmark.disabled:
        pytest.skip("a timing and nothing else")
    with LocalExecutor(2) as engine:
        all_done(engine)
        benchmark.pedantic(partial(all_done, engine), rounds=3)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("dask"), workers=2)
    yield started
    started.stop()


@pytest.mark.benchmark(group="1,000 trivial tasks")
def test_tasks_dask(benchmark, request, monkeypatch):
    """Seconds of the scheduler's own processor time are in `extra_info`."""
    if benchmark.disabled:
        pytest.skip("a timing and nothing else")
    pytest.importorskip("distributed", reason="pip install 'slicebench[dask]'")
    import psutil

    from slicebench.runs.dask_client import DaskExecutor

    cluster = request.getfixturevalue("cluster")
    monkeypatch.setenv("SLICEBENCH_CACHE", str(cluster.cache))
    with DaskExecutor(cluster.address, [], {}, timeout=60, memory_gb=None, threads=1, wait_s=60) as engine:
        until(lambda: engine.width == 2)
        all_done(engine)
        watched = {"scheduler": psutil.Process(cluster.processes[0].pid), "client": psutil.Process(os.getpid())}
        before = {name: sum(process.cpu_times()[:2]) for name, process in watched.items()}
        benchmark.pedantic(partial(all_done, engine), rounds=3)
        for name, process in watched.items():
            spent = sum(process.cpu_times()[:2]) - before[name]
            benchmark.extra_info[f"{name}_ms_per_task"] = round(1000 * spent / (3 * TASKS), 3)
