"""Run each task in a process of its own, with limits and the interface of `concurrent.futures.Executor`.

This module must not import NumPy: workers import it before their thread count is set.
"""

from __future__ import annotations

import builtins
import os
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from slicebench.errors import SlicebenchError, message_of
from slicebench.evaluation.isolation.fork_server import Died, ForkServer, Interpreters, server_for
from slicebench.evaluation.isolation.forked import ServerEnded
from slicebench.evaluation.isolation.processes import exit_text
from slicebench.files.log import speak

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from slicebench.evaluation.isolation.fork_server import Task
    from slicebench.problems.planned import PlannedProblem


P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K")

MEMORY_EXIT = 77
"""Exit code of a worker that its memory watchdog ended."""

GIB = 2**30
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PLAIN_ALLOCATOR = {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # the usual one reserves a GiB, which a memory limit counts


class CellTimeout(SlicebenchError):  # noqa: N818 - an outcome of a cell
    """A task exceeded its time limit and was ended."""


class CellMemory(SlicebenchError):  # noqa: N818
    """A task needed more memory than its limit."""


class CellCrashed(SlicebenchError):  # noqa: N818
    """The worker process died while running a task."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the worker process died ({exit_text(exit_code)})")
        self.exit_code = exit_code


class TaskFailed(SlicebenchError):  # noqa: N818
    """A task raised an error that cannot be sent to the parent process; the message begins with the error's type."""


class EngineError(SlicebenchError):
    """The engine itself cannot continue; the task with this error did not cause it."""


class Engine(Executor):
    """Base class of executors for runs."""

    @property
    def width(self) -> int:
        """Number of tasks that run at a time; it may change."""
        raise NotImplementedError

    def place(self, problem: PlannedProblem, folder: Path) -> object:  # noqa: ARG002 - for engines that send it
        """Return the argument that a task gets for the `folder` of a problem: here, the folder itself."""
        return folder


class LocalExecutor(Engine):
    """Executor that runs each task in a fresh process, with a time and a memory limit.

    A task that crashes, hangs or exceeds its memory ends with `CellCrashed`, `CellTimeout` or `CellMemory`.
    When a task has ended, so have all processes that it started, and nothing that it changed in its process reaches
    another task. Tasks ignore Ctrl-C and die with the parent.

    Parameters
    ----------
    jobs : int
        Number of tasks at a time.
    timeout : float, optional
        Seconds per task.
    memory_gb : float, optional
        GiB that a task may use in addition to what a fresh process uses. Processes that a task
        starts are not counted.
    threads : int, default 1
        Threads of each task's linear algebra. The order of sums, and so the last bits of a
        result, depend on it.
    preload : sequence of str, optional
        Modules that are imported once for all tasks.
    kept : container of callables, optional
        Tasks that may share a process, since they run no code of plugins in it themselves. They can start companions.

    """

    def __init__(
        self,
        jobs: int,
        timeout: float | None = None,
        memory_gb: float | None = None,
        threads: int = 1,
        preload: Sequence[str] = (),
        kept: Container[object] = (),
    ) -> None:
        try:
            Path.cwd()
        except FileNotFoundError:
            raise EngineError("the working directory was deleted; change to a folder that exists") from None
        self.jobs, self.timeout, self.memory_gb, self.kept = jobs, timeout, memory_gb, kept
        self._environment = dict.fromkeys(_THREAD_VARIABLES, str(threads)) | _PLAIN_ALLOCATOR
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._server = server_for(self._environment, self._preload)
        self._worked = self._closed = False
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="slicebench-task")

    @property
    def width(self) -> int:
        """Number of tasks at a time."""
        return self.jobs

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue `fn(*args, **kwargs)`; a future that has not started can be cancelled."""
        limited = fn if self.memory_gb is None else partial(call_with_memory_limit, self.memory_gb, fn)
        task = call_aloud, (limited, *args), dict(kwargs)
        return self._threads.submit(self._run, task, keeper=fn in self.kept)

    def _run(self, task: Task, *, keeper: bool) -> Any:
        """Run a task; return its result, or raise its error or our own type of it."""
        server = self._server
        try:
            succeeded, value = server.run(task, self.timeout, keeper=keeper)
        except TimeoutError:
            raise CellTimeout(f"stopped after {self.timeout:g} s, the time limit") from None
        except Died as died:
            if died.args[0] == MEMORY_EXIT:
                raise self._out_of_memory() from None
            raise CellCrashed(died.args[0]) from None
        except ServerEnded:
            raise self._lost(server) from None
        self._worked = True
        if succeeded:
            return value
        raise self._out_of_memory() if isinstance(value, MemoryError) and self.memory_gb is not None else value

    def _lost(self, server: ForkServer | Interpreters) -> SlicebenchError:
        """Start the server again if a task has killed it; return the error of a task that ran meanwhile."""
        with self._lock:
            if self._closed:
                return EngineError("the run was stopped")
            if not self._worked:
                return EngineError("no task could be started: the process that forks them ended at once")
            if server is self._server:
                server.close()
                self._server = server_for(self._environment, self._preload)
        return CellCrashed(None)

    def _out_of_memory(self) -> CellMemory:
        return CellMemory(f"needs more than the memory limit of {self.memory_gb:.3g} GiB")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End after the queued tasks; with `cancel_futures`, at once."""
        if cancel_futures:
            self._close()
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            self._close()

    def _close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(cancel_futures=kind is not None)


def as_they_end(tasks: dict[Future[T], K]) -> Iterator[tuple[K, Future[T]]]:
    """Yield keys of `tasks` with their futures, in the order in which they end; empty `tasks`."""
    while tasks:
        # the timeout lets Ctrl-C through on systems where it does not wake a waiting thread
        for future in wait(tasks, timeout=0.5, return_when=FIRST_COMPLETED).done:
            yield tasks.pop(future), future


def default_memory_gb(jobs: int) -> float:
    """Return GiB per task: an even share of 80 % of the free memory."""
    import psutil

    return float(0.8 * psutil.virtual_memory().available / jobs / GIB)


def call_aloud(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `fn` in a task's process, where the logger speaks, and raise only errors that reach the parent."""
    speak()
    try:
        return fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - one that cannot be unpickled would hide what went wrong
        instead = _portable(error)
    raise instead


def _portable(error: BaseException) -> BaseException:
    """Return an error that survives its way to the parent: itself, or `TaskFailed` with its type and message."""
    kind = type(error)
    known = getattr(builtins, kind.__name__, None) is kind or kind.__module__.startswith("slicebench.")
    plain = all(isinstance(value, str | bytes | int | float | None) for value in error.args)
    if known and plain and isinstance(error, Exception) and not vars(error):
        return error
    return MemoryError() if isinstance(error, MemoryError) else TaskFailed(message_of(error))


def call_with_memory_limit(memory_gb: float, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Run `fn` in this process, with at most `memory_gb` GiB more than it uses now.

    On Linux the kernel refuses the allocation and `fn` gets a `MemoryError`. This also stops a loop
    in C that never lets other threads run. On other systems a watchdog ends the process with
    `MEMORY_EXIT`.
    """
    limit = _data_limit if sys.platform == "linux" else _watchdog
    with limit(memory_gb):
        return fn(*args, **kwargs)


@contextmanager
def _data_limit(memory_gb: float) -> Iterator[None]:
    import resource

    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = psutil.Process().memory_info().data + int(memory_gb * GIB)
    ceilings = [x for x in (soft, hard, allowed) if x != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(ceilings), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _watchdog(memory_gb: float, period_s: float = 0.05) -> Iterator[None]:
    import psutil

    process, done = psutil.Process(), threading.Event()
    allowed = process.memory_info().rss + memory_gb * GIB

    def watch() -> None:
        while not done.wait(period_s):
            if process.memory_info().rss > allowed:
                os._exit(MEMORY_EXIT)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
