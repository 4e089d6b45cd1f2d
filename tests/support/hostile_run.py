"""An environment with the hostile plugins installed, and runs in it."""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
import threading
import time
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from hatchling.builders.wheel import WheelBuilder

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROJECT = ROOT / "tests" / "hostile_plugins"
GRACE_S = 3.0
"""Seconds that processes have to end after the run."""


@dataclass(frozen=True)
class Ended:
    """What a command came to; `left` are the command lines of processes that outlived it."""

    code: int
    out: str
    err: str
    left: tuple[str, ...]


class Playground:
    """A folder with an environment, a cache, a home and a working folder; the plugins may harm nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        for name in ("cache", "home", "work", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "home" / ".profile").write_text("mine")
        self.packages = _environment(folder)

    def slicebench(self, *arguments: str, seconds: float = 240) -> Ended:
        """Run the command in a session of its own; whatever is left of it is killed at the end."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLICEBENCH", "PYTHON", "XDG", "COLUMNS"))}
        named = {"SLICEBENCH_CACHE": "cache", "HOME": "home", "TMPDIR": "tmp"}
        places = {key: str(self.folder / name) for key, name in named.items()}
        process = subprocess.Popen(
            [str(self.folder / "venv" / "bin" / "python"), "-m", "slicebench", *arguments],
            cwd=self.work,
            env=kept | places | {"HOSTILE_MARK": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # no files, which would be locked away from the methods
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        out, err = _Reader(process.stdout), _Reader(process.stderr)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
            process.kill()
            process.wait()
        left = self._left()
        return Ended(code, out.text(), err.text(), left)

    def _left(self) -> tuple[str, ...]:
        """Return the processes of the run that are still there after a moment, and kill them."""
        end = time.monotonic() + GRACE_S
        while (found := self._processes()) and time.monotonic() < end:
            time.sleep(0.1)
        lines = tuple(sorted(_described(one) for one in found))
        for _ in range(20):  # one that forks again and again is gone only if it is caught between two forks
            for one in found:
                _kill(one)
            found = self._processes()
        return lines

    def _processes(self) -> list[psutil.Process]:
        return [p for p in psutil.process_iter() if p.pid != os.getpid() and self._is_of_the_run(p)]

    def _is_of_the_run(self, process: psutil.Process) -> bool:
        mark = str(self.folder)
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get("HOSTILE_MARK") == mark or mark in process.cmdline()
        except psutil.Error:
            return False

    def record_of(self, run: str, method: str) -> list[dict[str, Any]]:
        """Return the records of a method in a run folder, by seed."""
        files = sorted((self.work / run / "records").glob(f"*/{method}-*.json"))
        return [json.loads(file.read_text()) for file in files]

    def untouched(self) -> dict[str, bytes]:
        """Return the content of every file that no method may change, by its path.

        The plugins of a distribution have a cache of their own.
        """
        roots = [self.folder / "cache", self.folder / "home", self.work, self.packages / "hostile_plugins"]
        own = self.folder / "cache" / "methods" / "hostile-plugins"
        files = [p for root in roots for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc"]
        files = [p for p in files if not p.is_relative_to(own)]
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in files}


def _environment(folder: Path) -> Path:
    """Create an environment that shares the packages of this one, and install the plugins; return its packages.

    A cheat brings the code of a generator with it, since the packages of datasets are out of its reach.
    """
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    packages = next((folder / "venv" / "lib").glob("python*")) / "site-packages"
    shared = [p for p in (*site.getsitepackages(), *sys.path) if p.endswith("-packages")]
    lines = [f"import site; site.addsitedir({p!r})" for p in dict.fromkeys(shared)]
    (packages / "shared.pth").write_text("\n".join(lines) + "\n")
    wheel = next(WheelBuilder(str(PROJECT)).build(directory=str(folder / "wheel"), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    installed = packages / "hostile_plugins"
    (installed / "playground.txt").write_text(str(folder))
    for name, kept in {"_gaussian_plants": "generator", "_splits": "splits"}.items():
        code = (ROOT / "datasets" / "slicebench_datasets" / f"{name}.py").read_text()
        (installed / f"{kept}.py").write_text(code.replace("slicebench_datasets._splits", "hostile_plugins.splits"))
    return packages


class _Reader:
    """Reads a pipe while others write to it; a process that outlives its run may hold it open."""

    def __init__(self, pipe: Any) -> None:
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: Any) -> None:
        while part := pipe.read1(65536):
            self._parts.append(part)

    def text(self) -> str:
        self._thread.join(GRACE_S)
        return b"".join(self._parts).decode("utf-8", "surrogateescape")


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {process.status()} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return str(process.pid)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return


def registered() -> dict[str, str]:
    """Return the names of the hostile methods, each with its class."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    found: dict[str, str] = project["entry-points"]["slicebench.methods"]
    return found


def module_of(methods: dict[str, str], *modules: str) -> list[str]:
    """Return the names of the methods in some modules of the package."""
    wanted = {f"hostile_plugins.{module}" for module in modules}
    return [name for name, value in methods.items() if value.partition(":")[0] in wanted]


def suite_text(name: str, methods: Sequence[str]) -> str:
    """Return a suite of one public problem at one seed."""
    return (
        f'name = "{name}"\nseeds = [0]\nmethods = {json.dumps(list(methods))}\n'
        '[[problems]]\nname = "gaussian-linear"\ndataset = "gaussian"\n'
        'params = { plant = "linear", minority = 0.2, signal = 2.0, attenuation = 0.15 }\n'
    )
