"""The record of an arm: what was done to the training data, and what the retrained models are worth."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from slicebench.evaluation.record import Identity, Status
from slicebench.metrics.estimate import Estimate, Plain

SCHEMA_VERSION = 1


class InterventionRecord(Identity):
    """Outcome of one arm: a problem, an intervention with its parameters, and the method that guides it, if any does.

    `accuracy` has a value per retraining seed, in the order of `retraining_seeds`, on the test split: "overall", "minority",
    "majority", "worst_group" (of class × planted membership), "heldout" (the test examples that the base model gets wrong), and
    what the intervention asks for; "seed" is the accuracy on the val examples that the base model gets wrong. None where there
    are no such examples. `chosen` counts, by class, the examples that the budget was spent on, `chosen_minority` is the share of
    planted ones among them, both means over retraining seeds.
    """

    schema_version: int = SCHEMA_VERSION
    intervention: str
    intervention_version: str
    intervention_params: dict[str, Any]
    method: str | None
    method_version: str | None
    method_params: dict[str, Any]
    retraining_seeds: tuple[int, ...]
    status: Status
    reason: str | None = None
    accuracy: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    base_accuracy: dict[str, float | None] = Field(default_factory=dict)
    """The same of the audited model itself."""
    group_accuracy: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """By class and planted membership: "circle, planted", "circle, rest"."""
    chosen: dict[str, float] = Field(default_factory=dict)
    chosen_minority: float | None = None
    trained_on: float | None = None
    """Examples in the treated train split."""
    notes: tuple[str, ...] = ()
    choosing_s: float = 0.0
    """Seconds to fit the method and to choose, mean over retraining seeds."""
    training_s: float = 0.0
    """Seconds to train the model, mean over retraining seeds."""
    measures: dict[str, float] = Field(default_factory=dict)
    """What the intervention measured itself, such as bytes and dimensions of a retrieval."""
    code_version: str
    hardware: str
    date: str


class ArmRow(Plain):
    """One arm over the seeds of its problem.

    `values` are accuracies by part ("overall", "minority", "majority", "worst_group", "heldout", "seed", and what the
    intervention asks for), `change` the differences to the same model retrained without intervention, `against` those to the arm
    `reference`. `recovery` is the gain in minority accuracy over `random` as a share of the oracle's; None where the
    oracle's gain cannot be distinguished from 0. An arm that did not end well at every seed says
    so in `missing` and has no values.
    """

    problem: str
    intervention: str
    variant: str
    params: dict[str, str | float | int | bool | None]
    method: str | None
    values: dict[str, Estimate] = Field(default_factory=dict)
    change: dict[str, Estimate] = Field(default_factory=dict)
    reference: str | None = None
    against: dict[str, Estimate] = Field(default_factory=dict)
    recovery: Estimate | None = None
    chosen: float | None = None
    """Examples that the budget was spent on."""
    chosen_minority: float | None = None
    trained_on: float | None = None
    choosing_s: float | None = None
    training_s: float | None = None
    measures: dict[str, float] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    missing: str | None = None


class InterventionBoard(Plain):
    """All arms of a run. Means are over `seeds` draws of each problem and, in each, over `retrain` trained models."""

    suite: str
    seeds: tuple[int, ...]
    retrain: int
    base: dict[str, dict[str, float]]
    """Accuracies of the audited models, by problem and part, mean over seeds."""
    rows: tuple[ArmRow, ...]
