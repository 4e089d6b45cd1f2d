"""Runs a suite: builds the missing problems, evaluates the missing cells, and stores each record the moment it is there."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from slicebench.errors import ConfigError, message_of
from slicebench.executor import LocalExecutor, dask_executor, default_memory_gb
from slicebench.shelf import frozen_folder, shelved
from slicebench.store import Entry, ProblemFacts, RunStore, TestTruth, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor
    from pathlib import Path

    from slicebench.evaluation import CellResult
    from slicebench.record import Record
    from slicebench.suite import Cell, PlannedProblem, Suite

DEFAULT_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Limits:
    """What a run may use: `jobs` worker processes; seconds and GiB for each cell and each build."""

    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    timeout_s: float = DEFAULT_TIMEOUT_S
    memory_gb: float | None = None
    """None: an even share of 80 % of the free memory."""
    threads: int = 1
    """Of each worker; results repeat to the bit for the same number, whatever `jobs` is."""

    def __post_init__(self) -> None:
        for name in ("jobs", "timeout_s", "memory_gb", "threads"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is {value}; expected more than 0")


@dataclass(frozen=True)
class PlannedCell:
    """A line of the plan: a cell, where it is stored, whether it will run, and why."""

    cell: Cell
    entry: Entry
    action: Literal["run", "done"]
    why: str
    record: Record | None


@dataclass(frozen=True)
class Progress:
    """What a progress callback is told: a cell has ended (`record` is set), or a problem is being built.

    `running` names the oldest tasks that have not ended, as many as run at a time.
    """

    done: int
    total: int
    problem: PlannedProblem
    cell: Cell | None = None
    record: Record | None = None
    running: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """Records of the cells asked for, in plan order, how many of them were computed now, and whether Ctrl-C came first."""

    store: RunStore
    records: list[tuple[Cell, Record]]
    computed: int
    missing: int
    interrupted: bool

    @property
    def failed(self) -> list[tuple[Cell, Record]]:
        """Failed cells with their records."""
        return [(cell, record) for cell, record in self.records if record.status == "failed"]


def plan_run(cells: Iterable[Cell], store: RunStore, *, force: bool = False) -> list[PlannedCell]:
    """Compare `cells` with what the run folder holds. Failed cells run again; so do skipped ones, which cost nothing.

    Raises
    ------
    StorageError
        for a record that cannot be read, naming the file; with `force` it is replaced instead.

    """
    return [_planned(cell, store, force=force) for cell in cells]


def _planned(cell: Cell, store: RunStore, *, force: bool) -> PlannedCell:
    entry = entry_of(cell)
    if force:
        return PlannedCell(cell, entry, "run", "--force", None)
    record = store.record(entry)
    if record is None:
        return PlannedCell(cell, entry, "run", "no record yet", None)
    if record.status != "ok":
        return PlannedCell(cell, entry, "run", f"{record.status} last time: {record.reason}", record)
    return PlannedCell(cell, entry, "done", f"recorded {record.date}", record)


def run(
    suite: Suite,
    cells: list[Cell],
    *,
    out: Path,
    limits: Limits | None = None,
    force: bool = False,
    scheduler: str | None = None,
    problems: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RunOutcome:
    """Run what is missing of `cells` (from `slicebench.suite.plan`) into the folder `out`.

    A cell that raises, hangs, crashes or runs out of memory is recorded as failed and stops nothing else. Ctrl-C ends the
    workers and returns what is finished.

    What the run folder `out` holds already is not run again, unless `force`. `scheduler` is the address of a Dask scheduler
    whose workers see the same cache folder; without it, local worker processes keep to `limits`. Frozen problems that stand in
    the folder `problems` are used instead of built. `on_progress` is told of every build that starts and every cell that ends.
    """
    limits = limits or Limits()
    shelf = {} if problems is None else shelved(problems)
    store = RunStore(out)
    planned = plan_run(cells, store, force=force)
    store.open(suite, cells)
    missing = [p for p in planned if p.action == "run"]
    ended: dict[Entry, Record] = {}
    interrupted = False
    if missing:
        try:
            executor, width = _open(limits, scheduler, len(missing))
            with executor:
                _Execution(executor, width, store, shelf, missing, ended, on_progress).run()
        except KeyboardInterrupt:
            interrupted = True
    found = [(p.cell, ended.get(p.entry, p.record)) for p in planned]
    records = [(cell, record) for cell, record in found if record is not None]
    return RunOutcome(store, records, len(ended), len(planned) - len(records), interrupted)


def _open(limits: Limits, scheduler: str | None, tasks: int) -> tuple[Executor, int]:
    """Executor, and how many builds to have under way."""
    if scheduler is not None:
        return dask_executor(scheduler)
    executor = local_executor(limits, tasks)
    return executor, executor.jobs


def local_executor(limits: Limits, tasks: int) -> LocalExecutor:
    """Worker processes within `limits`, no more than there are tasks."""
    jobs = min(limits.jobs, tasks)
    return LocalExecutor(jobs, limits.timeout_s, limits.memory_gb or default_memory_gb(jobs), limits.threads)


class _Execution:
    """The loop of one run: at most `width` builds under way, each problem's cells queued as soon as it is built."""

    def __init__(
        self,
        executor: Executor,
        width: int,
        store: RunStore,
        shelf: Mapping[str, Path],
        missing: list[PlannedCell],
        ended: dict[Entry, Record],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.executor, self.width, self.store, self.shelf = executor, width, store, shelf
        self.ended, self.on_progress, self.total = ended, on_progress, len(missing)
        groups: dict[tuple[str, int], list[PlannedCell]] = {}
        for item in missing:
            groups.setdefault((item.cell.problem.name, item.cell.problem.seed), []).append(item)
        self.waiting = deque(groups.values())
        self.builds: dict[Future[tuple[TestTruth, ProblemFacts]], list[PlannedCell]] = {}
        self.cells: dict[Future[CellResult], PlannedCell] = {}

    def run(self) -> None:
        """Until every cell has a record; on Ctrl-C, keep what has come back and is not yet stored."""
        try:
            while self._fill() or self.cells:
                under_way: list[Future[Any]] = [*self.builds, *self.cells]
                # the timeout lets Ctrl-C through where it does not wake a waiting thread
                done = wait(under_way, timeout=0.5, return_when=FIRST_COMPLETED).done
                self._collect(
                    [future for future in under_way if future in done]
                )  # `done` is a set; keep the plan's order
        except KeyboardInterrupt:
            self._collect(f for f in list(self.cells) if f.done() and f.exception() is None)
            raise

    def _collect(self, done: Iterable[Future[Any]]) -> None:
        for future in done:
            if future in self.builds:
                self._built(future, self.builds.pop(future))
            else:
                item = self.cells[future]
                self._finished(future, item)
                del self.cells[future]

    def _fill(self) -> bool:
        """Start builds up to the width; whether any is under way."""
        while self.waiting and len(self.builds) < self.width:
            items = self.waiting.popleft()
            problem = items[0].cell.problem
            self.builds[self.executor.submit(prepare_problem, problem, self._folder(problem))] = items
            self.on_progress(Progress(len(self.ended), self.total, problem, running=self._running()))
        return bool(self.builds)

    def _folder(self, problem: PlannedProblem) -> Path:
        """Where the problem is, or will be built."""
        return self.shelf.get(problem.identity) or frozen_folder(problem)

    def _built(self, future: Future[tuple[TestTruth, ProblemFacts]], items: list[PlannedCell]) -> None:
        """Queue the cells of a problem, or record the error of its build for all of them."""
        error = future.exception()
        if error is not None:
            for item in items:
                self._store(
                    item, failed_record(item.cell, f"the problem could not be built: {message_of(error)}"), None
                )
            return
        self.store.save_truth(items[0].entry, *future.result())
        for item in items:
            cell = item.cell
            task = self.executor.submit(
                run_cell, self._folder(cell.problem), cell.problem.name, cell.method, cell.method_params
            )
            self.cells[task] = item

    def _finished(self, future: Future[CellResult], item: PlannedCell) -> None:
        error = future.exception()
        if error is not None:
            self._store(item, failed_record(item.cell, message_of(error)), None)
        else:
            result = future.result()
            self._store(item, result.record, result.scores)

    def _store(self, item: PlannedCell, record: Record, scores: Any) -> None:
        self.store.save(item.entry, record, scores)
        self.ended[item.entry] = record
        self.on_progress(
            Progress(len(self.ended), self.total, item.cell.problem, item.cell, record, self._running(item))
        )

    def _running(self, ended: PlannedCell | None = None) -> tuple[str, ...]:
        """What is under way: builds first, then the cells that were queued first."""
        builds = [f"building {items[0].cell.problem}" for items in self.builds.values()]
        cells = [str(item.cell) for item in self.cells.values() if item is not ended]
        return tuple([*builds, *cells][: self.width])


def prepare_problem(problem: PlannedProblem, folder: Path) -> tuple[TestTruth, ProblemFacts]:
    """Build `problem` into `folder` unless it is there; what a worker process does first."""
    import numpy as np

    from slicebench.frozen import load_header, load_split, load_truth
    from slicebench.shelf import build_missing

    build_missing(problem, folder)
    test, truth, header = load_split(folder, "test"), load_truth(folder, "test"), load_header(folder)
    labels = np.zeros(test.n, dtype=np.int64) if test.labels is None else np.asarray(test.labels)
    facts = ProblemFacts(
        modality=header.modality, how=truth.how, groups=truth.group_names, class_names=header.class_names
    )
    return TestTruth(np.asarray(test.ids), labels, truth.minority(test.ids)), facts


def build_absent(
    executor: Executor, problems: Iterable[PlannedProblem], say: Callable[[str], object]
) -> dict[str, str]:
    """Build the `problems` that are not in the cache; what went wrong, by the problem's identity."""
    wanted = {problem.identity: problem for problem in problems}
    absent = {key: problem for key, problem in wanted.items() if not frozen_folder(problem).exists()}
    builds = {key: executor.submit(prepare_problem, one, frozen_folder(one)) for key, one in absent.items()}
    broken = {}
    for key, future in builds.items():
        say(f"building {absent[key]}")
        while not wait([future], timeout=0.5).done:  # the timeout lets Ctrl-C through
            pass
        if (error := future.exception()) is not None:
            broken[key] = f"the problem could not be built: {message_of(error)}"
    return broken


def run_cell(folder: Path, problem: str, method: str, params: dict[str, Any]) -> CellResult:
    """Evaluate a cell in a worker process; the record bears the suite's name for the problem."""
    from dataclasses import replace

    from slicebench.evaluation import evaluate_cell

    result = evaluate_cell(folder, method, params)
    return replace(result, record=result.record.model_copy(update={"problem": problem}))


def failed_record(cell: Cell, reason: str) -> Record:
    """Record of a cell whose worker could not return one."""
    from slicebench.evaluation import blank_record

    return blank_record(
        cell.problem, cell.method, cell.method_version, cell.method_params, status="failed", reason=reason
    )
