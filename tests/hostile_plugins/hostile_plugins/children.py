"""Processes that stay behind when the cell has ended."""

from __future__ import annotations

import os
import signal
import time

from hostile_plugins.base import Meek, playground, sleeper

DEAF = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; time.sleep(90)"


def _forked(body) -> int:
    """Run `body` in a child that has this process's files and memory, and nothing after it."""
    pid = os.fork()
    if pid == 0:
        try:
            body()
        finally:
            os._exit(0)
    return pid


def _sleep():
    time.sleep(90)


class LeavesAChild(Meek):
    def attack(self, data):
        sleeper()


class LeavesAFork(Meek):
    """Its child keeps every open file, so that a reader waits for the end of the pipe."""

    def attack(self, data):
        _forked(_sleep)


class LeavesASession(Meek):
    def attack(self, data):
        sleeper(start_new_session=True)


class LeavesADaemon(Meek):
    """Forks twice with a session between, and ignores the signals that ask it to end."""

    def attack(self, data):
        def first():
            os.setsid()
            _forked(lambda: sleeper(DEAF).wait())

        os.waitpid(_forked(first), 0)


class LeavesADeafFork(Meek):
    def attack(self, data):
        def deaf():
            os.setsid()
            for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(one, signal.SIG_IGN)
            _sleep()

        _forked(deaf)


class LeavesAStoppedChild(Meek):
    def attack(self, data):
        os.kill(sleeper().pid, signal.SIGSTOP)


class ForksMany(Meek):
    def attack(self, data):
        for _ in range(50):
            _forked(_sleep)


class ForksAndDies(Meek):
    def attack(self, data):
        sleeper(start_new_session=True)
        os._exit(0)


class ForksWhileItIsKilled(Meek):
    """Each child starts the next one and ends, so that whoever kills them one by one is late; ends after 20 s."""

    def attack(self, data):
        end = time.monotonic() + 20

        def chain():
            os.setsid()
            while time.monotonic() < end:
                time.sleep(0.01)
                if os.fork() > 0:
                    os._exit(0)

        _forked(chain)


class MultiprocessingChild(Meek):
    def attack(self, data):
        import multiprocessing

        multiprocessing.get_context("fork").Process(target=_sleep).start()


class ReturnsTwice(Meek):
    """Its fork goes on as if it were the method: two processes give a result."""

    def attack(self, data):
        playground()
        os.fork()
