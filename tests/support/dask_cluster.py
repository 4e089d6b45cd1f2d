"""A Dask scheduler and workers on loopback, each a process of its own, for tests and timings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import psutil

from tests.support.paths import HOSTILE, ROOT


def until(condition, seconds=60.0):
    """Wait for a condition to hold, and return what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


class Cluster:
    """A scheduler and workers with nannies, each a process of its own; workers share a cache folder."""

    def __init__(self, folder, workers):
        self.folder, self.cache = folder, folder / "cache"
        self.cache.mkdir(parents=True)
        path = [str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "SLICEBENCH_CACHE": str(self.cache)}
        self.processes = []
        file = folder / "scheduler.json"
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        self.address = until(lambda: file.exists() and file.read_text() and json.loads(file.read_text()))["address"]
        for _ in range(workers):
            self.start("worker", self.address, "--nthreads", "1", "--local-directory", str(folder))

    def start(self, what, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--no-dashboard"]
        log = (self.folder / f"{what}.log").open("a")
        self.processes.append(subprocess.Popen(command, env=self.environment, stderr=log, stdout=log))
        log.close()

    def workers(self, number):
        """Processes of the workers, once there are so many; nannies take a second or two to replace one."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            until(lambda: len(client.nthreads()) == number)
            return list(client.run(os.getpid).values())

    def stop(self):
        family = [c for p in self.processes for c in psutil.Process(p.pid).children(recursive=True)]
        for process in [*self.processes, *family]:
            process.kill()
        psutil.wait_procs(family, timeout=10)
        for process in self.processes:
            process.wait()
