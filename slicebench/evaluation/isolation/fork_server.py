"""A process that forks other processes, and ends everything that they leave behind.

The server imports libraries once and never does any work itself, so that every process starts from the same clean state
within milliseconds. There are four kinds:

task        does one task and ends, such as the build of a problem
keeper      does one task after the other, and runs no method itself: each of its tasks may start a companion
holder      reads what methods may see of one problem, then is itself a server that forks companions for its keeper
companion   runs one method (`slicebench.evaluation.isolation.companion`)

Where processes cannot be forked, each task gets a new interpreter instead.

This module must not import NumPy: the environment of the server sets the thread count before.
"""

from __future__ import annotations

import gc
import importlib
import json
import multiprocessing
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

from slicebench.evaluation.isolation import forked
from slicebench.evaluation.isolation.companion import attend, hold
from slicebench.evaluation.isolation.forked import COMPANION, HOLDER, KEEPER, TASK, Forked
from slicebench.evaluation.isolation.processes import adopt_orphans, die_with_parent, kill, kill_orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    """A function and its arguments."""

    Outcome = tuple[bool, Any]
    """Whether a task succeeded, and its result or its error."""

GRACE_S = 5.0
"""Seconds that a process may take to end once its task has."""

_COMMAND = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from slicebench.evaluation.isolation.fork_server import serve
serve(int(sys.argv[2]), json.loads(sys.argv[3]))
"""


class Died(Exception):  # noqa: N818
    """A task's process ended without a result; the argument is its exit code."""


class ForkServer:
    """Server process, and the tasks of this process; safe to use from several threads.

    Parameters
    ----------
    environment : mapping
        Variables that are set in the server before it imports anything.
    preload : sequence of str
        Modules that the server imports first; those that cannot be imported are left to the tasks.

    """

    def __init__(self, environment: Mapping[str, str], preload: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._keepers: list[Forked] = []
        self._temporary = tempfile.mkdtemp(prefix="slicebench-run-")
        paths = [path or str(Path.cwd()) for path in sys.path]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", _COMMAND, json.dumps(paths), str(theirs.fileno()), json.dumps(list(preload))],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment, "TMPDIR": self._temporary},
                start_new_session=True,  # Ctrl-C is for the parent, which ends the server
            )

    def run(self, task: Task, timeout: float | None, *, keeper: bool = False) -> Outcome:
        """Do a task and return its outcome, in a fresh process or in one that has done such tasks before.

        Raises
        ------
        TimeoutError
            after `timeout` seconds; the task's processes are killed.
        Died
            if the process ended without a result.
        ServerEnded
            if the server ended, or was closed.

        """
        with self._lock:
            process = self._keepers.pop() if keeper and self._keepers else None
        if process is None:
            with self._lock:
                process = Forked(self._control, KEEPER if keeper else TASK)
        try:
            outcome = _outcome(process.talk, task, timeout)
        except (EOFError, ConnectionError):
            raise Died(process.end(GRACE_S)) from None
        except BaseException:
            process.end()
            raise
        if keeper:
            with self._lock:
                self._keepers.append(process)
        else:
            process.end(GRACE_S)
        return outcome

    def close(self) -> None:
        """End the server and every process that it has forked."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._control.close()
        for process in self._keepers:
            process.close()
        shutil.rmtree(self._temporary, ignore_errors=True)


def _outcome(talk: Connection, task: Task, timeout: float | None) -> Outcome:
    end = None if timeout is None else monotonic() + timeout
    talk.send(task)
    if not talk.poll(None if end is None else max(0.0, end - monotonic())):
        raise TimeoutError
    outcome: Outcome = talk.recv()  # from a process that runs no method
    return outcome


@dataclass
class _Child:
    """A process that the server has forked: where its end is told, and the keeper that asked for it."""

    news: Connection
    owner: int | None


class _Server:
    """State of the server process."""

    def __init__(self, control_fd: int) -> None:
        self.parent = socket.socket(fileno=control_fd)
        self.children: dict[int, _Child] = {}
        self.owners: dict[socket.socket, int] = {}
        """Control socket of each keeper, with its process id."""
        ended, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.pipe = ended, wake
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler the wake-up is not written
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(self.parent, selectors.EVENT_READ)
        self.waiting.register(ended, selectors.EVENT_READ)

    def serve(self) -> None:
        """Fork what is asked for, until the parent closes its socket or ends."""
        going = True
        while going:
            for key, _ in self.waiting.select():
                if key.fileobj == self.pipe[0]:
                    os.read(self.pipe[0], 4096)
                elif isinstance(key.fileobj, socket.socket) and not self._fork_for(key.fileobj):
                    going = going and key.fileobj is not self.parent
                    self._forget(key.fileobj)
            self.reap()
        for pid in self.children:
            kill(pid)
        while self.children:
            self.reap(block=True)

    def _fork_for(self, control: socket.socket) -> bool:
        """Fork the process that is asked for on a socket; return False if its owner has ended."""
        try:
            kind, fds, *_ = socket.recv_fds(control, 1, 2)
        except OSError:
            return False
        if not kind:
            return False
        ours, theirs = socket.socketpair() if kind == KEEPER else (None, None)
        pid = os.fork()
        if pid == 0:
            self._close_all(ours)
            _work(kind, Connection(fds[0]), theirs)
        os.close(fds[0])
        news = Connection(fds[1], readable=False)
        self.children[pid] = _Child(news, self.owners.get(control))
        if ours is not None and theirs is not None:
            theirs.close()
            self.owners[ours] = pid
            self.waiting.register(ours, selectors.EVENT_READ)
        with suppress(OSError):
            news.send(pid)
        return True

    def _close_all(self, other: socket.socket | None) -> None:
        """Close, in a forked process, what belongs to the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.waiting.close()
        for fd in self.pipe:
            os.close(fd)
        for control in (self.parent, other, *self.owners):
            if control is not None:
                control.close()
        for child in self.children.values():
            child.news.close()

    def _forget(self, control: socket.socket) -> None:
        self.waiting.unregister(control)
        control.close()
        owner = self.owners.pop(control, None)
        for pid, child in self.children.items():
            if owner is not None and child.owner == owner:
                kill(pid)

    def reap(self, *, block: bool = False) -> None:
        """Note which processes have ended, kill what they left behind, and tell those that asked for them."""
        ended: dict[int, int] = {}
        while True:
            try:
                pid, status = os.waitpid(-1, 0 if block and not ended else os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self.children:
                ended[pid] = status
        kill_orphans(set(self.children))
        for pid, status in ended.items():
            with self.children.pop(pid).news as news, suppress(OSError):
                news.send(os.waitstatus_to_exitcode(status))


def serve(control_fd: int, preload: Sequence[str]) -> None:
    """Be a server: import the modules, then fork what the parent asks for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in preload:
        with suppress(ImportError):
            importlib.import_module(name)
    _fork_for(control_fd)
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)  # should the parent have been killed


def _fork_for(control_fd: int) -> None:
    """Fork what is asked for on a socket, from what this process has now."""
    adopt_orphans()
    gc.collect()
    gc.freeze()  # a collection in a forked process would touch, and so copy, every object of this one
    _Server(control_fd).serve()


def _work(kind: bytes, talk: Connection, control: socket.socket | None) -> NoReturn:
    """Do the work of a forked process, and end it."""
    code = 1
    with suppress(BaseException):  # whatever happens, this process must not go on as a server
        os.setsid()
        die_with_parent()
        if kind == COMPANION:
            attend(talk)
        elif kind == HOLDER:
            _fork_for(hold(talk))
        else:
            forked.control_of_keeper = control
            while perform(talk) and kind == KEEPER:
                pass
        code = 0
    os._exit(code)


def perform(talk: Connection) -> bool:
    """Receive a task, call it and send its outcome; return False if no task came."""
    outcome: Outcome
    try:
        function, args, kwargs = talk.recv()
    except (EOFError, OSError):
        return False
    except Exception as error:  # noqa: BLE001 - a function that cannot be imported here
        outcome = False, error
    else:
        try:
            outcome = True, function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - the parent raises it
            outcome = False, error
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    try:
        talk.send(outcome)
    except OSError:
        return False
    except Exception as error:  # noqa: BLE001 - a result that cannot be sent
        talk.send((False, TypeError(f"the result of a task cannot be sent: {error}")))
    return True


class Interpreters:
    """The same as `ForkServer` where processes cannot be forked: a new interpreter for each task."""

    def __init__(self, environment: Mapping[str, str], preload: Sequence[str]) -> None:  # noqa: ARG002 - nothing lasts
        self._environment = dict(environment)
        self._running: set[Any] = set()

    def run(self, task: Task, timeout: float | None, *, keeper: bool = False) -> Outcome:  # noqa: ARG002 - as above
        """Do a task; raises the same errors as `ForkServer.run`."""
        context = multiprocessing.get_context("spawn")
        talk, theirs = context.Pipe()
        process = context.Process(target=_in_new_interpreter, args=(theirs, self._environment), daemon=True)
        process.start()
        self._running.add(process)
        theirs.close()
        try:
            with talk:
                return _outcome(talk, task, timeout)
        except (EOFError, ConnectionError):
            process.join(GRACE_S)
            raise Died(process.exitcode) from None
        finally:
            process.kill()
            process.join()
            self._running.discard(process)

    def close(self) -> None:
        """End every task."""
        for process in list(self._running):
            process.kill()


def _in_new_interpreter(talk: Connection, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    perform(talk)


def server_for(environment: Mapping[str, str], preload: Sequence[str]) -> ForkServer | Interpreters:
    """Start the kind of server that this system has."""
    kind: Callable[..., ForkServer | Interpreters] = ForkServer if hasattr(os, "fork") else Interpreters
    return kind(environment, preload)
