"""End the processes that a process leaves behind.

This module must not import NumPy: processes import it before their thread count is set.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # prctl(2)


def adopt_orphans() -> None:
    """Make this process the parent of all descendants whose own parent ends (Linux)."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (Linux)."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children() -> list[int]:
    """Return the ids of this process's children: on Linux all, elsewhere none."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def kill(pid: int) -> None:
    """Kill a process, if it still runs."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_orphans(known: set[int]) -> None:
    """Kill every child of this process that is not `known`, with all of its descendants.

    The process must have adopted its orphans: the children of a child that is killed are then found next.
    """
    while orphans := [pid for pid in children() if pid not in known]:
        for pid in orphans:
            kill(pid)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def exit_text(code: int | None) -> str:
    """Describe how a process ended: its exit code, or the signal that killed it."""
    if code is None:
        return "exit code unknown"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
