"""The process in which a method runs: forked from one that knows no truth, and locked before the method starts."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slicebench import errors
from slicebench.errors import LONGEST_TEXT, SlicebenchError, StorageError, message_of, safe_text
from slicebench.evaluation.isolation import forked
from slicebench.evaluation.isolation.forked import COMPANION, HOLDER, Forked, ServerEnded
from slicebench.evaluation.isolation.processes import exit_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth
    from slicebench.evaluation.attempt import Attempt
    from slicebench.evaluation.isolation.permissions import Permissions
    from slicebench.problems.frozen import Header

LOCKED, OPEN = b"landlock", b"none"
LARGEST_ANSWER = 2**20
"""Bytes of an answer that are read."""

GRACE_S = 1.0
"""Seconds that a companion may take to end by itself once it has closed its connection."""


@dataclass(frozen=True)
class _Task:
    """What a companion is told; its holder has the problem's arrays."""

    method: str
    params: dict[str, Any]
    permissions: Permissions
    scratch: Path
    memory: int | None
    """Bytes that it may use in addition to what it has at the start; None for any number."""


@dataclass(frozen=True)
class _Question:
    """A function that a companion calls for a plugin; its result must be what JSON has."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    permissions: Permissions
    scratch: Path
    memory: int | None


class Companion:
    """A process that waits to run one method, or to answer one question about it.

    Attributes
    ----------
    isolation : "landlock" or "none"
        What keeps the method from the truth; known after `result`.

    """

    def __init__(self, control: socket.socket) -> None:
        self._process = Forked(control, COMPANION)
        self._talk = self._process.talk
        output, self._printed = os.pipe()
        self._output = Connection(output, writable=False)
        self._method, self._told = "", 0
        self._scratch: Path | None = None
        self.isolation: Literal["landlock", "none"] = "none"

    def begin(self, method: str, params: Mapping[str, Any], problem: Path, decoy: PlantedTruth) -> None:
        """Have the companion run the method of a registered name on the problem of its holder, frozen in a folder."""
        from slicebench.evaluation.isolation.decoys import place_decoy

        allowed, scratch = self._prepare(method, params, problem)
        if not allowed.ours:
            place_decoy(decoy, problem, allowed.cache)
        self._tell(_Task(method, dict(params), allowed, scratch, _memory_left()))

    def answer(self, method: str, function: Callable[..., Any], *args: Any) -> Any:
        """Return what `function` returns, called where the code of a plugin may run; at most `LARGEST_ANSWER` of JSON.

        Raises
        ------
        SlicebenchError
            that `function` raises, by type and message.
        ValueError, EOFError
            if the plugin fails in another way.

        """
        allowed, scratch = self._prepare(method, {}, None)
        self._tell(_Question(function, args, allowed, scratch, _memory_left()))
        try:
            self._talk.recv_bytes(len(LOCKED))
            self._pass_on_output()
            said = json.loads(self._talk.recv_bytes(LARGEST_ANSWER))
            error, value = said["error"], said["value"]
        except (OSError, TypeError, KeyError, RecursionError) as problem:
            raise ValueError(f"its answer is longer than {LARGEST_ANSWER:,} bytes, or broken") from problem
        finally:
            self._end(patient=False)
        if error is None:
            return value
        kind = getattr(errors, str(error), None)
        if isinstance(kind, type) and issubclass(kind, SlicebenchError):
            raise kind(safe_text(value))
        raise ValueError(safe_text(value))

    def _prepare(self, method: str, params: Mapping[str, Any], problem: Path | None) -> tuple[Permissions, Path]:
        from slicebench.evaluation.isolation.permissions import permissions

        self._method, self._scratch = method, Path(tempfile.mkdtemp(prefix="slicebench-cell-"))
        return permissions(method, params, problem, self._scratch), self._scratch

    def _tell(self, task: _Task | _Question) -> None:
        """Send a task, and the end of the pipe for what the plugin prints."""
        _hand_over(self._talk, self._printed)
        os.close(self._printed)
        self._talk.send(task)

    def result(self, test: Split, n_classes: int, captions: Captions | None) -> Attempt:
        """Return what the method did, checked; afterwards no process of the companion runs."""
        from slicebench.evaluation.attempt import failed
        from slicebench.evaluation.isolation.crossing import receive

        attempted: Attempt | None = None
        reason = ""
        try:
            self.isolation = "landlock" if self._talk.recv_bytes(len(LOCKED)) == LOCKED else "none"
            self._pass_on_output()
            attempted = receive(self._talk, test, n_classes, captions)
        except SlicebenchError as error:
            reason = f"{type(error).__name__}: {error}"
        except (EOFError, OSError):
            reason = ""
        code = self._end(patient=attempted is None and not reason)
        if attempted is not None:
            return attempted
        return failed(reason or f"the worker process died ({exit_text(code)})")

    def _pass_on_output(self) -> None:
        """Print what the method prints on stderr, made safe, until its results arrive."""
        sources: list[Any] = [self._output, self._talk]
        while self._talk not in wait(sources):
            text = os.read(self._output.fileno(), 65536)
            if not text:
                sources = [self._talk]
            self._print(text.decode("utf-8", "replace"))

    def _print(self, text: str) -> None:
        for line in text.splitlines():
            if self._told < LONGEST_TEXT and line.strip():
                self._told += len(line)
                print(f"{self._method}: {safe_text(line)}", file=sys.stderr, flush=True)  # noqa: T201 - the method's words
                if self._told >= LONGEST_TEXT:
                    print(f"{self._method}: (what it prints besides is not shown)", file=sys.stderr)  # noqa: T201

    def _end(self, *, patient: bool) -> int | None:
        """End the companion and all that it started; return its exit code, if it is known."""
        try:
            code = self._process.end(GRACE_S * patient)
        except ServerEnded:  # a method has ended its holder, and with it this companion
            code = None
        self._output.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        return code


class Holder:
    """A process that has read what methods may see of one problem, and forks the companions of its cells.

    It knows neither truth nor name, seed, parameters or place of the problem.

    Raises
    ------
    StorageError
        if the problem cannot be read.

    """

    def __init__(self, problem: Path, header: Header) -> None:
        from slicebench.problems.frozen import nameless

        self._control, theirs = socket.socketpair()
        self._process = Forked(_control_of_keeper(), HOLDER)
        folder = os.open(problem / "data", os.O_RDONLY | os.O_DIRECTORY)
        with theirs:
            _hand_over(self._process.talk, folder, theirs.fileno())
        os.close(folder)
        self._process.talk.send(nameless(header))
        try:
            error = self._process.talk.recv_bytes(LARGEST_ANSWER).decode()
        except EOFError:
            error = "the process that reads it died"
        if error:
            self.close()
            raise StorageError(f"cannot read the problem in {problem}: {error}")

    def companion(self) -> Companion:
        """Return a new companion that has the problem's arrays."""
        return Companion(self._control)

    def alive(self) -> bool:
        """Check whether the holder can still fork."""
        return self._process.running()

    def close(self) -> None:
        """End the holder and its companions."""
        self._control.close()
        with suppress(ServerEnded):
            self._process.end(GRACE_S)


def can_start_companions() -> bool:
    """Check whether this process is a keeper, which can have other processes forked."""
    return forked.control_of_keeper is not None


def companion() -> Companion | None:
    """Return a new companion of this process that knows no problem, or None if it cannot have one."""
    return Companion(_control_of_keeper()) if can_start_companions() else None


def _control_of_keeper() -> socket.socket:
    control = forked.control_of_keeper
    assert control is not None, "only a keeper has companions"
    return control


def _hand_over(talk: Connection, *files: int) -> None:
    """Send open files to the process at the other end."""
    with socket.socket(fileno=os.dup(talk.fileno())) as carrier:
        socket.send_fds(carrier, [b"+"], list(files))


def _handed_over(talk: Connection, most: int) -> list[int]:
    """Receive open files; none if the other end was closed."""
    with socket.socket(fileno=os.dup(talk.fileno())) as carrier:
        return socket.recv_fds(carrier, 1, most)[1]


_held: tuple[AuditData, Split] | None = None
"""In a holder and its companions, what a method may see of the problem, and the test split."""


def hold(talk: Connection) -> int:
    """Read the problem that a keeper names, and say whether that worked; return the socket to fork companions for."""
    global _held
    _close_all_but(talk.fileno())
    folder, control = _handed_over(talk, 2)
    header: Header = talk.recv()  # the keeper's own words
    os.fchdir(folder)
    error = ""
    try:
        _held = _read(header)
    except (SlicebenchError, ValueError, KeyError, TypeError, AttributeError) as problem:
        error = message_of(problem)
    os.chdir("/")
    os.close(folder)
    talk.send_bytes(error.encode())
    return control


def attend(talk: Connection) -> None:
    """Wait for a task, run it, and send what came of it."""
    _close_all_but(talk.fileno())
    for printed in _handed_over(talk, 1):
        _run(talk, printed)


def _close_all_but(*kept: int) -> None:
    edges = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for before, after in pairwise(edges):
        os.closerange(before + 1, after)


def _run(talk: Connection, printed: int) -> None:
    """Do one task: lock this process, and run the method."""
    from slicebench.evaluation.attempt import attempt, failed
    from slicebench.evaluation.isolation.crossing import send
    from slicebench.evaluation.isolation.landlock import restrict
    from slicebench.plugins.registry import METHODS

    task: _Task | _Question = talk.recv()  # the keeper's own words
    _settle(task, printed)
    if isinstance(task, _Question):
        _answer(talk, task)
        return
    assert _held is not None, "companions that run a method are forked from a holder"
    data, test = _held
    os.chdir(task.scratch)
    locked = restrict(task.permissions.readable, task.permissions.writable)
    talk.send_bytes(LOCKED if locked else OPEN)
    try:
        attempted = attempt(lambda: METHODS.load(task.method)(**task.params), task.params, data, test)
    except BaseException as error:  # noqa: BLE001 - a plugin may also raise SystemExit or KeyboardInterrupt
        attempted = failed(message_of(error))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    send(talk, attempted)


def _answer(talk: Connection, question: _Question) -> None:
    from slicebench.evaluation.isolation.landlock import restrict

    os.chdir(question.scratch)
    locked = restrict(question.permissions.readable, question.permissions.writable)
    talk.send_bytes(LOCKED if locked else OPEN)
    try:
        said = {"error": None, "value": question.function(*question.args)}
        text = json.dumps(said)
    except SlicebenchError as error:
        text = json.dumps({"error": type(error).__name__, "value": str(error)})
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
        text = json.dumps({"error": "ValueError", "value": message_of(error)})
    talk.send_bytes(text.encode())


def _memory_left() -> int | None:
    """Return the bytes that this process may still use, where that is limited."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return None if sys.platform != "linux" or limit == resource.RLIM_INFINITY else limit - _data()


def _data() -> int:
    import psutil

    return int(psutil.Process().memory_info().data)


def _settle(task: _Task | _Question, printed: int) -> None:
    """Give the process its own output, temporary folder and cache."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    os.environ.update(task.permissions.environment, TMPDIR=str(task.scratch), MPLCONFIGDIR=str(task.scratch))
    os.environ["JOBLIB_MULTIPROCESSING"] = "0"  # it needs a folder of all processes, and warns if it cannot have that
    tempfile.tempdir = None
    if task.memory is not None:
        import resource

        limit = _data() + task.memory
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _read(header: Header) -> tuple[AuditData, Split]:
    """Read the problem's files in the working folder, and forget where they are."""
    from slicebench.problems.frozen import read_audit

    data, test = read_audit(Path(), header)
    for split in (data.train, data.val, data.pool, test):
        for value in vars(split).values() if split is not None else ():
            _forget_place(value)
    return data, test


def _forget_place(value: Any) -> None:
    """Remove the path from an array that is mapped from a file."""
    while value is not None:
        if getattr(value, "filename", None) is not None:
            value.filename = None
        value = getattr(value, "base", None)
