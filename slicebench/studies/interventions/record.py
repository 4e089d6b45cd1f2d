"""Records of arms (changes to the training data, accuracies of the retrained models) and their summary."""

from __future__ import annotations

from pydantic import Field

from slicebench.evaluation.record import Identity, Params, Status, Text
from slicebench.metrics.estimate import Estimate, Plain

SCHEMA_VERSION = 1


class InterventionRecord(Identity):
    """Outcome of one arm: a problem, an intervention with its parameters, and the method that guides it, if any.

    `accuracy` has a value per retraining seed, in the order of `retraining_seeds`. On the test split,
    its parts are "overall", "minority", "majority", "worst_group" (of class × planted membership),
    "heldout" (the test examples that the base model gets wrong), and those that the intervention adds.
    "seed" is the accuracy on the val examples that the base model gets wrong. A part without examples
    is None. `chosen` counts, by class, the examples on which the budget was spent. `chosen_minority` is
    the share of planted ones among them. Both are means over retraining seeds.
    """

    schema_version: int = SCHEMA_VERSION
    intervention: str
    intervention_version: Text
    intervention_params: Params
    method: str | None
    method_version: Text | None
    method_params: Params
    retraining_seeds: tuple[int, ...]
    status: Status
    reason: Text | None = None
    accuracy: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    base_accuracy: dict[str, float | None] = Field(default_factory=dict)
    """Accuracies of the audited model itself, by the same parts."""
    group_accuracy: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Accuracies by class and planted membership: "circle, planted", "circle, rest"."""
    chosen: dict[str, float] = Field(default_factory=dict)
    chosen_minority: float | None = None
    trained_on: float | None = None
    """Number of examples in the treated train split."""
    notes: tuple[Text, ...] = ()
    choosing_s: float = 0.0
    """Seconds to fit the method and to choose, mean over retraining seeds."""
    training_s: float = 0.0
    """Seconds to train the model, mean over retraining seeds."""
    measures: dict[str, float] = Field(default_factory=dict)
    """The intervention's own measurements, such as bytes and dimensions of a retrieval."""
    code_version: str
    hardware: str
    date: str


class ArmRow(Plain):
    """One arm over the seeds of its problem.

    `values` are accuracies by part: "overall", "minority", "majority", "worst_group", "heldout", "seed",
    and those that the intervention adds. `change` has the differences from the same model retrained
    without intervention, and `against` those from the arm `reference`. `recovery` is the gain in
    minority accuracy over `random` as a share of the oracle's gain; it is None if the interval of the
    oracle's gain includes 0. An arm that did not end "ok" at every seed has a reason in `missing` and no values.
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
    """Number of examples on which the budget was spent."""
    chosen_minority: float | None = None
    trained_on: float | None = None
    choosing_s: float | None = None
    training_s: float | None = None
    measures: dict[str, float] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    missing: str | None = None


class InterventionBoard(Plain):
    """All arms of a run.

    Means are over the `seeds` of each problem and, at each seed, over `retrain` trained models.
    """

    suite: str
    seeds: tuple[int, ...]
    retrain: int
    base: dict[str, dict[str, float]]
    """Accuracies of the audited models by problem and part, as means over seeds."""
    rows: tuple[ArmRow, ...]
