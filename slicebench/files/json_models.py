"""Store pydantic models as JSON files, written whole or not at all.

A read error names the file and what to do. `sealed` adds a checksum to a JSON object and `unsealed`
checks it, so that a damaged file is noticed even if it is still valid JSON.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from slicebench.errors import StorageError
from slicebench.files.atomic import write_text
from slicebench.files.locations import bytes_if_there

if TYPE_CHECKING:
    from slicebench.files.locations import Location


Model = TypeVar("Model", bound=BaseModel)

CHECKSUM = "sha256"
"""Key of the checksum in a sealed object."""


def sealed(described: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with the SHA-256 of its content.

    >>> unsealed(json.dumps(sealed({"a": 1})).encode())
    ({'a': 1}, True)
    """
    return {**described, CHECKSUM: _checksum(described)}


def unsealed(content: bytes | str) -> tuple[Any, bool]:
    """Parse JSON; return its content without the checksum, and whether it had one.

    Raises `ValueError` if the checksum differs, and for text that is not JSON, such as NaN.
    """
    described = from_json(content, allow_inf_nan=False)  # three times as fast as json.loads
    if not isinstance(described, dict) or CHECKSUM not in described:
        return described, False
    expected = described.pop(CHECKSUM)
    if expected != _checksum(described):
        raise ValueError("its content is not what was written (the checksum differs)")
    return described, True


def _checksum(described: dict[str, Any]) -> str:
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def save_model(path: Location, model: BaseModel) -> None:
    """Write `model` to `path`."""
    write_text(path, model.model_dump_json(indent=1) + "\n")


def stored_model(kind: type[Model], path: Location, remedy: str) -> Model | None:
    """Read the model stored at `path`; return None if there is no file yet.

    Raises
    ------
    StorageError
        if the file cannot be read, naming it and the `remedy`.

    """
    content = bytes_if_there(path)
    if content is None:
        return None
    try:
        return kind.model_validate_json(content.decode("utf-8"))
    except (UnicodeDecodeError, ValidationError) as error:
        raise StorageError(f"cannot read {path}: {str(error).splitlines()[0]}; {remedy}") from error
