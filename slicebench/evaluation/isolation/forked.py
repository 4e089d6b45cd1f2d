"""A process that a server forks, as the process that asked for it sees it."""

from __future__ import annotations

import multiprocessing
import socket

from slicebench.evaluation.isolation.processes import kill

TASK, KEEPER, HOLDER, COMPANION = b"t", b"k", b"h", b"c"
"""Kinds of processes; see `slicebench.evaluation.isolation.fork_server`."""

control_of_keeper: socket.socket | None = None
"""In a keeper, the socket on which it asks the server for other processes; elsewhere None."""


class ServerEnded(Exception):  # noqa: N818 - not an error of the task
    """The server ended before the task did."""


class Forked:
    """A process that the server at the other end of `control` forks; `talk` is the connection to it.

    Raises `ServerEnded` if there is no server any more.
    """

    def __init__(self, control: socket.socket, kind: bytes) -> None:
        self.talk, their_talk = multiprocessing.Pipe()
        self._news, their_news = multiprocessing.Pipe(duplex=False)
        try:
            with their_talk, their_news:
                socket.send_fds(control, [kind], [their_talk.fileno(), their_news.fileno()])
            self.pid: int = self._news.recv()
        except (EOFError, OSError):
            self.close()
            raise ServerEnded from None

    def running(self) -> bool:
        """Check whether the process has not ended yet."""
        return not self._news.poll(0)

    def end(self, patience: float = 0.0) -> int:
        """Wait for the process to end by itself, then kill it; return its exit code.

        All processes that it started have then ended too.
        """
        try:
            if not self._news.poll(patience):
                kill(self.pid)
            code: int = self._news.recv()
        except EOFError:
            raise ServerEnded from None
        finally:
            self.close()
        return code

    def close(self) -> None:
        """Close the connections; the process goes on."""
        self.talk.close()
        self._news.close()
