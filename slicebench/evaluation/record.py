"""Record of a cell: method, problem, status, metrics and cost.

There is one JSON file per cell. The schema has a version, so that later versions can read the
files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from slicebench.data.truth import Kind  # noqa: TC001 - pydantic reads it at run time
from slicebench.errors import safe_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


SCHEMA_VERSION = 6
"""Since 6, records say how the method was kept from the truth (`isolation`, `decoy_p`). Since 4, average precision takes the
expectation over ties, and scikit-learn's value is beside it (`ap_sklearn`)."""

SEALED_SINCE = 5
"""First schema version whose files have a checksum."""

PLAIN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
"""Configuration of everything in a record; a value that is undefined is None, never NaN."""

DEEPEST = 20
"""Levels of nested parameters that are kept."""


def _safe(value: Any, depth: int = 0) -> Any:
    """Return a value of a record with its texts made safe; what JSON does not have becomes a text."""
    if isinstance(value, str):
        return safe_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and -(2**63) <= value < 2**63:  # false for NaN
        return value
    if isinstance(value, dict) and depth < DEEPEST:
        return {safe_text(key): _safe(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple) and depth < DEEPEST:
        return [_safe(one, depth + 1) for one in value]
    return safe_text(value)


def _safe_if_text(value: object) -> object:
    return safe_text(value) if isinstance(value, str) else value


def _line(value: object) -> object:
    return " ".join(safe_text(value).split()) if isinstance(value, str) else value


Line = Annotated[str, BeforeValidator(_line)]
"""A text by a plugin in one line."""

Text = Annotated[str, BeforeValidator(_safe_if_text)]
"""A text by a plugin; see `safe_text`."""


def plain_params(params: object) -> dict[str, Any]:
    """Return a method's parameters as the values that JSON has; raise `TypeError` unless they are a mapping."""
    if not isinstance(params, dict):
        raise TypeError(f"get_params returned {type(params).__name__}; expected a dictionary")
    found: dict[str, Any] = _safe(params)
    return found


Params = Annotated[dict[str, Any], BeforeValidator(_safe)]
"""Parameters of a plugin, as JSON values with safe texts."""

Status = Literal["ok", "skipped", "failed"]


class Cost(BaseModel):
    """Cost of a cell. Seconds are wall time except `cpu_s`."""

    model_config = PLAIN

    fit_s: float
    score_s: float
    cpu_s: float
    peak_rss_mb: float
    caption_s: float = 0.0
    """Seconds of scoring the candidate captions; not part of `fit_s` and `score_s`."""
    training_s: float = 0.0
    """Seconds of model training in `fit_s`; a model from the cache counts with the time of its training."""


class BaseModelSummary(BaseModel):
    """The audited model on the test split: accuracies, sizes and the minority rate."""

    model_config = PLAIN

    accuracy: float | None
    minority_accuracy: float | None
    majority_accuracy: float | None
    minority_rate: float | None
    n_test: int
    n_classes: int


class ClassCaptions(BaseModel):
    """Ranking of one class's captions; texts by decreasing hardness, ties by position."""

    model_config = PLAIN

    hardest: tuple[Text, ...]
    easiest: tuple[Text, ...]
    candidates: int
    naming: tuple[Text, ...]
    """The candidates that name a planted group of the class."""
    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    """Both as in `CaptionOutcome`."""


class CaptionOutcome(BaseModel):
    """Caption metrics of a cell.

    `hit_at_1`, `hit_at_2` and `mrr` are means over the classes in which a candidate names a group.
    `gap` is the mean of the easy–hard gap over K and classes, with its 95 % interval `gap_low`,
    `gap_high`. `p` is the exact probability of at least as many hits by chance.
    """

    model_config = PLAIN

    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    p: dict[str, float]
    per_class: dict[str, ClassCaptions]


class SliceFinding(BaseModel):
    """A slice on the test split: members, error rate, Δ against the rest of the class with its 95 % interval.

    `group` is the planted group that at least half of the members belong to. A value is None if it
    is undefined: for an empty slice, a slice that is a whole class, or unknown errors.
    """

    model_config = PLAIN

    name: Text
    size: int
    error_rate: float | None
    delta: float | None
    low: float | None
    high: float | None
    group: Text | None


class SliceOutcome(BaseModel):
    """Metrics of the `k` slices that a method returned.

    Keys are those of `slicebench.metrics.slices.SLICE_METRICS`.
    """

    model_config = PLAIN

    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    k: int
    per_slice: tuple[SliceFinding, ...]


class Identity(BaseModel):
    """Base class of records: the fields that identify the problem, which come first in the file."""

    model_config = PLAIN

    schema_version: int
    problem: str
    family: str
    dataset: str
    dataset_version: Text
    dataset_params: Params
    encoder: str
    seed: int


class Record(Identity):
    """Outcome of one cell (problem × method).

    `metrics` and `chance` have the same keys, the names of `slicebench.metrics.ranking.METRICS`. A
    value is None if the metric is undefined: a class smaller than K, no flags, nothing planted.
    `per_class` holds the same metrics for each class.
    """

    schema_version: int = SCHEMA_VERSION
    method: str
    method_version: Text
    method_params: Params
    status: Status
    reason: Line | None = None
    metrics: dict[str, float | None] = {}
    chance: dict[str, float | None] = {}
    per_class: dict[str, dict[str, float | None]] = {}
    strength: dict[str, float | None] | None = None
    captions: CaptionOutcome | None = None
    """None if the problem has no candidate captions."""
    slices: SliceOutcome | None = None
    """None if the method reports neither slices nor flags, and in records of schema versions 1 and 2."""
    notes: tuple[Text, ...] = ()
    """The method's notes on its own fit, such as classes in which it fell back to another score."""
    base_model: BaseModelSummary | None = None
    cost: Cost | None = None
    isolation: Literal["landlock", "none"] | None = None
    """What kept the method from the truth; None in records of schema versions before 6."""
    decoy_p: float | None = None
    """Probability that the method ranks a false truth this high by chance; see `slicebench.evaluation.isolation`."""
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
    """Facts about a problem for readers of its results."""

    model_config = PLAIN

    modality: str
    kind: Kind = "planted"
    """Default for runs that were stored before there were natural groups."""
    how: Text
    """Description of how the plant was made, or of what is hard and why."""
    groups: tuple[Text, ...]
    class_names: tuple[Text, ...]
