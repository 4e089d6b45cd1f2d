"""What interventions came to: a row per problem, variant and method, JSON-ready; nobody who reads it computes an interval."""

from __future__ import annotations

from pydantic import Field

from slicebench.board import Estimate, Plain


class ArmRow(Plain):
    """One arm over the seeds of its problem.

    `values` are accuracies by part ("overall", "minority", "majority", "worst_group", "heldout", "seed", and what the
    intervention asks for), `change` the differences to the same model retrained without intervention, `against` those to the arm
    `reference`. `recovery` is the gain in minority accuracy over `random` as a share of the oracle's; None where the oracle gains
    nothing that can be told from 0. An arm that did not end well at every seed says so in `missing` and has no values.
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
