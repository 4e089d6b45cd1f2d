"""Tasks of worker processes, and their limits.

A task builds a problem, evaluates a cell, or runs a part of a study.
"""

from __future__ import annotations

import os
from concurrent.futures import wait
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from slicebench.errors import ConfigError, message_of
from slicebench.evaluation.record import ProblemFacts, TestTruth
from slicebench.plugins.allowed import OURS
from slicebench.plugins.registry import METHODS, distribution_of
from slicebench.problems.cache import find_built, frozen_folder
from slicebench.runs.workers import EngineError, LocalExecutor, as_they_end, default_memory_gb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from slicebench.evaluation.cell import CellResult
    from slicebench.evaluation.record import Record
    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.plan import Cell

    Report = Callable[[int, int, str], object]
    """Called with the number of tasks done, their total, and the task done last or the problem being built."""


K = TypeVar("K")
R = TypeVar("R")

DEFAULT_TIMEOUT_S = 1800.0
DEFAULT_WAIT_S = 300.0


@dataclass(frozen=True)
class Limits:
    """Limits of a run: `jobs` worker processes, seconds and GiB for each cell and each build.

    On a Dask cluster `jobs` is ignored, and a run waits for `wait_s` seconds if there are no
    workers.
    """

    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    timeout_s: float = DEFAULT_TIMEOUT_S
    memory_gb: float | None = None
    """By default an even share of 80 % of the free memory or, on a Dask cluster, of each worker's memory."""
    threads: int = 1
    """Threads of each worker; for the same number, results are the same to the bit for every `jobs`."""
    wait_s: float = DEFAULT_WAIT_S

    def __post_init__(self) -> None:
        for name in ("jobs", "timeout_s", "memory_gb", "threads", "wait_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is {value}; expected more than 0")


PRELOAD = (
    "slicebench.evaluation.isolation.crossing",
    "slicebench.evaluation.isolation.landlock",
    "slicebench.evaluation.isolation.permissions",
    "slicebench.evaluation.cell",
    "slicebench.models.training",
    "slicebench.plugins.directions",
    "pandas",
    "psutil",
    "pyarrow.parquet",
    "safetensors.numpy",
    "scipy.stats",
)
"""Modules that every cell needs."""

PRELOAD_FOR_MANY = ("sklearn.cluster", "sklearn.linear_model", "sklearn.mixture", "sklearn.svm")
"""Modules that many methods need; importing them takes a second, which a few cells do not earn back."""

PRELOAD_FOR_TRAINING = (
    "torch",
    "safetensors.torch",
    "slicebench.models.training.fitted",
    "slicebench.models.training.run",
)
"""Modules for training. Forking a process that has torch takes several times as long as one without."""

WITH_TORCH = frozenset({"early_stopping", "error_mlp", "lff"})
"""Slicebench's own methods that import torch."""

MANY = 16
"""Tasks from which on that pays."""


def local_executor(limits: Limits, tasks: int, *, training: bool = True) -> LocalExecutor:
    """Return an executor within `limits`, for as many tasks; `training` says whether any may need torch."""
    jobs = min(limits.jobs, tasks)
    memory_gb = limits.memory_gb or default_memory_gb(jobs)
    preload = PRELOAD
    if tasks >= MANY:
        libraries = (*PRELOAD_FOR_MANY, *(PRELOAD_FOR_TRAINING if training else ()))
        preload = (*PRELOAD, *libraries, *sorted(set(own_methods().values())))
    return LocalExecutor(jobs, limits.timeout_s, memory_gb, limits.threads, preload, kept=(run_cell,))


def own_methods() -> dict[str, str]:
    """Return slicebench's own methods with their modules; those of others must not be imported for all cells."""
    return {entry.name: entry.module for entry in METHODS.entries() if distribution_of(entry) == OURS}


def may_need_torch(cells: Iterable[Cell]) -> bool:
    """Check whether a method of the cells may import torch, or a problem is yet to be built."""
    methods, problems = {cell.method for cell in cells}, {cell.problem.identity: cell.problem for cell in cells}
    without = own_methods().keys() - WITH_TORCH
    return not methods <= without or any(one.unseen or not find_built(frozen_folder(one)) for one in problems.values())


def prepare_problem(problem: PlannedProblem, folder: Path) -> tuple[TestTruth, ProblemFacts]:
    """Build `problem` into `folder` unless it is there; return its test truth and facts."""
    import numpy as np

    from slicebench.problems.cache import build_missing
    from slicebench.problems.frozen import load_header, load_split, load_truth

    build_missing(problem, folder)
    test, truth, header = load_split(folder, "test"), load_truth(folder, "test"), load_header(folder)
    labels = np.zeros(test.n, dtype=np.int64) if test.labels is None else np.asarray(test.labels)
    facts = ProblemFacts(
        modality=header.modality,
        kind=truth.kind,
        how=truth.how,
        groups=truth.group_names,
        class_names=header.class_names,
    )
    return TestTruth(np.asarray(test.ids), labels, truth.minority(test.ids)), facts


def build_absent(
    executor: Executor, problems: Iterable[PlannedProblem], say: Callable[[str], object]
) -> dict[str, str]:
    """Build the `problems` that are missing or damaged in the cache.

    Returns the errors by the identity of the problem.
    """
    wanted = {problem.identity: problem for problem in problems}
    absent = {key: one for key, one in wanted.items() if one.unseen or not find_built(frozen_folder(one))}
    builds = {key: executor.submit(prepare_problem, one, frozen_folder(one)) for key, one in absent.items()}
    broken = {}
    for key, future in builds.items():
        say(f"building {absent[key]}")
        while not wait([future], timeout=0.5).done:  # the timeout lets Ctrl-C through
            pass
        if isinstance(error := future.exception(), EngineError):
            raise error
        if error is not None:
            broken[key] = f"the problem could not be built: {message_of(error)}"
    return broken


def run_missing(
    missing: Sequence[K],
    work: Callable[[K], Callable[[], R]],
    *,
    store: Callable[[K, R], object],
    failed: Callable[[K, str], R],
    problem: Callable[[K], PlannedProblem | None] = lambda _: None,
    limits: Limits,
    on_progress: Report,
) -> None:
    """Run the tasks `missing` in worker processes; store each result at once.

    Ctrl-C raises `KeyboardInterrupt`.

    Parameters
    ----------
    missing : sequence
        Tasks whose results are not stored yet.
    work : callable
        Returns the callable that a worker runs for a task, such as a `functools.partial`; it is
        pickled.
    store : callable
        Called in this process with each task and its result, in the order in which tasks end.
    failed : callable
        Returns, from task and reason, the result of a task whose problem could not be built or
        whose worker failed.
    problem : callable, optional
        Returns the problem that has to be in the cache before the task runs, or None.
    limits : Limits
        Limits of the workers.
    on_progress : callable
        Called when a problem is built and after each result.

    """
    if not missing:
        return
    total, done = len(missing), count(1)

    def end(task: K, result: R) -> None:
        store(task, result)
        on_progress(next(done), total, str(task))

    with local_executor(limits, total) as executor:
        needed = [problem(task) for task in missing]
        absent = [one for one in needed if one is not None]
        broken = build_absent(executor, absent, lambda what: on_progress(0, total, what))
        running: dict[Future[R], K] = {}
        for task, one in zip(missing, needed, strict=True):
            if one is not None and one.identity in broken:
                end(task, failed(task, broken[one.identity]))
            else:
                running[executor.submit(work(task))] = task
        for task, future in as_they_end(running):
            error = future.exception()
            if isinstance(error, EngineError):
                raise error
            end(task, future.result() if error is None else failed(task, message_of(error)))


def run_cell(folder: Path, problem: str, method: str, params: dict[str, Any]) -> CellResult:
    """Evaluate a cell in a worker process; the record has the suite's name for the problem."""
    from dataclasses import replace

    from slicebench.evaluation.cell import evaluate_cell

    result = evaluate_cell(folder, method, params)
    return replace(result, record=result.record.model_copy(update={"problem": problem}))


def failed_record(cell: Cell, reason: str) -> Record:
    """Return the record of a cell whose worker could not return one."""
    from slicebench.evaluation.cell import blank_record

    return blank_record(
        cell.problem, cell.method, cell.method_version, cell.method_params, status="failed", reason=reason
    )
