"""Run tasks on the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from uuid import uuid4

from slicebench.errors import ConfigError, SlicebenchError, message_of
from slicebench.files.atomic import write_text
from slicebench.files.cache import cache_dir
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench.problems.archive import content_hash, pack
from slicebench.problems.cache import frozen_folder
from slicebench.runs.workers import Engine, EngineError
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.dask_worker import Done, Failure, Sent, Wanted
    from slicebench.runs.plan import Cell


P = ParamSpec("P")
T = TypeVar("T")

DEATHS = 2
"""Number of workers that die while running a task before the task fails."""

CONNECT_S = 10
POLL_S = 2.0


class WorkerLost(SlicebenchError):  # noqa: N818 - an outcome of a cell
    """Two Dask workers died while running a task: the first one and the one that retried it."""


class TaskFailed(SlicebenchError):  # noqa: N818
    """Error that a task raised on a worker, as text."""


@dataclass(eq=False)
class Parcel:
    """A problem that is sent to workers without access to its folder.

    `data` is Dask's future of the bytes. `folder` is the folder on this machine, or None if a
    worker builds the problem. The bytes stay on the cluster until the last cell of the problem has
    ended and the parcel is deleted.
    """

    sent: Sent
    folder: Path | None
    data: Any
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(eq=False)
class _Task:
    """A running task: its function, Dask's future, and the number of workers that died while running it."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    parcel: Parcel | None
    outcome: Future[Any] = field(default_factory=Future)
    future: Any = None
    worker: str | None = None
    """Worker that has reported that it started the task."""
    deaths: int = 0


class DaskExecutor(Engine):
    """Executor on the Dask cluster at `address`.

    Each task runs in a child process of a Dask worker (`slicebench.runs.dask_worker`).

    If a worker is lost, the tasks that it had started use their one retry; tasks that only waited
    for it do not. A task fails with `WorkerLost` if two workers died while running it. If the
    workers do not share the cache folder (and the shelf), each problem is sent to them once. A
    failure of the cluster, not of a task, is an `EngineError`.

    Parameters
    ----------
    address : str
        Address of the scheduler.
    cells : iterable of Cell
        Cells of the run; the workers must have the plugins that they need.
    shelf : mapping of str to Path
        Frozen problems, which are not built.
    timeout, memory_gb, threads
        Limits of a task, as in `LocalExecutor`.
    wait_s : float
        Seconds to wait for workers if there are none.

    """

    def __init__(
        self,
        address: str,
        cells: Iterable[Cell],
        shelf: Mapping[str, Path],
        *,
        timeout: float,
        memory_gb: float | None,
        threads: int,
        wait_s: float,
    ) -> None:
        self._client = _connected(address)
        self._address, self._wait_s = address, wait_s
        self._name = f"slicebench_{uuid4().hex[:8]}"
        self._tasks: dict[str, _Task] = {}
        self._numbers = count()
        self._threads_there, self._broken = 0, ""
        self._mark = cache_dir() / f".{self._name}"
        try:
            self._await_workers()
            self._set_up(list(cells), shelf, timeout, memory_gb, threads)
        except BaseException as error:
            self._leave()
            if isinstance(error, OSError) and not isinstance(error, SlicebenchError):
                raise EngineError(
                    f"the connection to the Dask scheduler at {address} was lost: {message_of(error)}"
                ) from error
            raise

    @property
    def width(self) -> int:
        """Number of threads of all workers."""
        return max(1, self._threads_there)

    def _await_workers(self) -> None:
        """Wait for the first worker.

        Raises
        ------
        EngineError
            if there is no worker in time.

        """
        start = monotonic()
        while not (there := self._client.nthreads()):
            if monotonic() - start > self._wait_s:
                raise EngineError(_no_workers(self._address, self._wait_s))
            if not self._threads_there:
                _say("the Dask cluster at %s has no workers yet; waiting for up to %.0f s", self._address, self._wait_s)
                self._threads_there = 1  # said once
            self._client.sync(asyncio.sleep, 0.2)
        self._threads_there = sum(there.values())

    def _set_up(
        self, cells: list[Cell], shelf: Mapping[str, Path], timeout: float, memory_gb: float | None, threads: int
    ) -> None:
        """Send a station to every worker, and compare the workers with this process.

        Raises
        ------
        ConfigError
            that names a worker that cannot run the cells, and what it lacks.

        """
        from slicebench.runs.dask_worker import STARTED, Station, report

        _check_installed(self._client)
        write_text(self._mark, self._name)  # a worker that can read it shares the cache folder
        wanted = _wanted(cells, shelf, self._mark)
        self._client.register_plugin(Station(self._name, wanted, timeout, memory_gb, threads), name=self._name)
        found = self._client.run(report, self._name)
        _refuse({worker: lacking for worker, (lacking, _) in found.items() if lacking})
        self._shares = all(shares for _, shares in found.values())
        if not self._shares:
            _say("not all Dask workers share the cache folder %s; problems are sent to them", cache_dir())
        self._client.subscribe_topic(STARTED, self._begun)
        self._client.subscribe_topic("all", self._changed)
        self._client.loop.add_callback(self._watch)

    def place(self, problem: PlannedProblem, folder: Path) -> Path | Parcel:
        """Return the folder itself if the workers share it.

        Otherwise start to send the problem, or to build it on a worker.
        """
        if self._shares:
            return folder.resolve()
        from slicebench.runs.dask_worker import Sent, build_parcel

        if not folder.exists():
            key = self._new_key("build")
            data = self._client.submit(build_parcel, self._name, key, problem, key=key, pure=False, priority=1)
            return Parcel(Sent(problem), None, data)
        packed = pack(folder)
        # a problem from the shelf may differ from a build: the worker unpacks it under its own digest
        digest = "" if folder == frozen_folder(problem) else content_hash(packed)
        return Parcel(Sent(problem, digest), folder, self._client.sync(self._scattered, packed))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue `fn(*args, **kwargs)`.

        A `Parcel` in `args` is replaced with the problem's folder on the worker.
        """
        parcel = next((a for a in args if isinstance(a, Parcel)), None)
        sent = tuple(a.sent if isinstance(a, Parcel) else a for a in args)
        task = _Task(partial(fn, **kwargs) if kwargs else fn, sent, parcel)
        if self._broken:
            task.outcome.set_exception(EngineError(self._broken))
            return task.outcome
        self._start(task)
        self._client.loop.add_callback(self._follow, task)
        return task.outcome

    def _new_key(self, what: str) -> str:
        """Return a new key for a Dask task.

        Keys that differ only in the number form a group, which Dask assigns worker by worker.
        """
        return f"{self._name}_{what}-{next(self._numbers)}"

    def _start(self, task: _Task) -> None:
        """Submit a task to Dask under a new key."""
        from slicebench.runs.dask_worker import run_task

        if task.future is not None:
            self._tasks.pop(task.future.key, None)
        key = self._new_key("task")
        data = None if task.parcel is None else task.parcel.data
        task.worker, self._tasks[key] = None, task
        task.future = self._client.submit(
            run_task, self._name, key, task.fn, task.args, data, shares=self._shares, key=key, pure=False
        )

    async def _follow(self, task: _Task) -> None:
        """Wait for a task; start it again if Dask dropped it without an error of the task."""
        while not task.outcome.done():
            try:
                await self._ended(task)
            except EngineError as error:
                self._break(str(error))
            except Exception as error:  # noqa: BLE001 - tasks return their errors, so this one is of the cluster
                self._break(f"the Dask cluster cannot run this: {message_of(error)}")
            if not task.outcome.done():
                self._start(task)
        self._tasks.pop(task.future.key, None)

    async def _ended(self, task: _Task) -> None:
        """Wait until Dask ends or drops a task.

        If the task then has no outcome, it has to be started again.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            _settle(task, await self._client.gather(task.future, asynchronous=True))
        except KilledWorker:  # Dask also counts tasks that only waited for the worker that died; we do not
            await self._died(task)
        except FutureCancelledError:
            await self._lost(task)

    async def _lost(self, task: _Task) -> None:
        """Handle a task that Dask has dropped.

        Either we cancelled it, or the scheduler or the only worker with its problem was lost.
        """
        if task.outcome.done():
            return
        parcel = task.parcel
        if self._client.status != "running" or parcel is None or parcel.folder is None:
            self._break(f"the Dask scheduler at {self._address} was lost, or the scheduler has dropped the run")
            return
        async with parcel.sending:
            if parcel.data.status != "finished":
                parcel.data = await self._scattered(await asyncio.to_thread(pack, parcel.folder))

    async def _scattered(self, packed: bytes) -> Any:
        """Put bytes on one of the workers; return Dask's future of them.

        They are sent again if that worker is lost in the meantime.
        """
        while not self._broken and self._client.status == "running":
            with suppress(OSError):  # a lost connection, or no worker in time: `_watch` decides how long to try
                return await self._client.scatter(packed, hash=False, asynchronous=True)
            await asyncio.sleep(0.2)
        raise EngineError(self._broken or f"the Dask scheduler at {self._address} was lost")

    def _begun(self, event: tuple[float, dict[str, str]]) -> None:
        """Record that a worker has started a task."""
        task = self._tasks.get(event[1]["key"])
        if task is not None:
            task.worker = event[1]["worker"]

    async def _changed(self, event: tuple[float, dict[str, Any]]) -> None:
        """Handle an event of the scheduler.

        If a worker has died, this counts for the tasks that it had started.
        """
        told = event[1]
        if told.get("action") != "remove-worker" or told["expected"]:
            return  # only a worker that was not closed on purpose has died
        for key in told["processing-tasks"]:
            task = self._tasks.get(key)
            if task is not None and task.worker == told["worker"]:
                task.worker = None
                await self._died(task)

    async def _died(self, task: _Task) -> None:
        """Count one more worker that died while running a task.

        Dask tries the task again. After `DEATHS` deaths the task fails and is cancelled.
        """
        task.deaths += 1
        if task.deaths >= DEATHS and not task.outcome.done():
            task.outcome.set_exception(
                WorkerLost("two workers died while running it: the first one and the one that retried it")
            )
            await self._client.cancel([task.future], asynchronous=True)

    async def _watch(self) -> None:
        """Count the workers, and end the run if there have been none for too long."""
        seen, warned = monotonic(), False
        while not self._broken and self._client.status in ("running", "connecting"):
            with suppress(OSError, AttributeError):  # no connection to the scheduler: the futures report that
                self._threads_there = sum((await self._client.scheduler.ncores()).values())
            if self._threads_there:
                seen, warned = monotonic(), False
            elif not warned:
                warned = True
                _say("the Dask cluster has lost all workers; waiting for up to %.0f s", self._wait_s)
            elif monotonic() - seen > self._wait_s:
                self._break(_no_workers(self._address, self._wait_s))
            await asyncio.sleep(POLL_S)

    def _break(self, why: str) -> None:
        """End every waiting task with an `EngineError`, since the cluster cannot be used any more."""
        self._broken = self._broken or why
        for task in list(self._tasks.values()):
            if not task.outcome.done():
                task.outcome.set_exception(EngineError(self._broken))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Leave the cluster after the queued tasks; with `cancel_futures`, end them at once."""
        tasks = list(self._tasks.values())
        if cancel_futures:
            for task in tasks:
                task.outcome.cancel()
            if self._client.status == "running":
                self._client.cancel([task.future for task in tasks])
        elif wait:
            wait_for([task.outcome for task in tasks])
        self._leave()

    def _leave(self) -> None:
        """Remove the stations, and close the connection."""
        self._broken = self._broken or "the run has ended"
        if self._client.status == "running":
            try:
                self._client.unregister_worker_plugin(self._name)
            except Exception as error:  # noqa: BLE001 - the run has ended, so an error of Dask does not matter
                logging.getLogger("slicebench").debug("leaving %s: %s", self._address, error)
        self._client.close()
        self._mark.unlink(missing_ok=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(cancel_futures=kind is not None)


def _settle(task: _Task, said: Done | Failure) -> None:
    """Set the outcome of a task from what the worker returned."""
    from slicebench.runs.dask_worker import Done

    if task.outcome.done():
        return
    if isinstance(said, Done):
        task.outcome.set_result(said.value)
    else:
        task.outcome.set_exception(TaskFailed(said.message))


def _connected(address: str) -> Any:
    """Connect to the Dask scheduler at `address`; return the client.

    Raises
    ------
    ConfigError
        if `distributed` is not installed or no scheduler answers.

    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError("--scheduler needs Dask: pip install 'slicebench[dask]'") from error
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with `dask scheduler`"
        ) from error


def _check_installed(client: Any) -> None:
    """Check that every worker has slicebench, with a call that does not import it there."""
    found = client.run(version, "slicebench", on_error="return")
    _refuse({worker: "does not have slicebench" for worker, answer in found.items() if isinstance(answer, Exception)})


def _refuse(lacking: Mapping[str, str]) -> None:
    if lacking:
        worker, what = next(iter(lacking.items()))
        more = f" ({len(lacking) - 1} more workers cannot be used either)" if len(lacking) > 1 else ""
        raise ConfigError(f"the Dask worker {worker} {what}{more}; install the same packages on every worker as here")


def _wanted(cells: list[Cell], shelf: Mapping[str, Path], mark: Path) -> Wanted:
    """Return what workers need for `cells`, and the files that show a shared file system."""
    from slicebench.runs.dask_worker import Wanted, file_hash, origins

    problems = {cell.problem.identity: cell.problem for cell in cells}
    shelved = next((shelf[identity] for identity in problems if identity in shelf), None)
    built = {p.dataset for key, p in problems.items() if key not in shelf and not frozen_folder(p).exists()}
    files = [mark, *([] if shelved is None else [shelved / "problem.json"])]
    methods, datasets = origins(METHODS), origins(DATASETS)
    return Wanted(
        version=__version__,
        methods={name: methods[name] for name in {cell.method for cell in cells}},
        datasets={name: datasets[name] for name in built},
        cache=str(cache_dir().resolve()),
        files={str(path.resolve()): file_hash(str(path)) for path in files},
    )


def _no_workers(address: str, waited_s: float) -> str:
    return (
        f"the Dask cluster at {address} has had no workers for {waited_s:g} s; start some (`dask worker {address}`), "
        "or wait longer with --wait SECONDS; the same command continues this run"
    )


def _say(message: str, *values: object) -> None:
    logging.getLogger("slicebench").info(message, *values)
