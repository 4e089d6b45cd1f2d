"""The plan of a run, and its progress."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column as TableColumn
from rich.text import Text

from slicebench.cli.console.numbers import results_console
from slicebench.cli.console.split import Column, print_split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from rich.console import RenderableType

    from slicebench.runs.runner import Progress


MOST_REASONS = 10
"""Number of reasons to run a cell that a summary lists."""


@dataclass(frozen=True)
class PlanLine:
    """A cell or arm of a plan: its action, "run" or "done", and why."""

    action: str
    problem: str
    method: str
    text: str
    """Full description, for a line of its own."""
    why: str = ""


def print_plan(lines: Sequence[PlanLine], *, verbose: bool = False, console: Console | None = None) -> None:
    """Print how much of each problem and method would run, and why; or one line per cell."""
    console = console or results_console()
    if verbose:
        for line in lines:
            console.print(Text(f"{line.action:<5}{line.text}" + (f": {line.why}" if line.why else "")), soft_wrap=True)
    else:
        for what, names in (("problem", [line.problem for line in lines]), ("method", [line.method for line in lines])):
            _print_counts(what, names, lines, console)
        reasons = Counter(line.why for line in lines if line.action == "run" and line.why).most_common()
        for why, count in reasons[:MOST_REASONS]:
            console.print(Text(f"{count:,} to run: {why}"))
        if len(reasons) > MOST_REASONS:
            console.print(Text(f"and {len(reasons) - MOST_REASONS} more reasons: see --verbose"))
    running = sum(line.action == "run" for line in lines)
    console.print(Text(f"{running} to run, {len(lines) - running} done"))


def _print_counts(what: str, names: Sequence[str], lines: Sequence[PlanLine], console: Console) -> None:
    """Print a row per problem or method, with its counts of cells to run and cells done."""
    counts = Counter((name, line.action) for name, line in zip(names, lines, strict=True))
    distinct = list(dict.fromkeys(names))
    actions = [Column(action, [f"{counts[name, action]:,}" for name in distinct]) for action in ("run", "done")]
    print_split(console, "", [Column(what, [Text(name) for name in distinct], "left")], actions)


class _BarAndTasks(Bar):
    """A bar in one line, and what runs in lines below it, which no terminal is too narrow for."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar, then what runs, wrapped between words."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text(task.description, no_wrap=False, overflow="fold")


class ProgressReport:
    """Progress on stderr: a bar on a terminal, one plain line per cell when piped.

    Use it as a context manager and as a callback. The time left is estimated from all work done so
    far, builds and trainings included.
    """

    def __init__(self, *, terminal: bool | None = None, clock: Callable[[], float] = perf_counter) -> None:
        self.terminal = sys.stderr.isatty() if terminal is None else terminal
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        whole = partial(TableColumn, no_wrap=True)
        columns = (
            MofNCompleteColumn(table_column=whole()),
            BarColumn(bar_width=30 if self._console.width >= _WIDE else 10, table_column=whole()),
            TimeElapsedColumn(table_column=whole()),
            TextColumn("{task.fields[left]}", markup=False, table_column=whole()),
        )
        self._bar = _BarAndTasks(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("starting", total=None, left="")
        self._clock, self._start = clock, clock()
        self._done, self._total = 0, 0

    def __enter__(self) -> Self:
        if self.terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show one event of a run."""
        what = _named(progress.running) or f"building {progress.problem}"
        left = self._show(progress.done, progress.total, what)
        record = progress.record
        if progress.cell is None or record is None:
            return
        if not self.terminal or record.status == "failed":
            namf = record.metrics.get("namf")
            said = record.reason or ("" if namf is None else f"nAMF {namf:.3f}")
            line = f"[{progress.done}/{progress.total}{left}] {progress.cell}: {record.status}" + (
                f" {said}" if said else ""
            )
            self._console.print(Text(line), soft_wrap=True)

    def count(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` tasks are done; `what` is the last or the next one."""
        left = self._show(done, total, what)
        if not self.terminal:
            self._console.print(Text(f"[{done}/{total}{left}] {what}"), soft_wrap=True)

    def _show(self, done: int, total: int, what: str) -> str:
        """Move the bar, and return the estimated time left for a line; "" if it is too early for one."""
        if self._total and (total != self._total or done < self._done):  # another phase, with a pace of its own
            self._start = self._clock()
        self._done, self._total = done, total
        spent = self._clock() - self._start
        enough = spent > _SOON_S and min(_FEW, total / _FEW) <= done < total and done > 0
        left = f"about {_duration(spent / done * (total - done))} left" if enough else ""
        self._bar.update(self._task, total=total, completed=done, description=what, left=left)
        return f", {left}" if left else ""


_WIDE = 70
"""Width of a terminal from which the bar is long."""

_SOON_S = 3.0
"""Seconds before the first estimate."""

_FEW = 10
"""An estimate needs a tenth of the work, or this many tasks: the first cells wait for their problem."""


def _named(running: Sequence[str]) -> str:
    """Return the first two of the tasks that run, and the number of the others.

    >>> _named(["building a s0", "a s1 m", "b s0 m"])
    'building a s0; a s1 m; and 1 more'
    """
    return "; ".join([*running[:2], *([f"and {len(running) - 2} more"] if len(running) > 2 else [])])


def _duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours, whichever is short.

    >>> _duration(8.2), _duration(95), _duration(5000)
    ('8 s', '2 min', '1.4 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
