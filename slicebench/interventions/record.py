"""The record of an arm: what was done to the training data, and what the retrained models are worth."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from slicebench.record import Status  # noqa: TC001 - pydantic reads it at run time

SCHEMA_VERSION = 1


class InterventionRecord(BaseModel):
    """Outcome of one arm: a problem, an intervention with its parameters, and the method that guides it, if any does.

    `accuracy` has a value per retraining seed, in the order of `retraining_seeds`, on the test split: "overall", "minority",
    "majority", "worst_group" (of class × planted membership), "heldout" (the test examples that the base model gets wrong), and
    what the intervention asks for; "seed" is the accuracy on the val examples that the base model gets wrong. None where there
    are no such examples. `chosen` counts, by class, the examples that the budget was spent on, `chosen_minority` is the share of
    planted ones among them, both means over retraining seeds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    problem: str
    family: str
    dataset: str
    dataset_version: str
    dataset_params: dict[str, Any]
    encoder: str
    seed: int
    intervention: str
    intervention_version: str
    intervention_params: dict[str, Any]
    method: str | None
    method_version: str | None
    method_params: dict[str, Any]
    retraining_seeds: tuple[int, ...]
    status: Status
    reason: str | None = None
    accuracy: dict[str, tuple[float | None, ...]] = {}
    base_accuracy: dict[str, float | None] = {}
    """The same of the audited model itself."""
    group_accuracy: dict[str, tuple[float, ...]] = {}
    """By class and planted membership: "circle, planted", "circle, rest"."""
    chosen: dict[str, float] = {}
    chosen_minority: float | None = None
    trained_on: float | None = None
    """Examples in the treated train split."""
    notes: tuple[str, ...] = ()
    choosing_s: float = 0.0
    """Seconds to fit the method and to choose, mean over retraining seeds."""
    training_s: float = 0.0
    """Seconds to train the model, mean over retraining seeds."""
    measures: dict[str, float] = {}
    """What the intervention measured itself, such as bytes and dimensions of a retrieval."""
    code_version: str
    hardware: str
    date: str
