"""The process of the command line: streams that are closed, full or not UTF-8, SIGTERM, and Ctrl-C."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from slicebench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator


TERMINATED = 128 + signal.SIGTERM
"""Exit code after SIGTERM."""


class _Stream(io.TextIOWrapper):
    """A standard stream whose characters never fail, and whose other failures are one message or none."""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise  # click ends quietly
        except OSError as error:
            with suppress(OSError):  # so that what is still buffered does not fail again at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            raise StorageError(f"cannot write to {self.name}: {error.strerror or error}") from error

    def write(self, text: str) -> int:
        if text != "":  # an empty text is click's test of the stream, which must not take the error
            with self._writing():
                super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._writing():
            super().flush()


class _Progress(_Stream):
    """The stream of progress and errors; nobody is left to tell if it cannot be written, so the work goes on."""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with suppress(OSError), super()._writing():
            yield


def prepare_streams() -> None:
    """Make stdout and stderr writable, whatever this process was started with.

    A stream that is closed leads nowhere. A character that an encoding lacks becomes an escape.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets this number: it is the lowest that is free
    sys.stdout = _wrapped(sys.stdout, 1, _Stream)
    sys.stderr = _wrapped(sys.stderr, 2, _Progress)


def _wrapped(stream: Any, number: int, kind: type[_Stream]) -> Any:
    if stream is None:
        return open(number, "w", encoding="utf-8", closefd=False)
    if type(stream) is not io.TextIOWrapper:  # a notebook's or a test's
        return stream
    return kind(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


@contextmanager
def terminable() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that workers end and results are kept, but exit with `TERMINATED`."""
    received = []

    def stop(*_: object) -> None:
        received.append(True)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the process at once
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if received:
            sys.exit(TERMINATED)
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told_if_interrupted(*, kept: bool = True) -> Iterator[None]:
    """End the command with code 130 on Ctrl-C, and say how to go on if what was done is `kept`."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted{'; run the same command again to continue' if kept else ''}", err=True)
        raise typer.Exit(130) from None
