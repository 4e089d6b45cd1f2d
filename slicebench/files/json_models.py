"""Store pydantic models as JSON files, written whole or not at all.

A read error names the file and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from slicebench.errors import StorageError
from slicebench.files.atomic import write_text
from slicebench.files.locations import bytes_if_there

if TYPE_CHECKING:
    from slicebench.files.locations import Location


Model = TypeVar("Model", bound=BaseModel)


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
