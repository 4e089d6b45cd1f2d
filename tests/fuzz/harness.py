"""What every fuzzed input goes through: a box on the disk, a guard over files, processes, memory and time, and a count.

An entry is a public function (or a reader of a format) with a strategy of inputs. Each input has to end in a result or in one of
our typed errors. Anything else is a `Bug`: another exception, more memory or time than it may take, a file written outside the
folders that it was given, a process, a connection, or code taken from data.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from slicebench.errors import SlicebenchError
from slicebench.runs.workers import call_with_memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

SECONDS = 20.0
"""Longest time for an input; the machine may be busy with something else."""
MEMORY_GB = 1.0
"""What an input may make us ask for beyond what is held before."""


class Bug(AssertionError):
    """An input that gave neither a result nor a typed error."""


class Hang(BaseException):
    """An input that took too long; no `except Exception` may swallow it."""


@dataclass(frozen=True)
class Entry:
    """A public entry: `inputs` gives values, `call(value, folder)` tries one, with `folder` empty and the only one to write to.

    `share` is how many of a campaign's inputs it gets, 1 being the usual number. `prepare` runs before the first input and
    outside the guard: what a library does when it is imported is no matter of ours.
    """

    name: str
    inputs: SearchStrategy[Any]
    call: Callable[[Any, Path], object]
    share: float = 1.0
    prepare: Callable[[], object] = lambda: None


@dataclass
class Count:
    """Inputs of an entry, and how they ended: "result", or the name of a typed error."""

    outcomes: Counter[str] = field(default_factory=Counter)
    bugs: dict[str, str] = field(default_factory=dict)
    slowest_s: float = 0.0

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return sum(self.outcomes.values()) + len(self.bugs)


class Box:
    """A folder with everything that product code may write to by right: `named`, the cache, and the system's temporary folder.

    Beside them lie a home and a working directory, in which nothing may change.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.named, self.cache, self.temporary = root / "named", root / "cache", root / "tmp"
        self.forbidden = [root / "home", root / "cwd"]
        for folder in (self.named, self.cache, self.temporary, *self.forbidden):
            folder.mkdir(parents=True)
        (root / "cwd" / "stay.txt").write_text("here")
        self.allowed = tuple(str(p.resolve()) + os.sep for p in (self.named, self.cache, self.temporary))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in the box: home, cache, temporary and working directory."""
        import tempfile

        wanted = {
            "HOME": str(self.root / "home"),
            "SLICEBENCH_CACHE": str(self.cache),
            "TMPDIR": str(self.temporary),
            "SLICEBENCH_DATA": str(self.root / "home"),
        }
        before, here, kept = {name: os.environ.get(name) for name in wanted}, Path.cwd(), tempfile.tempdir
        os.environ.update(wanted)
        tempfile.tempdir = str(self.temporary)
        os.chdir(self.root / "cwd")
        try:
            yield
        finally:
            os.chdir(here)
            tempfile.tempdir = kept
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    def empty(self) -> None:
        """Take away what an input left in the named and the temporary folder."""
        for folder in (self.named, self.temporary):
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def outside(self) -> tuple[str, ...]:
        """All that lies where nothing may change, also right beside the folders of the box."""
        beside = [p.name for p in self.root.iterdir()]
        return tuple(sorted([*beside, *(str(p) for folder in self.forbidden for p in folder.rglob("*"))]))


WRITES = {"os.mkdir": 0, "os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.symlink": 1, "os.link": 1, "os.truncate": 0}
"""Audit events that change the file system, with the position of the path."""
NEVER = ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
"""Audit events that no data may cause."""


CLEAR = f"/proc/{os.getpid()}/clear_refs"
"""What `slicebench.evaluation.cost` writes to, so that the kernel counts a cell's peak of memory anew."""


def _whole_path(event: str, arguments: tuple[Any, ...]) -> object:
    """Path of an event, which may be relative to an open folder, as in `shutil.rmtree`."""
    path = arguments[WRITES[event]]
    number = arguments[-1] if event in ("os.mkdir", "os.remove", "os.rmdir") else -1
    return path if number < 0 else Path(f"/proc/self/fd/{number}").resolve() / os.fsdecode(path)


class _Watch:
    """An audit hook, which Python cannot take away again: it looks only while it is armed."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None
        self.seen: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event in NEVER:
            self.seen.append(f"{event} {arguments[:2]!r}"[:200])
        elif event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._check(event, arguments[0])
        elif event in WRITES:
            self._check(event, _whole_path(event, arguments))

    def _check(self, event: str, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike) or self.allowed is None:
            return
        name, allowed = os.path.realpath(os.fsdecode(path)), self.allowed
        if name not in (os.devnull, CLEAR) and not (name + os.sep).startswith(allowed):
            self.seen.append(f"{event} {name}"[:200])


_watch: _Watch | None = None


@contextmanager
def _guarded(box: Box) -> Iterator[list[str]]:
    """Watch files, processes and connections, and end what takes too long."""
    global _watch
    _watch = _watch or _Watch()
    _watch.seen = []

    def too_long(*_: object) -> None:
        raise Hang(f"longer than {SECONDS:g} s")

    previous = signal.signal(signal.SIGALRM, too_long)
    faulthandler.dump_traceback_later(6 * SECONDS, exit=True)  # for a hang inside C, which no signal handler ends
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    _watch.allowed = box.allowed
    try:
        yield _watch.seen
    finally:
        _watch.allowed = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, previous)


def attempt(entry: Entry, value: object, box: Box) -> str:
    """Outcome of one input: "result" or the name of a typed error; `Bug` for anything else."""
    before = box.outside()
    with _guarded(box) as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call_with_memory_limit(MEMORY_GB, entry.call, value, box.named)
            outcome = "result"
        except SlicebenchError as error:
            outcome = type(error).__name__
            if not str(error).strip():
                raise Bug(f"{outcome} without a message, {_place(error)}") from error
        except Hang as error:
            raise Bug(f"hang: {error}, {_place(error)}") from error
        except Exception as error:
            raise Bug(f"{type(error).__name__}: {str(error)[:300]}, {_place(error)}") from error
    if seen:
        raise Bug(f"forbidden: {seen[0]}")
    if box.outside() != before:
        raise Bug(f"files outside: {sorted(set(box.outside()) ^ set(before))[:3]}")
    return outcome


def _place(error: BaseException) -> str:
    """Where an error came from: the last line of ours, and the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if any(part.startswith("slicebench") for part in Path(f.filename).parts)]
    last = (ours or frames)[-1]
    return f"in {Path(last.filename).name}:{last.lineno} {last.name}, from {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def run(entry: Entry, n: int, box: Box, *, number: int = 0, collect: bool = False, until: float | None = None) -> Count:
    """Try about `n` inputs of `entry`, those of the seed `number`.

    `collect` keeps bugs instead of raising and shrinking the first.

    `until` is a moment of `time.monotonic` from which on no more are tried.
    """
    count = Count()
    entry.prepare()

    @seed(number)
    @settings(
        max_examples=n,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet if collect else Verbosity.normal,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if collect else [Phase.generate, Phase.shrink],
    )
    @given(entry.inputs)
    def trial(value: object) -> None:
        if until is not None and time.monotonic() > until:
            return
        start = time.perf_counter()
        try:
            count.outcomes[attempt(entry, value, box)] += 1
        except Bug as bug:
            count.bugs.setdefault(str(bug)[:400], repr(value)[:1500])
            if not collect:
                raise
        finally:
            count.slowest_s = max(count.slowest_s, time.perf_counter() - start)
            box.empty()

    trial()
    return count
