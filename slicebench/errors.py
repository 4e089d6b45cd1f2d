"""Errors that a user can cause.

Each message says what is wrong, where, what was expected and what to do. The command line prints
the message of any `SlicebenchError` and exits with code 2; a traceback is a bug in slicebench.
"""

from __future__ import annotations


class SlicebenchError(Exception):
    """Base of every error that slicebench raises on purpose."""


class DataError(SlicebenchError, ValueError):
    """Arrays or tables that do not fit together, or hold values that cannot be used."""


class MethodError(SlicebenchError):
    """A method broke its contract: wrong shape, wrong type, not-a-number, scored before it was fitted."""


class PluginError(SlicebenchError, LookupError):
    """A name that is not registered, registered twice, or whose plugin cannot be imported."""


class ConfigError(SlicebenchError, ValueError):
    """A suite file, parameter or option that cannot be used."""


class StorageError(SlicebenchError, OSError):
    """A file or folder that is missing, truncated, changed or of another version."""


class TrainingError(SlicebenchError):
    """A model whose training did not end in a usable state, e.g. because it diverged."""


class SlicebenchWarning(UserWarning):
    """Warning about something a careful user should know; the result is still valid."""


def message_of(error: BaseException) -> str:
    """Return the message of an error.

    The name of its type comes first, unless it is a `SlicebenchError`.
    """
    message = str(error) or type(error).__name__
    return message if isinstance(error, SlicebenchError) else f"{type(error).__name__}: {message}"


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a hint that offers known names close to `name`, or else lists all of them.

    >>> did_you_mean("dominoe", ["domino", "lff"])
    "did you mean 'domino'?"
    """
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    return "known: " + (", ".join(sorted(known)) or "none")
