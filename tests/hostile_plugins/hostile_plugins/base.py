"""The method that all attackers are, besides their attack, and the fence around them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores


def playground() -> Path:
    """Return the folder of the test; `RuntimeError` where no test has installed this package."""
    noted = Path(__file__).with_name("playground.txt")
    if not noted.is_file():
        raise RuntimeError("these methods attack whatever runs them; only tests/runs/test_hostile.py may install them")
    return Path(noted.read_text())


def fenced(path: Path) -> Path:
    """Return `path` if it is inside the playground, else raise `RuntimeError`."""
    if not path.resolve().is_relative_to(playground().resolve()):
        raise RuntimeError(f"{path} is outside the playground")
    return path


def sign(path: Path) -> None:
    """Leave a trace in the playground, wherever this process may write."""
    with suppress(OSError):
        fenced(path).parent.mkdir(parents=True, exist_ok=True)
        path.write_text("owned")


def marked(pid: int) -> bool:
    """Check whether a process belongs to the test's run: it may be killed, others never."""
    with suppress(OSError):
        return str(playground()).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    return False


def sleeper(code: str = "import time; time.sleep(90)", **options: object) -> subprocess.Popen[bytes]:
    """Start a process that sleeps; its command line names the playground, so that the test finds it."""
    return subprocess.Popen([sys.executable, "-c", code, str(playground())], **options)


class Meek(SliceMethod):
    """Ranks by the losses, as an honest method may."""

    requires = frozenset()

    def fit(self, data):
        playground()
        self.attack(data)
        return self

    def attack(self, data):
        """Do nothing."""

    def score(self, split):
        return SliceScores(hardness=np.array(split.losses, dtype=np.float64))


def guessed(split) -> SliceScores:
    """Return scores of a cheat that has found nothing: noise that differs from split to split."""
    seed = int.from_bytes(str(split.ids[0]).encode()[-8:], "little")
    return SliceScores(hardness=np.random.default_rng(seed).normal(size=split.n))


def exit_at_once(code: int) -> None:
    os._exit(code)
