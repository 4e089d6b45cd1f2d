"""Read tables from JSON documents and JSON lines, as written: no text becomes a number or a date."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

from slicebench.errors import DataError
from slicebench.files.separated import encoding_of
from slicebench.files.untrusted import check_room, opened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd


LAYOUTS = (
    'a list of objects (one for each row), an object of columns (a list for each), or an object with the list "data"'
)
AROUND = {"data", "columns", "index", "schema"}
"""Keys of the objects that pandas writes around "data"."""
PER_BYTE = 4
"""Bytes of memory that a byte of a document takes once it is parsed, at least."""


def read_json_lines(file: Path) -> pd.DataFrame:
    """Read one object per line."""
    with io.TextIOWrapper(opened(file), encoding=encoding_of(file)) as lines:
        return _of_lines(lines)


def read_json(file: Path) -> pd.DataFrame:
    """Read a document: records, columns, or an object whose "data" is one of them; JSON lines are read too.

    Columns are lists, or objects by row, as pandas writes them. What else lies beside "data" is left out, which is logged.
    """
    check_room(file, PER_BYTE * file.stat().st_size)
    with io.TextIOWrapper(opened(file), encoding=encoding_of(file)) as source:
        text = source.read()
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if "Extra data" not in error.msg:
            raise DataError(f"it is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
        return _of_lines(text.splitlines())
    return _of_data(found, file) if _wraps_data(found) else _of_document(found)


def _of_lines(lines: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([_object(line, number) for number, line in enumerate(lines, 1) if line.strip()])


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"line {number} is no valid JSON: column {error.colno}: {error.msg}") from error
    if not isinstance(found, dict):
        raise DataError(f"line {number} is {_kind(found)}; expected a JSON object")
    return found


def _wraps_data(found: Any) -> bool:
    """Return True for an object around "data", False for columns of which one has that name."""
    if not isinstance(found, dict) or not isinstance(found.get("data"), list | dict):
        return False
    return {*found} <= AROUND or not _is_columns(found)


def _of_data(found: dict[str, Any], file: Path) -> pd.DataFrame:
    """Read the "data" of an object; with "columns" these are rows of values, as pandas' orient="split" writes them."""
    import pandas as pd

    data, names = found["data"], found.get("columns")
    if other := [key for key in found if key not in AROUND]:
        message = '%s: only "data" is read, not %s'
        logging.getLogger("slicebench").warning(message, file, ", ".join(map(repr, other)))
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return pd.DataFrame(data, columns=names)
    return _of_document(data)


def _of_document(found: Any) -> pd.DataFrame:
    import pandas as pd

    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return pd.DataFrame(found)
    if isinstance(found, dict) and _is_columns(found):
        return pd.DataFrame(found)
    if isinstance(found, dict) and found and all(isinstance(value, dict) for value in found.values()):
        return _of_objects(found)
    raise DataError(f"it holds {_said(found)}; expected {LAYOUTS}")


def _is_columns(found: dict[str, Any]) -> bool:
    """Return True for lists of one length."""
    return bool(found) and all(isinstance(v, list) for v in found.values()) and len({*map(len, found.values())}) == 1


def _of_objects(found: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Read objects of objects: columns of rows; rows of columns if only the outer keys are numbers."""
    import pandas as pd

    inner = {key for value in found.values() for key in value}
    if all(key.isdigit() for key in found) and not all(key.isdigit() for key in inner):
        return pd.DataFrame([*found.values()])
    return pd.DataFrame(found).reset_index(drop=all(key.isdigit() for key in inner))


def _said(found: Any) -> str:
    if isinstance(found, dict):
        held = [f"{key!r} ({_kind(value)})" for key, value in found.items()]
        return f"an object of {', '.join(held[:5]) or 'nothing'}{', ...' if len(held) > 5 else ''}"
    return "a list, but not of objects only" if isinstance(found, list) else _kind(found)


def _kind(value: Any) -> str:
    """Return what JSON calls a value."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
