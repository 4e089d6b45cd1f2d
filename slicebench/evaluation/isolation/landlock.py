"""Restrict this process to some folders, by Landlock (Linux 5.13 and later).

The kernel's documentation is landlock(7). A restriction holds for the process and for all that it starts, for ever.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH, _NO_NEW_PRIVS = 1, 1, 38
_READ = 0b1101  # execute, read files, list folders
_OF_FILES = 0b1100000000000111  # execute, write, read; truncate and control devices, in later versions
_SINCE = {1: 13, 2: 14, 3: 15, 5: 16}
"""Rights on files that each version knows, as the number of bits."""
_SCOPES = 0b11
"""Since version 6: no signal to a process outside, and no abstract socket of one."""


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 if it has none, or if it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)))


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Let this process read what is in `readable`, read and write what is in `writable`, and nothing else.

    Paths that do not exist are ignored. Files that are already open stay open. Returns whether the kernel agreed;
    if it did not, nothing is restricted.
    """
    known = version()
    if known < 1:
        return False
    everything = (1 << max(bits for since, bits in _SINCE.items() if since <= known)) - 1
    asked = _Ruleset(everything, 0, _SCOPES if known >= 6 else 0)
    rules = _call(_CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(ctypes.sizeof(asked)), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        for paths, rights in ((readable, _READ & everything), (writable, everything)):
            for path in paths:
                _allow(rules, path, rights)
        _libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        return _call(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rights if os.path.isdir(folder) else rights & _OF_FILES  # noqa: PTH112 - of an open file
        about = _Beneath(allowed, folder)
        _call(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), ctypes.byref(about), ctypes.c_uint32(0))
    finally:
        os.close(folder)


def _call(number: int, *arguments: object) -> int:
    done: int = _libc().syscall(ctypes.c_long(number), *arguments)
    return done


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
