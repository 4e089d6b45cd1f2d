"""Run tasks in processes with limits, with the interface of `concurrent.futures.Executor`.

This module must not import NumPy: workers import it before their thread count is set.
"""

from __future__ import annotations

import builtins
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Executor, Future, TimeoutError, wait  # noqa: A004 - pebble's own on every Python
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, Self, TypeVar

from slicebench.errors import SlicebenchError, message_of
from slicebench.files.log import speak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slicebench.problems.planned import PlannedProblem


P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K")

MEMORY_EXIT = 77
"""Exit code of a worker that its memory watchdog ended."""

SILENT_EXIT = 78
"""Exit code of a worker instead of 0, after which pebble would wait for a result until the time limit."""

UNGUARDED_EXIT = 79
"""Exit code of a worker in which the caller's script begins again, for lack of a guard."""

UNGUARDED = "each worker imports the calling script; put what the script does under `if __name__ == '__main__':`"

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
        super().__init__(f"the worker process died ({_exit_text(exit_code)})")
        self.exit_code = exit_code


class TaskFailed(SlicebenchError):  # noqa: N818
    """A task raised an error that cannot be sent to the parent process; the message begins with the error's type."""


class EngineError(SlicebenchError):
    """The engine itself cannot continue; the task with this error did not cause it."""


def _exit_text(code: int | None) -> str:
    if code is None:
        return "exit code unknown"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


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
    """Executor with reusable worker processes, and a time and a memory limit for each task.

    A task that crashes, hangs or exceeds its memory ends with `CellCrashed`, `CellTimeout` or `CellMemory`.
    Its worker is replaced; no other task is affected. Workers ignore Ctrl-C and die with the parent.

    Parameters
    ----------
    jobs : int
        Number of worker processes.
    timeout : float, optional
        Seconds per task.
    memory_gb : float, optional
        GiB that a task may use in addition to what its worker already uses. Processes that a task
        starts are not counted.
    threads : int, default 1
        Threads of each worker's linear algebra. The order of sums, and so the last bits of a
        result, depend on it.

    """

    def __init__(
        self, jobs: int, timeout: float | None = None, memory_gb: float | None = None, threads: int = 1
    ) -> None:
        from pebble import ProcessPool

        _check_place()
        self.jobs, self.timeout, self.memory_gb = jobs, timeout, memory_gb
        self._worked = False
        wanted = dict.fromkeys(_THREAD_VARIABLES, str(threads)) | _PLAIN_ALLOCATOR
        self._environment = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)  # spawned workers inherit it, before they import NumPy
        self._pool: Any = ProcessPool(
            max_workers=jobs, initializer=_start_worker, context=multiprocessing.get_context("spawn")
        )
        manager: Any = self._pool._pool_manager  # noqa: SLF001
        manager.find_expired_task = partial(_find_patiently, manager.find_expired_task)
        manager.task_manager.timeout = _ran_out

    @property
    def width(self) -> int:
        """Number of worker processes."""
        return self.jobs

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue `fn(*args, **kwargs)`; a future that has not started can be cancelled."""
        outcome: Future[T] = Future()
        limited = fn if self.memory_gb is None else partial(call_with_memory_limit, self.memory_gb, fn)
        limited = partial(call_with_portable_errors, limited)
        task = self._pool.schedule(limited, args=args, kwargs=kwargs, timeout=self.timeout)
        task.add_done_callback(partial(self._relay, outcome))
        return outcome

    def _relay(self, outcome: Future[T], task: Future[T]) -> None:
        """Copy the result of pebble's future, with errors as our own types."""
        if task.cancelled() or not outcome.set_running_or_notify_cancel():
            outcome.cancel()
            return
        error = task.exception()
        self._worked = self._worked or error is None
        if error is None:
            outcome.set_result(task.result())
        else:
            outcome.set_exception(self._translated(error))

    def _translated(self, error: BaseException) -> BaseException:
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        if isinstance(error, ProcessExpired):
            if error.exitcode == MEMORY_EXIT:
                return self._out_of_memory()
            if error.exitcode == UNGUARDED_EXIT:
                return EngineError(f"no worker process could be started: {UNGUARDED}")
            return CellCrashed(0 if error.exitcode == SILENT_EXIT else error.exitcode)
        if isinstance(error, BrokenProcessPool):
            return (
                CellCrashed(None) if self._worked else EngineError(f"no worker process could be started: {UNGUARDED}")
            )
        if isinstance(error, MemoryError) and self.memory_gb is not None:
            return self._out_of_memory()
        if isinstance(error, TimeoutError) and len(error.args) == 2 and error.args[0] == "Task timeout":
            return CellTimeout(f"stopped after {self.timeout:g} s, the time limit")
        return error

    def _out_of_memory(self) -> CellMemory:
        return CellMemory(f"needs more than the memory limit of {self.memory_gb:.3g} GiB")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End the workers after the queued tasks; with `cancel_futures`, end them at once."""
        if cancel_futures:
            self._pool.stop()
        else:
            self._pool.close()
        if wait:
            self._pool.join()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(cancel_futures=kind is not None)


def _check_place() -> None:
    """Raise `EngineError` where workers cannot be started; end a worker that would start workers of its own."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # it is still importing the script
        os._exit(UNGUARDED_EXIT)
    try:
        Path.cwd()
    except FileNotFoundError:
        raise EngineError("the working directory was deleted; change to a folder that exists") from None


def _find_patiently(find: Callable[[int], T], worker: int) -> T:
    """Find the task of a worker that died, retrying for a second.

    Pebble may not yet know that the worker took the task, and would then wait until the time limit.
    """
    from concurrent.futures.process import BrokenProcessPool

    for _ in range(50):
        try:
            return find(worker)
        except (LookupError, BrokenProcessPool):
            sleep(0.02)
    return find(worker)


def _ran_out(task: Any) -> bool:
    """Check whether a task has exceeded its time limit, by the monotonic clock.

    Pebble uses the wall clock: if that is changed, a task ends too early, or never.
    """
    if not (task.timeout and task.started):
        return False
    if not hasattr(task, "begun"):
        task.begun = monotonic()
    return bool(monotonic() - task.begun > task.timeout)


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


def _start_worker() -> None:
    """Initialise a worker process."""
    speak()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pebble's handler waits for Python code; a C loop would not end
    threading.Thread(target=_die_with_parent, daemon=True).start()
    worker, leave = os.getpid(), os._exit

    def leave_noticed(status: int) -> NoReturn:
        leave(SILENT_EXIT if status == 0 and os.getpid() == worker else status)

    os._exit = leave_noticed  # see SILENT_EXIT; children that a task forks keep their own status


def _die_with_parent() -> None:
    """End this process as soon as the parent is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def call_with_portable_errors(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `fn`; raise `TaskFailed` instead of an error that may not survive its way to the parent.

    An error that cannot be unpickled there would break the pool, and with it every other task.
    """
    try:
        return fn(*args, **kwargs)
    except BaseException as error:
        if _portable(error):
            raise
        instead = MemoryError() if isinstance(error, MemoryError) else TaskFailed(message_of(error))
    raise instead  # outside of the handler, so that the error is not its context


def _portable(error: BaseException) -> bool:
    """Check whether an error is of a known type and holds nothing but plain values."""
    kind = type(error)
    known = getattr(builtins, kind.__name__, None) is kind or kind.__module__.startswith("slicebench.")
    plain = all(isinstance(value, str | bytes | int | float | None) for value in error.args)
    return known and plain and isinstance(error, Exception) and not vars(error)


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
