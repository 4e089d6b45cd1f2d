"""Read TOML documents and check them against a pydantic model.

Packaged documents are found by name, a user's own by path. An error describes every bad key.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from slicebench.errors import ConfigError, did_you_mean
from slicebench.files.locations import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


Document = TypeVar("Document", bound=BaseModel)
DEEPEST = 100
"""Largest number of dots in a key. `tomllib` takes memory that grows with its square."""
KeyPath = tuple[str | int, ...]


def packaged_names(folder: str) -> list[str]:
    """Return the names of the documents in a folder of the package."""
    entries = (files("slicebench") / folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def document_text(name_or_path: str, folder: str, what: str) -> tuple[str, str]:
    """Return the text of a document, and the name that errors use for it.

    A name that ends in ".toml" is a file; any other name is a packaged document. `what` is the kind
    of document, such as "suite".

    Raises
    ------
    ConfigError
        for an unknown name (similar ones are suggested) and for a file that cannot be read.

    """
    if name_or_path.endswith(".toml"):
        try:
            return read_bytes(Path(name_or_path)).decode("utf-8"), name_or_path
        except (OSError, ValueError) as error:  # ValueError: a null character in the name, or no UTF-8
            raise ConfigError(f"cannot read the {what} {name_or_path}: {error}") from error
    known = packaged_names(folder)
    if name_or_path not in known:
        hint = did_you_mean(name_or_path, known)
        raise ConfigError(
            f"no {what} named {name_or_path!r}; {hint} (for your own {what}, give a path ending in .toml)"
        )
    return (files("slicebench") / folder / f"{name_or_path}.toml").read_text(encoding="utf-8"), f"{what} {name_or_path}"


def parsed(
    kind: type[Document], text: str, where: str, what: str, known: Callable[[KeyPath], Sequence[str]]
) -> Document:
    """Parse TOML text into the model `kind`.

    `known` returns the keys that are allowed where an unknown key was found.

    Raises
    ------
    ConfigError
        naming `where`, every bad key and what was expected.

    """
    if any(line.partition("=")[0].count(".") > DEEPEST for line in text.splitlines()):
        raise ConfigError(f"{where} is nested too deeply to be a {what}")
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    except RecursionError:
        raise ConfigError(f"{where} is nested too deeply to be a {what}") from None
    except ValidationError as error:
        lines = [f"  {_expectation(dict(e), what, known)}" for e in error.errors()]
        raise ConfigError(f"{where} is not a valid {what}:\n" + "\n".join(lines)) from error


def _expectation(error: dict[str, Any], what: str, known: Callable[[KeyPath], Sequence[str]]) -> str:
    """Describe the error in one key: "slots.noun[0]: expected ..."."""
    key, message = dotted(error["loc"]), error["msg"].removeprefix("Value error, ")
    if not key:
        return str(message)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key; {did_you_mean(str(error['loc'][-1]), list(known(error['loc'])))}"
    if error["type"] == "missing":
        return f"{key}: missing; every {what} needs it"
    return f"{key}: {message} (found {error['input']!r})"


def dotted(loc: KeyPath) -> str:
    """Return a key with positions in brackets.

    >>> dotted(("problems", 0, "name"))
    'problems[0].name'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
