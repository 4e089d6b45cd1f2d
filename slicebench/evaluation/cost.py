"""Measure the cost of a piece of work: wall time, CPU time and peak resident memory."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Self

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass
class Stopwatch:
    """Context manager; `wall_s` and `cpu_s` (this process, all threads) are set on leaving.

    >>> with Stopwatch() as watch:
    ...     total = sum(range(1000))
    >>> watch.wall_s >= 0
    True
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    _start: tuple[float, float] = field(default=(0.0, 0.0), repr=False)

    def __enter__(self) -> Self:
        self._start = perf_counter(), process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = perf_counter() - self._start[0]
        self.cpu_s = process_time() - self._start[1]


def reset_peak_memory() -> None:
    """Reset the peak of resident memory, if the kernel allows it (Linux)."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return


def hardware() -> str:
    """Return a short description of the machine for records."""
    return f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores"


def peak_memory_mb() -> float:
    """Return the peak resident memory in MB since `reset_peak_memory`.

    On other systems than Linux, it is the peak since the process started.
    """
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    except (OSError, StopIteration):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
