"""Runs on a Dask cluster of real processes: what is lost costs one retry, what kills is recorded, and records are the same."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

pytest.importorskip("distributed", reason="pip install 'slicebench[dask]'")

from slicebench.errors import ConfigError, StorageError
from slicebench.evaluation.isolation import landlock
from slicebench.problems.archive import pack, unpack
from slicebench.problems.cache import build_missing, frozen_folder
from slicebench.problems.shelf import freeze
from slicebench.runs import dask_client as clusters
from slicebench.runs.plan import Filters, plan
from slicebench.runs.runner import run
from slicebench.runs.store import RunStore, entry_of
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits
from slicebench.runs.workers import EngineError
from tests.problems.test_files_read import SUITE as SUITE_OF_A_TABLE
from tests.problems.test_files_read import write
from tests.support.dask_cluster import HOSTILE, ROOT, Cluster, until

SUITE = """
name = "small"
seeds = [0, 1]
methods = [METHODS]
[[problems]]
name = "first"
dataset = "tiny"
[[problems]]
name = "second"
dataset = "tiny"
params = { n = 60 }
"""


def small(methods, more=""):
    return parse_suite(SUITE.replace("METHODS", ", ".join(f'"{m}"' for m in methods.split())) + more, "x")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("dask"), workers=2)
    yield made
    made.stop()


@pytest.fixture
def cluster(started):
    started.workers(2)  # whatever the test before has killed is there again
    return started


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def shared(cluster, monkeypatch):
    monkeypatch.setenv("SLICEBENCH_CACHE", str(cluster.cache))
    return cluster


def noted(cluster, folder):
    """The folder where the cells of `waits` note that they have begun, in the cache of their distribution."""
    return cluster.cache / "methods" / "hostile" / folder.name


def begun(cluster, folder):
    """Pairs (process, holder that forked it) of the cells of `waits` that have begun, one for each time."""
    return sorted(tuple(map(int, path.name.split("-")[1:3])) for path in noted(cluster, folder).glob("begun-*"))


def in_background(action):
    """Run `action` in a thread; if it fails, so does the test that waits for a run."""

    def watched():
        try:
            action()
        except BaseException:
            os.kill(os.getpid(), signal.SIGINT)
            raise

    thread = threading.Thread(target=watched, daemon=True)
    thread.start()
    return thread


def outcomes(outcome):
    return {(str(cell), record.status, record.reason) for cell, record in outcome.records}


def test_records_are_those_of_local_workers_to_the_bit(shared, tmp_path):
    suite = small("gentle svm_directions raises exits declines")
    cells = plan(suite, Filters(seeds=(0,)))
    local = run(suite, cells, out=tmp_path / "local", limits=Limits(jobs=2))
    remote = run(suite, cells, out=tmp_path / "dask", scheduler=shared.address)
    assert outcomes(remote) == outcomes(local)
    assert "the worker process died (exit code 1)" in {record.reason for _, record in remote.records}
    assert not list(shared.cache.glob(".slicebench*"))
    one, two = RunStore(tmp_path / "local"), RunStore(tmp_path / "dask")
    changing = {"cost", "date", "hardware"}
    for (cell, here), (_, there) in zip(local.records, remote.records, strict=True):
        assert here.model_dump(exclude=changing) == there.model_dump(exclude=changing)
        if here.status == "ok":
            (ids, a), (same, b) = one.scores(entry_of(cell)), two.scores(entry_of(cell))
            assert ids.tolist() == same.tolist()
            np.testing.assert_array_equal(a.hardness, b.hardness)
    done = [cell for cell, record in remote.records if record.status == "ok"]
    assert run(suite, done, out=tmp_path / "dask").computed == 0
    assert run(suite, done, out=tmp_path / "local", scheduler="tcp://127.0.0.1:1").computed == 0


def test_workers_with_another_cache_are_sent_the_problems(cluster, own_cache, tmp_path, caplog):
    suite = small("gentle random")
    with caplog.at_level("INFO", "slicebench"):
        built = run(suite, plan(suite), out=tmp_path / "built", scheduler=cluster.address)
    assert {record.status for _, record in built.records} == {"ok"}
    assert "problems are sent" in caplog.text
    assert not list(own_cache.glob("problems-*/*"))
    on_workers = {path.name for path in cluster.cache.glob("problems-*/*")}
    assert {cell.problem.identity for cell in plan(suite)} <= on_workers


@pytest.mark.slow  # half a minute
def test_all_workers_lost_cost_a_retry_and_problems_are_sent_again(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = small("gentle waits", f"[method_params.waits]\nfolder = {tmp_path.name!r}\n")
    cells = plan(suite, Filters(problems=("first",)))
    for problem in {cell.problem.identity: cell.problem for cell in cells}.values():
        freeze(problem, tmp_path / "shelf")

    def kill_both():
        workers = cluster.workers(2)
        before = len(until(lambda: begun(cluster, tmp_path)))
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        until(lambda: len(begun(cluster, tmp_path)) > before)
        (noted(cluster, tmp_path) / "go").touch()

    killing = in_background(kill_both)
    outcome = run(suite, cells, out=tmp_path / "run", scheduler=cluster.address, problems=Path("shelf"))
    killing.join()
    assert {record.status for _, record in outcome.records} == {"ok"}
    assert len(list(cluster.cache.glob("problems-*/sent-*"))) == 2


def test_a_worker_lost_mid_run_costs_its_cell_one_retry(shared, tmp_path):
    suite = small("waits gentle", f"[method_params.waits]\nfolder = {tmp_path.name!r}\n")
    cells = plan(suite)

    def kill_one():
        _, holder = until(lambda: begun(shared, tmp_path))[0]
        server = psutil.Process(holder).parent()
        os.kill(server.ppid(), signal.SIGKILL)
        until(lambda: any(psutil.pid_exists(other) for _, other in begun(shared, tmp_path) if other != holder))
        (noted(shared, tmp_path) / "go").touch()

    killing = in_background(kill_one)
    outcome = run(suite, cells, out=tmp_path / "run", scheduler=shared.address)
    killing.join()
    assert {record.status for _, record in outcome.records} == {"ok"}
    assert outcome.computed == 8
    assert len(begun(shared, tmp_path)) == 5  # four cells, one of them twice


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel lets a method send signals to its parent")
def test_a_method_cannot_kill_its_worker(shared, tmp_path):
    suite = small("gentle betrays random")
    outcome = run(suite, plan(suite, Filters(problems=("first",), seeds=(0,))), out=tmp_path, scheduler=shared.address)
    found = {cell.method: (record.status, record.reason) for cell, record in outcome.records}
    assert found["gentle"] == found["random"] == ("ok", None)
    assert found["betrays"][0] == "failed"
    assert "PermissionError" in found["betrays"][1]


def test_ctrl_c_keeps_what_is_finished_and_ends_what_runs(shared, tmp_path):
    suite = small("gentle waits", f"[method_params.waits]\nfolder = {tmp_path.name!r}\n")
    stored = []

    def interrupt():
        until(lambda: stored and begun(shared, tmp_path))
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = in_background(interrupt)
    outcome = run(
        suite, plan(suite), out=tmp_path, scheduler=shared.address, on_progress=lambda p: p.record and stored.append(p)
    )
    interrupting.join()
    assert outcome.interrupted
    assert outcome.computed == len(list(tmp_path.glob("records/*/gentle-*.json"))) >= 1
    assert outcome.missing == 8 - outcome.computed
    until(lambda: not any(psutil.pid_exists(process) for process, _ in begun(shared, tmp_path)))


def test_cells_have_limits_there_too(shared, tmp_path):
    suite = small("hangs eats")
    cells = plan(suite, Filters(problems=("first",), seeds=(0,)))
    build_missing(cells[0].problem, frozen_folder(cells[0].problem))
    outcome = run(suite, cells, out=tmp_path, scheduler=shared.address, limits=Limits(timeout_s=3, memory_gb=0.5))
    hangs, eats = (record.reason for _, record in outcome.records)
    assert hangs == "stopped after 3 s, the time limit"
    assert "emory" in eats or "limit" in eats


def test_a_worker_without_the_plugin_is_named(shared, tmp_path, monkeypatch):
    (tmp_path / "foreign-2.0.dist-info").mkdir()
    (tmp_path / "foreign-2.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 2.0\n")
    points = "[slicebench.methods]\nstranger = hostile_plugins:Gentle\n"
    (tmp_path / "foreign-2.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    suite = small("gentle stranger")
    with pytest.raises(ConfigError, match=r"worker tcp://127.* lacks the method 'stranger' of foreign 2\.0"):
        run(suite, plan(suite), out=tmp_path / "run", scheduler=shared.address)


def test_a_worker_of_another_version_is_named(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "__version__", "9.9")
    suite = small("gentle")
    with pytest.raises(ConfigError, match=r"worker tcp://127.* has slicebench .*, but this run needs 9\.9"):
        run(suite, plan(suite), out=tmp_path / "run", scheduler=shared.address)


def test_a_cluster_without_workers_or_scheduler_ends_the_run_in_time(tmp_path, monkeypatch, caplog):
    lonely = Cluster(tmp_path / "dask", workers=0)
    monkeypatch.setenv("SLICEBENCH_CACHE", str(lonely.cache))
    try:
        suite = small("gentle waits", f"[method_params.waits]\nfolder = {tmp_path.name!r}\n")
        cells = plan(suite, Filters(problems=("first",), seeds=(0,)))
        options = {"out": tmp_path / "run", "scheduler": lonely.address}
        with caplog.at_level("INFO", "slicebench"), pytest.raises(EngineError, match=r"no workers for 0\.5 s"):
            run(suite, cells, limits=Limits(wait_s=0.5), **options)
        assert "has no workers yet" in caplog.text
        lonely.start("worker", lonely.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path))
        in_background(lambda: until(lambda: begun(lonely, tmp_path)) and lonely.processes[-1].kill())
        with pytest.raises(EngineError, match="no workers for 3 s"):
            run(suite, cells, limits=Limits(wait_s=3), **options)
        assert [p.name.split("-")[0] for p in tmp_path.glob("run/records/*/*.json")] == ["gentle"]
        lonely.start("worker", lonely.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path))
        in_background(lambda: until(lambda: len(begun(lonely, tmp_path)) == 2) and lonely.processes[0].kill())
        with pytest.raises(EngineError, match=r"the Dask scheduler at .* was lost"):
            run(suite, cells, **options)
    finally:
        lonely.stop()


def test_nobody_at_the_address_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(clusters, "CONNECT_S", 0.5)
    suite = small("gentle")
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at .tcp://127\.0\.0\.1:1"):
        run(suite, plan(suite), out=tmp_path, scheduler="tcp://127.0.0.1:1")


def test_parcels_are_whole_or_refused(tmp_path, problem):
    from slicebench.problems.frozen import load_problem, save_problem

    save_problem(problem, tmp_path / "one")
    data = pack(tmp_path / "one")
    assert data == pack(tmp_path / "one")
    unpack(data, tmp_path / "two")
    unpack(data, tmp_path / "two")
    assert load_problem(tmp_path / "two").test.ids.tolist() == problem.test.ids.tolist()
    damaged = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    with pytest.raises(StorageError, match="damaged"):
        unpack(damaged, tmp_path / "three")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_frozen_folders_of_the_client_are_not_rebuilt(cluster, tmp_path):
    """Workers that cannot build a problem run it if the client has it."""
    suite = parse_suite(SUITE.replace("METHODS", '"gentle"').replace('"tiny"', '"unbuildable"', 1), "x")
    cells = plan(suite, Filters(problems=("first",), seeds=(0,)))
    failing = run(suite, cells, out=tmp_path / "run", scheduler=cluster.address)
    assert failing.records[0][1].reason == "the problem could not be built: OSError: the disk of the data went away"
    from hostile_plugins import Tiny

    from slicebench.problems.frozen import save_problem

    save_problem(Tiny().build(0), frozen_folder(cells[0].problem))
    assert run(suite, cells, out=tmp_path / "run", scheduler=cluster.address).records[0][1].status == "ok"


def table_suite(folder, accuracy):
    """A problem of a table, of whose predictions the share `accuracy` is right."""
    write(accuracy, folder / "mine.csv")
    params = SUITE_OF_A_TABLE.replace('"mine.csv"', f'"{folder / "mine.csv"}"').replace("[0, 1]", "[0]")
    return parse_suite(params.replace('["random"]', '["gentle"]'), "x")


def accuracy_of(outcome):
    ((_, record),) = outcome.records
    assert record.status == "ok", record.reason
    return record.base_model.accuracy


@pytest.mark.parametrize("unseen", [False, True])
def test_workers_with_another_cache_build_from_the_file_that_is_there_now(cluster, tmp_path, monkeypatch, unseen):
    """Also a file that the client does not see, as on a laptop that plans for a cluster."""
    if unseen:

        def no_file(*_):
            raise StorageError("not on this machine")

        monkeypatch.setattr("slicebench.runs.plan.files_read", no_file)
    before = table_suite(tmp_path, 0.7)
    cells = plan(before)
    assert [cell.problem.unseen for cell in cells] == [unseen]
    assert accuracy_of(run(before, cells, out=tmp_path / "one", scheduler=cluster.address)) < 0.9
    after = table_suite(tmp_path, 1.0)
    assert accuracy_of(run(after, plan(after), out=tmp_path / "two", scheduler=cluster.address)) == 1
    assert accuracy_of(run(after, plan(after), out=tmp_path / "three", scheduler=cluster.address)) == 1


def test_a_worker_that_has_another_file_says_so(cluster, tmp_path):
    suite = table_suite(tmp_path, 0.7)
    cells = plan(suite)
    table_suite(tmp_path, 0.9)
    ((_, record),) = run(suite, cells, out=tmp_path / "run", scheduler=cluster.address).records
    assert "mine s0: not the files with which this run was planned: mine.csv" in record.reason
