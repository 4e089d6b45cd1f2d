"""Attacks on the state of the process: limits, paths, modules, signals, random numbers, threads."""

from __future__ import annotations

import atexit
import gc
import locale
import os
import random
import resource
import signal
import sys
import threading
import time
import warnings

import numpy as np

from hostile_plugins.base import Meek, playground, sign

HELD = []
"""What the leaks hold."""


def _lower(which, value):
    resource.setrlimit(which, (value, value))


class SetsErrors(Meek):
    def attack(self, data):
        np.seterr(all="raise")
        np.set_printoptions(threshold=0)


class LeavesTheDirectory(Meek):
    def attack(self, data):
        os.chdir("/proc")


class LimitsFiles(Meek):
    def attack(self, data):
        _lower(resource.RLIMIT_NOFILE, 3)


class LimitsMemory(Meek):
    def attack(self, data):
        _lower(resource.RLIMIT_AS, 2**20)


class LimitsTime(Meek):
    def attack(self, data):
        _lower(resource.RLIMIT_CPU, 1)
        while True:
            pass


class LimitsFileSize(Meek):
    def attack(self, data):
        _lower(resource.RLIMIT_FSIZE, 0)


class LimitsProcesses(Meek):
    def attack(self, data):
        _lower(resource.RLIMIT_NPROC, 1)


class ClearsThePath(Meek):
    def attack(self, data):
        sys.path.clear()
        sys.path_importer_cache.clear()


class ClearsModules(Meek):
    def attack(self, data):
        for name in [n for n in sys.modules if not n.startswith(("hostile", "sys", "builtins"))]:
            sys.modules[name] = None


class ChangesTheEnvironment(Meek):
    def attack(self, data):
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "PYTHONPATH", "SLICEBENCH_CACHE", "HOME"), "/dev/null"))


class ChangesTheLocale(Meek):
    def attack(self, data):
        for name in ("de_DE.UTF-8", "tr_TR.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue


class IgnoresSignals(Meek):
    def attack(self, data):
        for one in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(one, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))


class CountsDown(Meek):
    """Sends itself a signal after its cell has ended, if the process still lives."""

    def attack(self, data):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.05)


class LowersRecursion(Meek):
    def attack(self, data):
        sys.setrecursionlimit(60)


class TurnsWarningsIntoErrors(Meek):
    def attack(self, data):
        warnings.simplefilter("error")
        warnings.warn("watch out\x1b[31m", stacklevel=1)


class SeedsRandomNumbers(Meek):
    def attack(self, data):
        np.random.seed(0)  # noqa: NPY002 - the attack
        random.seed(0)
        fixed = np.random.default_rng(0)
        np.random.default_rng = lambda *a: fixed


class ChangesTorch(Meek):
    def attack(self, data):
        import torch

        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(7)
        torch.manual_seed(0)
        torch.use_deterministic_algorithms(True)


class ChangesMultiprocessing(Meek):
    def attack(self, data):
        import multiprocessing

        multiprocessing.set_start_method("spawn", force=True)
        multiprocessing.current_process().authkey = b"mine"


class ActsAtExit(Meek):
    def attack(self, data):
        home = playground() / "home"
        atexit.register(lambda: (sign(home / "at-exit"), print("\x1b[31mgoodbye"), os._exit(5)))


class DisablesCollection(Meek):
    def attack(self, data):
        gc.disable()
        gc.freeze()
        gc.set_threshold(0)


class Interferes(Meek):
    """Runs at every collection and every call that follows."""

    def attack(self, data):
        def interfere(*a):
            raise RuntimeError("interference")

        gc.callbacks.append(interfere)
        threading.settrace(interfere)
        sys.excepthook = sys.unraisablehook = interfere


class Profiles(Meek):
    def attack(self, data):
        sys.setprofile(lambda frame, event, arg: time.sleep(1e-6))


class ChangesPermissions(Meek):
    def attack(self, data):
        os.umask(0o777)


class SlowsDown(Meek):
    def attack(self, data):
        os.nice(19)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


class LeavesThreads(Meek):
    def attack(self, data):
        for _ in range(20):
            threading.Thread(target=time.sleep, args=(90,), daemon=False).start()


class LeavesABusyThread(Meek):
    """Changes what it has returned while others look at it."""

    def score(self, split):
        scores = super().score(split)

        def change():
            while True:
                for values in (scores.hardness, split.losses):
                    values.setflags(write=True)
                    values[:] = np.random.default_rng().normal(size=len(values))

        threading.Thread(target=change, daemon=True).start()
        return scores


class LeaksMemory(Meek):
    def attack(self, data):
        HELD.append(np.ones(20_000_000))


class EatsMemory(Meek):
    def attack(self, data):
        self.held_ = [np.ones(10_000_000) for _ in range(40)]


class LeaksFiles(Meek):
    def attack(self, data):
        try:
            while True:
                HELD.append(os.dup(0))
        except OSError:
            return
