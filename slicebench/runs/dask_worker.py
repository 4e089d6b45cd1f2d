"""Set up every Dask worker of a run: child processes with limits, and folders for sent problems.

A task runs in a child process of the Dask worker, like in a local worker process: it has a time and
a memory limit, and its crash does not end the Dask worker. Dask also sets up the station on workers
that join later.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import threading
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker

from slicebench.errors import message_of
from slicebench.files.cache import cache_dir
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench.problems.archive import content_hash, pack, unpack
from slicebench.problems.cache import build_missing, frozen_folder
from slicebench.runs.tasks import PRELOAD, run_cell
from slicebench.runs.workers import GIB, EngineError, LocalExecutor, default_memory_gb
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from slicebench.plugins.registry import Registry
    from slicebench.problems.planned import PlannedProblem


STARTED = "slicebench-started"
"""Topic of the events by which workers report the tasks that they have started."""

IDLE_S = 600.0
"""Seconds after which unused child processes end, since a killed client cannot end them."""


@dataclass(frozen=True)
class Wanted:
    """Requirements for a worker: the version of slicebench and the plugins.

    Plugins are given as distribution and version by name. Folders are shared with a worker if its
    cache folder is `cache` and it can read `files` (SHA-256 by path).
    """

    version: str
    methods: Mapping[str, str]
    datasets: Mapping[str, str]
    cache: str
    files: Mapping[str, str]

    def lacking(self) -> str:
        """Describe what this process lacks; the text is empty if it lacks nothing."""
        if __version__ != self.version:
            return f"has slicebench {__version__}, but this run needs {self.version}"
        found = [("method", self.methods, origins(METHODS)), ("dataset", self.datasets, origins(DATASETS))]
        wrong = [
            f"the {kind} {name!r} of {origin}" + (f" (it has the one of {there[name]})" if name in there else "")
            for kind, wanted, there in found
            for name, origin in wanted.items()
            if there.get(name) != origin
        ]
        return "lacks " + ", ".join(wrong) if wrong else ""

    def shared(self) -> bool:
        """Check whether folders can be shared with this process."""
        return str(cache_dir().resolve()) == self.cache and all(
            file_hash(path) == digest for path, digest in self.files.items()
        )


def origins(registry: Registry) -> dict[str, str]:
    """Return distribution and version of each name in a registry."""
    return {e.name: "unknown" if e.dist is None else f"{e.dist.name} {e.dist.version}" for e in registry.entries()}


def file_hash(path: str) -> str:
    """Compute the SHA-256 of a small file; return an empty text if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


@dataclass(frozen=True)
class Sent:
    """Placeholder for a problem that is sent to the worker as bytes.

    `digest` is set if the problem differs from what a local build would produce.
    """

    problem: PlannedProblem
    digest: str = ""

    @property
    def folder(self) -> Path:
        """Folder on the worker into which the problem is unpacked."""
        built = frozen_folder(self.problem)
        return built.with_name(f"sent-{self.digest}") if self.digest else built


@dataclass(frozen=True)
class Failure:
    """Error of a task as text, since not every exception can be pickled."""

    message: str


@dataclass(frozen=True)
class Done:
    """Return value of a task."""

    value: Any


class Station(WorkerPlugin):  # type: ignore[misc]
    """Part of a run on one Dask worker.

    Parameters
    ----------
    name : str
        Unique name of the run.
    wanted : Wanted
        Requirements that the worker is compared with.
    timeout, memory_gb, threads
        As in `LocalExecutor`. By default, `memory_gb` is an even share of 80 % of the worker's
        `--memory-limit`, or of the free memory if that is less.

    """

    def __init__(self, name: str, wanted: Wanted, timeout: float, memory_gb: float | None, threads: int) -> None:
        self.name, self.wanted = name, wanted
        self.timeout, self.memory_gb, self.threads = timeout, memory_gb, threads

    def setup(self, worker: Any) -> None:
        """Compare the worker with the requirements, and set its limits.

        Dask calls it, so it must be quick.
        """
        multiprocessing.current_process().daemon = False  # a nanny's worker is a daemon, which may have no children
        self.lacking, self.shares = self.wanted.lacking(), self.wanted.shared()
        self.jobs = worker.state.nthreads
        if self.memory_gb is None:
            limit = worker.memory_manager.memory_limit
            share = 0.8 * limit / self.jobs / GIB if limit else float("inf")
            self.memory_gb = min(share, default_memory_gb(self.jobs))
        self._executor: LocalExecutor | None = None
        self._busy, self._used = 0, monotonic()
        self._received: dict[Path, Path] = {}
        self._lock, self._unpacking = threading.Lock(), threading.Lock()
        self._resting = asyncio.ensure_future(self._rest())

    async def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
        """End the child processes at once."""
        self._resting.cancel()
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)

    async def _rest(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S / 10)
            with self._lock:
                idle = self._executor if not self._busy and monotonic() - self._used > IDLE_S else None
                if idle is not None:
                    self._executor = None
            if idle is not None:
                await asyncio.to_thread(idle.shutdown)

    def call(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Run a task in a child process, within the limits."""
        with self._lock:
            if self._executor is None:
                self._executor = LocalExecutor(
                    self.jobs, self.timeout, self.memory_gb, self.threads, PRELOAD, kept=(run_cell,)
                )
            executor = self._executor
            self._busy += 1
            task = executor.submit(fn, *args)
        try:
            while not wait([task], timeout=0.5).done:
                if self._executor is not executor:  # torn down: a stopped pool need not end its tasks
                    raise EngineError("the run has ended")
            return task.result()
        finally:
            with self._lock:
                self._busy, self._used = self._busy - 1, monotonic()

    def receive(self, sent: Sent, data: bytes) -> Path:
        """Return the folder of a problem that was sent; unpack it if the folder is missing."""
        with self._unpacking:  # one unpacks, the others wait
            folder = self._received.get(sent.folder) or self._place_of(sent, data)
            if not folder.exists():
                unpack(data, folder)
            self._received[sent.folder] = folder
        return folder

    def _place_of(self, sent: Sent, data: bytes) -> Path:
        """Return where to unpack a problem: under the digest of its bytes if its identity says too little."""
        return sent.folder.with_name(f"sent-{content_hash(data)}") if sent.problem.unseen else sent.folder


def report(name: str, dask_worker: Any) -> tuple[str, bool]:
    """Return what the worker lacks, and whether it shares folders with the client.

    It is called by `Client.run`.
    """
    station = dask_worker.plugins[name]
    return station.lacking, station.shares


def run_task(
    name: str,
    key: str,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    data: bytes | Failure | None,
    *,
    shares: bool,
) -> Done | Failure:
    """Run `fn(*args)` in a child process of this Dask worker; return errors of the task.

    `data` are the bytes of the problem whose `Sent` is in `args`.

    Raises
    ------
    EngineError
        if the worker cannot take part in the run.

    """
    station = _station(name, key, shares=shares)
    if isinstance(data, Failure):
        return data
    try:
        given = [station.receive(a, data) if isinstance(a, Sent) and data is not None else a for a in args]
        return Done(station.call(fn, *given))
    except Exception as error:  # noqa: BLE001 - any error of a task is its outcome
        return Failure(message_of(error))


def build_parcel(name: str, key: str, problem: PlannedProblem) -> bytes | Failure:
    """Build a problem on this worker unless it is in the cache; return it packed.

    The bytes stay on the cluster.
    """
    station = _station(name, key, shares=False)
    try:
        folder = frozen_folder(problem)
        station.call(build_missing, problem, folder)
        return pack(folder)
    except Exception as error:  # noqa: BLE001
        return Failure(message_of(error))


def _station(name: str, key: str, *, shares: bool) -> Station:
    """Return the run's station on this worker, and report to the client that a task has started."""
    worker = get_worker()
    station: Station | None = worker.plugins.get(name)
    if station is None or station.lacking or (shares and not station.shares):
        why = (
            "was not set up for this run"
            if station is None
            else station.lacking or "does not share the cache folder of the other workers"
        )
        raise EngineError(f"the Dask worker {worker.address} {why}")
    # if this worker dies, the client counts it only for the tasks that it had started
    worker.log_event(STARTED, {"key": key, "worker": worker.address})
    return station
