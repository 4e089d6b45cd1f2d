"""Run a suite: build missing problems, evaluate missing cells, store each record at once."""

from __future__ import annotations

import gc
import logging
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from slicebench.errors import message_of
from slicebench.problems.cache import frozen_folder
from slicebench.problems.shelf import Shelf, shelved
from slicebench.runs.plan import shelved_cells
from slicebench.runs.store import Entry, RunStore, entry_of
from slicebench.runs.tasks import Limits, failed_record, local_executor, may_need_torch, prepare_problem, run_cell
from slicebench.runs.workers import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from slicebench.evaluation.cell import CellResult
    from slicebench.evaluation.record import ProblemFacts, Record, TestTruth
    from slicebench.files.locations import Location
    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.plan import Cell
    from slicebench.runs.suite import Suite
    from slicebench.runs.workers import Engine


T = TypeVar("T")

_LOG = logging.getLogger("slicebench")

_AHEAD = 4
"""Cells queued in the engine per running cell, so that workers do not wait for this process."""


@dataclass(frozen=True)
class PlannedCell:
    """A line of the plan: a cell, its entry in the store, whether it will run, and why."""

    cell: Cell
    entry: Entry
    action: Literal["run", "done"]
    why: str
    record: Record | None


@dataclass(frozen=True)
class Progress:
    """Argument of a progress callback.

    A cell has ended if `record` is set; otherwise the build of a problem starts. `running` names
    the oldest tasks that have not ended, as many as run at a time.
    """

    done: int
    total: int
    problem: PlannedProblem
    cell: Cell | None = None
    record: Record | None = None
    running: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """Records of the requested cells, in plan order, and the course of the run.

    `computed` counts the cells that this run computed, `missing` those without a record;
    `interrupted` is True if Ctrl-C ended the run.
    """

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
    """Compare `cells` with the contents of the run folder.

    Failed and skipped cells run again; skipped ones cost almost nothing.

    Raises
    ------
    StorageError
        for a record that cannot be read; with `force` the record is replaced instead.

    """
    with _no_garbage():
        entries = [(cell, entry_of(cell)) for cell in cells]
        kept = {} if force else store.records([entry for _, entry in entries])
        return [_planned(cell, entry, kept.get(entry), force=force) for cell, entry in entries]


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Disable garbage collection, which would scan up to 100,000 records repeatedly without finding cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _planned(cell: Cell, entry: Entry, record: Record | None, *, force: bool) -> PlannedCell:
    if force:
        return PlannedCell(cell, entry, "run", "--force", None)
    if record is None:
        return PlannedCell(cell, entry, "run", "no record yet", None)
    if record.status != "ok":
        return PlannedCell(cell, entry, "run", f"{record.status} last time: {record.reason}", record)
    return PlannedCell(cell, entry, "done", f"recorded {record.date}", record)


def run(
    suite: Suite,
    cells: list[Cell],
    *,
    out: Location,
    limits: Limits | None = None,
    force: bool = False,
    scheduler: str | None = None,
    problems: Location | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RunOutcome:
    """Run the `cells` that have no result yet, and store their records in the folder `out`.

    A cell that raises, hangs, crashes or runs out of memory is recorded as failed and does not
    affect other cells. Ctrl-C ends the workers, and the results so far are returned.

    Cells with a record in `out` are not run again, unless `force`, or if someone deletes the record
    during the run. `scheduler` is the address of a
    Dask scheduler (docs/how-to/many-machines.md); without it, the workers are processes on this machine. Frozen
    problems in the folder `problems` are not built. `on_progress` is called for every build that
    starts and every cell that ends.

    Raises
    ------
    EngineError
        if the cluster cannot be used any more; results are stored, and the next run continues from
        there.

    """
    limits = limits or Limits()
    shelf = Shelf() if problems is None else shelved(problems)
    store = RunStore(out)
    cells = shelved_cells(cells, shelf)
    planned = plan_run(cells, store, force=force)
    _tell_what_changed(planned, store)
    store.open(suite, cells)
    missing = [p for p in planned if p.action == "run"]
    ended: dict[Entry, Record] = {}
    interrupted = False
    if missing:
        try:
            with _engine(limits, scheduler, missing, shelf) as engine:
                _Execution(engine, store, shelf, missing, ended, on_progress).run()
        except KeyboardInterrupt:
            interrupted = True
        store.reopen(suite, cells)
    found = [(p.cell, ended.get(p.entry, p.record)) for p in planned]
    records = [(cell, record) for cell, record in found if record is not None]
    lost = store.lost(entry_of(cell) for cell, _ in records) if missing and not interrupted else []
    if lost:
        _LOG.warning("%s: the files of %s cells were deleted during the run; these cells run again", out, len(lost))
        again = run(
            suite, cells, out=out, limits=limits, scheduler=scheduler, problems=problems, on_progress=on_progress
        )
        return replace(again, computed=len(ended) + again.computed)
    return RunOutcome(store, records, len(ended), len(planned) - len(records), interrupted)


def _tell_what_changed(planned: Sequence[PlannedCell], store: RunStore) -> None:
    """Log each problem whose files are not those of the records in the folder, or cannot be compared with them."""
    of_files = [item for item in planned if item.cell.problem.sources]
    before = {(entry.problem, entry.seed): entry.truth for entry in (store.known() if of_files else ())}
    changed = dict.fromkeys(
        entry.problem
        for entry in (item.entry for item in of_files)
        if before.get((entry.problem, entry.seed), entry.truth) != entry.truth
    )
    kept = dict.fromkeys(p.entry.problem for p in planned if p.cell.problem.unseen and p.action == "done")
    for name in changed:
        _LOG.info("%s: the records in the folder are of other files or parameters; it runs again", name)
    for name in kept:
        _LOG.info("%s: its files are not on this machine; its records are kept, whatever the files hold now", name)


def _engine(limits: Limits, scheduler: str | None, missing: Sequence[PlannedCell], shelf: Mapping[str, Path]) -> Engine:
    if scheduler is None:
        return local_executor(limits, len(missing), training=may_need_torch([item.cell for item in missing]))
    from slicebench.runs.dask_client import DaskExecutor

    return DaskExecutor(
        scheduler,
        [item.cell for item in missing],
        shelf,
        timeout=limits.timeout_s,
        memory_gb=limits.memory_gb,
        threads=limits.threads,
        wait_s=limits.wait_s,
    )


class _Execution:
    """Main loop of one run.

    At most `width` builds run at a time. The cells of a problem are queued as soon as it is built.
    Cells are submitted a few at a time: the time of an engine grows with the number of cells that
    it holds, and a grid may have 100,000.
    """

    def __init__(
        self,
        engine: Engine,
        store: RunStore,
        shelf: Mapping[str, Path],
        missing: list[PlannedCell],
        ended: dict[Entry, Record],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.engine, self.store, self.shelf = engine, store, shelf
        self.ended, self.on_progress, self.total = ended, on_progress, len(missing)
        groups: dict[tuple[str, int], list[PlannedCell]] = {}
        for item in missing:
            groups.setdefault((item.cell.problem.name, item.cell.problem.seed), []).append(item)
        self.waiting = deque(groups.values())
        self.builds: dict[Future[tuple[TestTruth, ProblemFacts]], tuple[list[PlannedCell], Any]] = {}
        self.ready: deque[tuple[PlannedCell, Any]] = deque()
        """Cells whose problem is built, with what `Engine.place` returned for it."""
        self.cells: dict[Future[CellResult], PlannedCell] = {}
        self.arrived: SimpleQueue[Future[Any]] = SimpleQueue()

    def run(self) -> None:
        """Run until every cell has a record.

        On Ctrl-C, store the results that have arrived but are not stored yet.
        """
        try:
            while self._fill():
                for future in self._arrivals():
                    self._collect(future)
        except KeyboardInterrupt:
            for future in [f for f in self.cells if f.done() and not f.cancelled() and f.exception() is None]:
                self._collect(future)
            raise

    def _arrivals(self) -> Iterator[Future[Any]]:
        """Yield the futures that have ended since the last call.

        It waits at most half a second for the first one, since Ctrl-C may not interrupt the wait.
        """
        try:
            yield self.arrived.get(timeout=0.5)
            while True:
                yield self.arrived.get_nowait()
        except Empty:
            return

    def _collect(self, future: Future[Any]) -> None:
        if isinstance(error := future.exception(), EngineError):
            raise error
        if future in self.builds:
            self._built(future, *self.builds.pop(future))
        elif future in self.cells:  # else Ctrl-C came while it was stored
            self._finished(future, self.cells[future])
            del self.cells[future]

    def _fill(self) -> bool:
        """Submit builds and cells to the engine; return whether any are in progress.

        There are at most `width` builds at a time, and a few times as many cells.
        """
        width = self.engine.width
        enough = _AHEAD * width
        while self.waiting and len(self.builds) < width and len(self.ready) + len(self.cells) < enough:
            self._build(self.waiting.popleft())
        while self.ready and len(self.cells) < enough:
            item, place = self.ready.popleft()
            cell = item.cell
            self.cells[self._submit(run_cell, place, cell.problem.name, cell.method, cell.method_params)] = item
        return bool(self.builds or self.cells)

    def _build(self, items: list[PlannedCell]) -> None:
        problem = items[0].cell.problem
        place = self.engine.place(problem, self._folder(problem))
        self.builds[self._submit(prepare_problem, problem, place)] = items, place
        self.on_progress(Progress(len(self.ended), self.total, problem, running=self._running()))

    def _submit(self, fn: Callable[..., T], *args: Any) -> Future[T]:
        future = self.engine.submit(fn, *args)
        future.add_done_callback(self.arrived.put)
        return future

    def _folder(self, problem: PlannedProblem) -> Path:
        """Return the folder where the problem is, or will be built."""
        return self.shelf.get(problem.identity) or frozen_folder(problem)

    def _built(self, future: Future[tuple[TestTruth, ProblemFacts]], items: list[PlannedCell], place: Any) -> None:
        """Queue the cells of a problem, or record the error of its build for all of them."""
        error = future.exception()
        if error is not None:
            why = f"the problem could not be built: {message_of(error)}"
            for item in items:
                self._store(item, failed_record(item.cell, why), None)
            return
        self.store.save_truth(items[0].entry, *future.result())
        self.ready.extend((item, place) for item in items)

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
        """Return the running tasks: builds first, then the cells that were queued first."""
        width = self.engine.width
        builds = (f"building {items[0].cell.problem}" for items, _ in self.builds.values())
        cells = (str(item.cell) for item in self.cells.values() if item is not ended)
        return tuple(islice(chain(builds, cells), width))
