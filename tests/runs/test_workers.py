"""Tasks: each has a fresh process, each kind of failure costs its own task, and nothing outlives a task or the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from contextlib import suppress

import numpy as np
import psutil
import pytest

from slicebench.errors import ConfigError
from slicebench.runs.dask_client import DaskExecutor
from slicebench.runs.workers import (
    MEMORY_EXIT,
    CellCrashed,
    CellMemory,
    CellTimeout,
    LocalExecutor,
    TaskFailed,
    _watchdog,
)
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def pool():
    with LocalExecutor(jobs=2, timeout=2, memory_gb=0.5) as executor:
        yield executor


def test_results_and_errors_come_back_each_from_a_fresh_process(pool):
    assert pool.submit(divmod, 7, 3).result(20) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(20)
    pids = {pool.submit(os.getpid).result(20) for _ in range(12)}
    assert len(pids) == 12
    assert os.getpid() not in pids


UNSPEAKABLE = """
class Unspeakable(ValueError):
    def __init__(self, one, two):
        super().__init__()
raise Unspeakable(1, lambda: None)
"""


@pytest.mark.parametrize(
    "code", [UNSPEAKABLE, "raise ValueError(lambda: None)", "raise KeyboardInterrupt", "raise SystemExit"]
)
def test_an_error_that_cannot_be_sent_costs_its_own_task_only(pool, code):
    failing = pool.submit(exec, code, {})
    with pytest.raises(TaskFailed, match=r"^(Unspeakable|ValueError|KeyboardInterrupt|SystemExit)"):
        failing.result(30)
    assert pool.submit(divmod, 7, 3).result(20) == (2, 1)


@pytest.mark.parametrize("code", [0, 1, 42])
def test_an_exiting_task_costs_itself_only(pool, code):
    others = [pool.submit(time.sleep, 0.1) for _ in range(3)]
    crash = pool.submit(eval, f"__import__('os')._exit({code})")
    others += [pool.submit(time.sleep, 0.1) for _ in range(3)]
    with pytest.raises(CellCrashed) as caught:
        crash.result(30)
    assert caught.value.exit_code == code
    wait(others, 30)
    assert [f.result(0) for f in others] == [None] * 6


def test_a_task_that_exits_at_once_is_noticed_though_this_process_is_busy():
    """The pool hears of the death before it has read who took the task."""
    busy = threading.Event()

    def spin():
        while not busy.is_set():
            sum(range(20_000))

    for _ in range(3):
        threading.Thread(target=spin, daemon=True).start()
    try:
        with LocalExecutor(jobs=2, timeout=60) as executor:
            for _ in range(4):
                for crash in [executor.submit(eval, "__import__('os')._exit(1)") for _ in range(2)]:
                    with pytest.raises(CellCrashed):
                        crash.result(30)
    finally:
        busy.set()


def test_a_signal_is_named(pool):
    with pytest.raises(CellCrashed, match="SIGSEGV"):
        pool.submit(signal.raise_signal, signal.SIGSEGV).result(30)


def test_a_hanging_task_is_stopped_in_time(pool):
    start = time.monotonic()
    with pytest.raises(CellTimeout, match="2 s"):
        pool.submit(time.sleep, 600).result(30)
    assert time.monotonic() - start < 12
    assert pool.submit(divmod, 7, 3).result(20) == (2, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mappings on Linux only")
@pytest.mark.parametrize(
    "code",
    [
        "np.ones(10**11)",
        "np.zeros(2**30 // 8)",
        "held = [np.ones(10**5) for _ in range(10**6)]",
        "held = [bytes(1000) for _ in range(10**9)]",
        "[0] * 10**10",
        "list(range(10**10))",
    ],
)
def test_memory_is_limited_and_the_worker_survives(pool, code):
    with pytest.raises(CellMemory, match=r"0\.5 GiB"):
        pool.submit(exec, f"import numpy as np\n{code}", {}).result(30)
    assert pool.submit(eval, "__import__('numpy').ones(2**25).sum()").result(20) == 2**25


def test_the_limit_is_on_growth_and_is_lifted(pool):
    limits = {pool.submit(eval, "__import__('resource').getrlimit(2)[0]").result(20) for _ in range(4)}
    assert all(0 < limit < 4 * 2**30 for limit in limits)


def test_the_watchdog_of_other_platforms_ends_the_process():
    code = (
        "from slicebench.runs.workers import _watchdog\n"
        "with _watchdog(0.2):\n"
        "    held = []\n"
        "    while True: held.append(bytes(10**6))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == MEMORY_EXIT
    with _watchdog(1.0):
        assert np.ones(10**6).sum() == 10**6


@pytest.mark.parametrize(("jobs", "given", "threads"), [(1, {}, "1"), (2, {}, "1"), (1, {"threads": 3}, "3")])
def test_threads_do_not_depend_on_jobs_and_the_environment_is_restored(monkeypatch, jobs, given, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", "13")
    with LocalExecutor(jobs=jobs, **given) as executor:
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result(20) == threads
    assert os.environ["OMP_NUM_THREADS"] == "13"


def test_workers_die_with_a_killed_parent():
    code = (
        "import time\n"
        "from slicebench.runs.workers import LocalExecutor\n"
        "if __name__ == '__main__':\n"
        "    ex = LocalExecutor(jobs=2)\n"
        "    futures = [ex.submit(time.sleep, 600) for _ in range(2)]\n"
        "    time.sleep(1.5); print('up', flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "up\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_an_interrupt_stops_at_once():
    start = time.monotonic()
    with suppress(KeyboardInterrupt), LocalExecutor(jobs=2) as executor:
        futures = [executor.submit(time.sleep, 600) for _ in range(5)]
        time.sleep(1)
        raise KeyboardInterrupt
    assert not any(f.done() and f.exception() is None for f in futures if not f.cancelled())
    assert time.monotonic() - start < 10


def test_dask_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"slicebench\[dask\]"):
        DaskExecutor("tcp://127.0.0.1:1", [], {}, timeout=1, memory_gb=None, threads=1, wait_s=1)
