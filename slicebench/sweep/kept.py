"""What a sweep keeps in its run folder beside the records, and how it is read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from slicebench.cache import write_atomically
from slicebench.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassFigures(_Kept):
    """The base model in one class of the test split; None where undefined."""

    minority_accuracy: float | None
    minority_share_of_errors: float | None


class ProblemFigures(_Kept):
    """`ClassFigures` by the name of the class."""

    classes: dict[str, ClassFigures]


class StrengthFigures(_Kept):
    """Permutation p of a cell's strength by class, and the strength that chance gives on average; None where there is none."""

    p: dict[str, float | None]
    by_chance: dict[str, float | None]


Kept = TypeVar("Kept", bound=_Kept)


def stored(kind: type[Kept], path: Path) -> Kept | None:
    """What lies at `path`, or None if there is nothing yet.

    Raises
    ------
    StorageError
        if the file cannot be read, naming it.

    """
    if not path.exists():
        return None
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValidationError) as error:
        said = str(error).splitlines()[0]
        raise StorageError(
            f"cannot read {path}: {said}; delete this file and run again: only it is recomputed"
        ) from error


def keep(path: Path, model: _Kept) -> None:
    """Write `model` to `path`, all of it or nothing."""
    text = model.model_dump_json(indent=1) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
