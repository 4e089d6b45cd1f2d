"""What a run would do, and how far one is."""

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
    from collections.abc import Callable, Sequence
    from typing import Self

    from slicebench.runs.runner import Progress


MOST_REASONS = 10
"""Reasons to run a cell that a summary lists."""


@dataclass(frozen=True)
class PlanLine:
    """A cell or arm of a plan: whether it would run, and why."""

    action: str
    problem: str
    method: str
    text: str
    """All there is to say of it, for a line of its own."""
    why: str = ""


def print_plan(lines: Sequence[PlanLine], *, verbose: bool = False, console: Console | None = None) -> None:
    """Print how much of each problem and method would run, and why; or a line per cell."""
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
    """Print a row per problem or method: how many of its cells would run, and how many are done."""
    counts = Counter((name, line.action) for name, line in zip(names, lines, strict=True))
    distinct = list(dict.fromkeys(names))
    actions = [Column(action, [f"{counts[name, action]:,}" for name in distinct]) for action in ("run", "done")]
    print_split(console, "", [Column(what, [Text(name) for name in distinct], "left")], actions)


class ProgressReport:
    """Progress on stderr: a bar on a terminal, one plain line per cell when piped. A context manager and a callback.

    What is left is estimated from all that has been done so far, builds and trainings included, so it is "about".
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
            TextColumn("{task.description}", markup=False, table_column=whole(ratio=1, overflow="ellipsis")),
        )
        self._bar = Bar(*columns, console=self._console, transient=True, expand=True)
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
        """Show that `done` of `total` are done, and `what` was or is next."""
        left = self._show(done, total, what)
        if not self.terminal:
            self._console.print(Text(f"[{done}/{total}{left}] {what}"), soft_wrap=True)

    def _show(self, done: int, total: int, what: str) -> str:
        """Move the bar; the estimate of what is left, as it stands in a line, or nothing while there is too little to go by."""
        if self._total and (total != self._total or done < self._done):  # other work: its pace is its own
            self._start = self._clock()
        self._done, self._total = done, total
        spent = self._clock() - self._start
        enough = spent > _SOON_S and min(_FEW, total / _FEW) <= done < total and done > 0
        left = f"about {_duration(spent / done * (total - done))} left" if enough else ""
        self._bar.update(self._task, total=total, completed=done, description=what, left=left)
        return f", {left}" if left else ""


_WIDE = 100
"""Columns of a terminal from which the bar is long; below, the counter and what is left need the room."""

_SOON_S = 3.0
"""Seconds before an estimate means anything."""

_FEW = 10
"""An estimate goes by a tenth of the work, or by so many: the first cells wait for their problem and say little."""


def _named(running: Sequence[str]) -> str:
    """What runs now, in a line's width.

    >>> _named(["building a s0", "a s1 m", "b s0 m"])
    'building a s0; a s1 m; …'
    """
    return "; ".join([*running[:2], *(["…"] if len(running) > 2 else [])])


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever is short.

    >>> _duration(8.2), _duration(95), _duration(5000)
    ('8 s', '2 min', '1.4 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
