"""Errors that a user can cause.

Each message says what is wrong, where, what was expected and what to do. The command line prints
the message of any `SlicebenchError` and exits with code 2; a traceback is a bug in slicebench.
"""

from __future__ import annotations

import re

LONGEST_TEXT = 2_000
"""Characters of a text by others that are kept."""

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that control a terminal, change the order of a line, or cannot be encoded; tab and newline are not among them."""


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
    """Return the message of an error, made safe by `safe_text`.

    The name of its type comes first, unless it is a `SlicebenchError`.
    """
    name = type(error).__name__
    message = safe_text(error) or name
    return message if isinstance(error, SlicebenchError) else f"{name}: {message}"


def safe_text(value: object) -> str:
    r"""Return the text of a value that others made, such as a plugin's error, so that it can be stored and printed.

    Control characters and lone surrogates become U+FFFD. Of a long text, begin and end are kept.

    >>> safe_text("\x1b[31mred")
    '�[31mred'
    """
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - a plugin's object may raise anything
        text = f"({type(value).__name__} without a readable text)"
    if len(text) > LONGEST_TEXT:
        left_out = f" ... ({len(text):,} characters, cut) ... "
        head = LONGEST_TEXT * 3 // 4
        text = text[:head] + left_out + text[head + len(left_out) - LONGEST_TEXT :]
    return _UNSAFE.sub("\ufffd", text)


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
