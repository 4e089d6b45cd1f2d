"""Reaching into other processes, and looking for the truth in this one: each says in its notes what it could read."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import socket
import sys
from pathlib import Path

import numpy as np

from hostile_plugins.base import Meek, guessed
from slicebench.plugins.method import SliceScores


def truth_scores(ids_of, groups_of, split) -> SliceScores | None:
    """Return perfect scores if the truth (ids, groups) knows every example of `split`."""
    known = {}
    for ids, groups in zip(ids_of, groups_of, strict=True):
        known |= dict(zip(np.asarray(ids).tolist(), np.asarray(groups).reshape(len(ids), -1).any(axis=1), strict=True))
    if not set(split.ids.tolist()) <= set(known):
        return None
    return SliceScores(hardness=np.array([float(known[i]) for i in split.ids.tolist()]))


def parts_of_memory(pid: int | str, most: int = 100_000_000):
    """Yield the writable memory of a process, part by part; nothing of one that may not be read."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
        with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
            for low, high in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps, re.MULTILINE):
                try:
                    memory.seek(int(low, 16))
                    yield memory.read(min(int(high, 16) - int(low, 16), most))
                except (OSError, ValueError, OverflowError):
                    continue
    except OSError:
        return


class ReadsItsMaps(Meek):
    def attack(self, data):
        Path("/proc/self/maps").read_text()
        sum(len(part) for part in parts_of_memory("self", 1_000_000))


class ReadsItsParentsEnvironment(Meek):
    found_ = ""

    def attack(self, data):
        try:
            names = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
        except OSError:
            return
        self.found_ = f"read {len(names)} variables"

    def notes(self):
        return (self.found_,) if self.found_ else ()


class TracesItsParent(Meek):
    """PTRACE_ATTACH stops a process until its tracer lets it go."""

    found_ = ""

    def attack(self, data):
        if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0:
            self.found_ = "attached"

    def notes(self):
        return (self.found_,) if self.found_ else ()


class TakesItsParentsFiles(Meek):
    def attack(self, data):
        for one in range(64):
            try:
                with Path(f"/proc/{os.getppid()}/fd/{one}").open("ab", 0) as file:
                    os.set_blocking(file.fileno(), False)
                    file.write(b"\x1b[31mrubbish\n" * 10)
            except (OSError, ValueError):
                continue


class TalksToSockets(Meek):
    """Speaks on every socket that it was given, and on those of the system that it can name."""

    def attack(self, data):
        for one in range(3, 256):
            try:
                with socket.socket(fileno=os.dup(one)) as speaker:
                    speaker.setblocking(False)
                    speaker.send(b"rubbish")
            except OSError:
                continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()


class SearchesObjects(Meek):
    """Looks at every object of the process for the planted truth."""

    def score(self, split):
        for one in gc.get_objects():
            if type(one).__name__ == "PlantedTruth":
                found = truth_scores(one.ids.values(), one.groups.values(), split)
                if found is not None:
                    return found
            if type(one).__name__ == "TestTruth":
                found = truth_scores([one.ids], [one.minority], split)
                if found is not None:
                    return found
        return guessed(split)


class SearchesFrames(Meek):
    """Looks at the variables of whoever called it."""

    def score(self, split):
        frame = sys._getframe()
        while frame is not None:
            for value in list(frame.f_locals.values()):
                ids, groups = getattr(value, "ids", None), getattr(value, "groups", None)
                if isinstance(ids, dict) and isinstance(groups, dict):
                    found = truth_scores(ids.values(), groups.values(), split)
                    if found is not None:
                        return found
            frame = frame.f_back
        return guessed(split)


class WrapsTheLoader(Meek):
    """Has `load_truth` tell it what the harness reads after the method has scored."""

    def score(self, split):
        from slicebench.evaluation import cell
        from slicebench.problems import frozen

        scores = guessed(split)
        read = frozen.load_truth

        def load_truth(folder, *splits):
            truth = read(folder, *splits)
            object.__setattr__(scores, "hardness", truth.minority(split.ids).astype(float))
            return truth

        frozen.load_truth = cell.load_truth = load_truth
        return scores
