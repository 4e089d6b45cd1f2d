"""Files that a sweep stores in its run folder beside the records."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
