"""Record of a cell: what was run, on what, how it ended, what it measured and what it cost.

One JSON file per cell; the schema is versioned, so that files written today can be read by later versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


SCHEMA_VERSION = 3

Status = Literal["ok", "skipped", "failed"]


class Cost(BaseModel):
    """Cost of a cell. Seconds are wall time except `cpu_s`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit_s: float
    score_s: float
    cpu_s: float
    peak_rss_mb: float
    caption_s: float = 0.0
    """Scoring the candidate captions; not part of the other two."""
    training_s: float = 0.0
    """Seconds of model training inside `fit_s`, as measured when the model was trained, also if it came from the cache."""


class BaseModelSummary(BaseModel):
    """The audited model on the test split: what there was to find."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float | None
    minority_accuracy: float | None
    majority_accuracy: float | None
    minority_rate: float | None
    n_test: int
    n_classes: int


class ClassCaptions(BaseModel):
    """Ranking of one class's captions; texts by falling hardness, ties by position."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hardest: tuple[str, ...]
    easiest: tuple[str, ...]
    candidates: int
    naming: tuple[str, ...]
    """The candidates that name a planted group of the class."""
    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    """Both as in `CaptionOutcome`."""


class CaptionOutcome(BaseModel):
    """Caption metrics of a cell: `hit_at_1`, `hit_at_2`, `mrr`, means over the classes in which a candidate names a group,
    and `gap`, the easy–hard gap's mean over K and classes, with `gap_low` and `gap_high`, its 95 % interval.

    `p` is the exact probability of so many hits or more by chance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    p: dict[str, float]
    per_class: dict[str, ClassCaptions]


class SliceFinding(BaseModel):
    """A slice on the test split: members, error rate, Δ against the rest of the class with its 95 % interval.

    `group` is the planted group that half of its members or more belong to. None where undefined: an empty slice, no rest of
    a class, errors that are not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: int
    error_rate: float | None
    delta: float | None
    low: float | None
    high: float | None
    group: str | None


class SliceOutcome(BaseModel):
    """The `k` slices that a method returned, measured: keys are those of `slicebench.metrics.slices.SLICE_METRICS`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    k: int
    per_slice: tuple[SliceFinding, ...]


class Identity(BaseModel):
    """Base of records: which problem they are about; these fields come first in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    problem: str
    family: str
    dataset: str
    dataset_version: str
    dataset_params: dict[str, Any]
    encoder: str
    seed: int


class Record(Identity):
    """Outcome of one cell (problem × method).

    `metrics` and `chance` have the same keys, the names of `slicebench.metrics.ranking.METRICS`; a value is None where the
    metric is undefined (a class smaller than K, no flag raised, nothing planted). `per_class` holds the same metrics class by
    class.
    """

    schema_version: int = SCHEMA_VERSION
    method: str
    method_version: str
    method_params: dict[str, Any]
    status: Status
    reason: str | None = None
    metrics: dict[str, float | None] = {}
    chance: dict[str, float | None] = {}
    per_class: dict[str, dict[str, float | None]] = {}
    strength: dict[str, float | None] | None = None
    captions: CaptionOutcome | None = None
    """None where the problem has no candidate captions."""
    slices: SliceOutcome | None = None
    """None where the method has neither slices nor flags, and in records of schema versions 1 and 2."""
    notes: tuple[str, ...] = ()
    """The method's notes on its own fit, such as classes in which it fell back to another score."""
    base_model: BaseModelSummary | None = None
    cost: Cost | None = None
    code_version: str
    hardware: str
    date: str


@dataclass(frozen=True, eq=False)
class TestTruth:
    """Truth of a test split for statistics.

    `ids` (n,) strings, `labels` (n,) int64, `minority` (n,) bool.
    """

    __test__ = False  # the name is not pytest's

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    minority: NDArray[np.bool_]


class ProblemFacts(BaseModel):
    """Facts of a problem for a reader of results, beside the numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: str
    how: str
    """How the plant was made, in words."""
    groups: tuple[str, ...]
    class_names: tuple[str, ...]
