"""Attacks that end the process, or do not let it end."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
from pathlib import Path

from hostile_plugins.base import Meek, exit_at_once, marked, playground, sign
from hostile_plugins.construction import HUGE, NASTY


class LeavesWith0(Meek):
    def attack(self, data):
        exit_at_once(0)


class LeavesWith3(Meek):
    def attack(self, data):
        exit_at_once(3)


class LeavesFromC(Meek):
    def attack(self, data):
        ctypes.CDLL(None)._exit(0)


class SegmentationFault(Meek):
    def attack(self, data):
        ctypes.string_at(0)


class Aborts(Meek):
    def attack(self, data):
        os.abort()


class KillsItself(Meek):
    def attack(self, data):
        os.kill(os.getpid(), signal.SIGKILL)


class StopsItself(Meek):
    def attack(self, data):
        os.kill(os.getpid(), signal.SIGSTOP)


class KillsItsParent(Meek):
    def attack(self, data):
        if os.getppid() > 1:
            os.kill(os.getppid(), signal.SIGKILL)


class KillsItsGrandparent(Meek):
    """Kills the process above its parent, if it can tell that this is the run's own."""

    def attack(self, data):
        above = int(Path(f"/proc/{os.getppid()}/stat").read_bytes().rpartition(b")")[2].split()[1])
        if above > 1 and marked(above):
            os.kill(above, signal.SIGKILL)


class StopsItsParent(Meek):
    def attack(self, data):
        if os.getppid() > 1:
            os.kill(os.getppid(), signal.SIGSTOP)


class KillsItsGroup(Meek):
    """The test starts the run in a session of its own, so the group ends there."""

    def attack(self, data):
        playground()
        os.killpg(0, signal.SIGKILL)


class RunsForever(Meek):
    def attack(self, data):
        while True:
            pass


class RunsForeverInC(Meek):
    """No signal handler of Python runs before the loop ends."""

    def attack(self, data):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sum(itertools.repeat(0))


class RunsForeverWhenScoring(Meek):
    def score(self, split):
        while True:
            pass


class CatchesEverything(Meek):
    """Does not let an exception stop it."""

    def attack(self, data):
        while True:
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001 - the attack
                continue


class OverflowsTheStack(Meek):
    def attack(self, data):
        sys.setrecursionlimit(10**9)

        def deeper(n):
            return [deeper(n + 1)]

        deeper(0)


class Recurses(Meek):
    def attack(self, data):
        self.attack(data)


class ExitsPython(Meek):
    def attack(self, data):
        sys.exit("\x1b[31mbye")


class InterruptsItself(Meek):
    def attack(self, data):
        raise KeyboardInterrupt


class RaisesABase(Meek):
    def attack(self, data):
        class Base(BaseException):
            pass

        raise Base("not an Exception")


class GeneratorExits(Meek):
    def attack(self, data):
        raise GeneratorExit


class RaisesWhatCannotBePickled(Meek):
    def attack(self, data):
        class Local(Exception):
            def __init__(self, a, b):
                super().__init__(a)
                self.b = lambda: b

        raise Local("here", "there")


class RaisesWhatCannotBeRead(Meek):
    def attack(self, data):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no text")

            __repr__ = __str__

        raise Mute


class RaisesWhatEndsItsReader(Meek):
    def attack(self, data):
        class Leaves(Exception):
            def __str__(self):  # noqa: PLE0307 - it does not return
                os._exit(0)

        raise Leaves


class Gadget(Exception):
    """Runs code in whoever unpickles it."""

    def __reduce__(self):
        return sign, (playground() / "home" / "gadget-raised",)


class RaisesAGadget(Meek):
    def attack(self, data):
        raise Gadget("unpickle me")


class RaisesAnEngineError(Meek):
    """Poses as an error of the harness, which ends a run."""

    def attack(self, data):
        from slicebench.runs.workers import EngineError

        raise EngineError("the cluster is gone")


class RaisesNastyText(Meek):
    def attack(self, data):
        raise RuntimeError(NASTY * 3)


class RaisesHugeText(Meek):
    def attack(self, data):
        raise RuntimeError("x" * HUGE)


class RaisesManyLines(Meek):
    def attack(self, data):
        raise RuntimeError("line\nfailed: someone else\n" * 1000)


class RaisesAChain(Meek):
    def attack(self, data):
        error = None
        for i in range(3000):
            link = RuntimeError(str(i))
            link.__cause__, error = error, link
        raise error


class ClosesFiles(Meek):
    def attack(self, data):
        os.closerange(0, 256)


class FloodsOutput(Meek):
    def attack(self, data):
        for _ in range(20):
            print("\x1b[31mflood" * 100_000)
            os.write(2, b"\x1b[2Jflood\n" * 100_000)


class WritesIntoPipes(Meek):
    """Puts rubbish into every open file, the way back to the harness among them."""

    def attack(self, data):
        for one in range(3, 256):
            try:
                os.set_blocking(one, False)
                os.write(one, b"\x80\x04cos\nsystem\n" * 50)
            except OSError:
                continue
