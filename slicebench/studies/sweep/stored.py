"""Models of the files that a sweep stores beside the records of its run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassFigures(_Kept):
    """Figures of the base model in one class of the test split; None where undefined."""

    minority_accuracy: float | None
    minority_share_of_errors: float | None


class ProblemFigures(_Kept):
    """`ClassFigures` by class name."""

    classes: dict[str, ClassFigures]


class StrengthFigures(_Kept):
    """Permutation p of a cell's strength by class, and the mean strength under permutation; None where undefined."""

    p: dict[str, float | None]
    by_chance: dict[str, float | None]
