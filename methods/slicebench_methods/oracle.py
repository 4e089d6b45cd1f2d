"""Upper reference: a method that is given the planted truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from slicebench.plugins.method import SliceMethod, SliceScores

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth


class Oracle(SliceMethod):
    """Rank the planted subgroup first: nAMF is 1 on every problem.

    The evaluator calls `reveal` only on the method registered as "oracle"; nothing that other
    methods are given leads to the truth.

    Hardness, flags and slices are the planted subgroup itself.

    Attributes
    ----------
    truth_ : PlantedTruth
        Truth that the evaluator revealed.

    Complexity: O(n) to score.

    Reference: none; the upper end of the scale.

    """

    requires: ClassVar[frozenset[str]] = frozenset({"truth"})

    def reveal(self, truth: PlantedTruth) -> None:
        """Take the truth; called by the evaluator before `fit`."""
        self.truth_ = truth

    def fit(self, data: AuditData) -> Self:  # noqa: ARG002
        """Return self: there is nothing to learn."""
        self._fitted("truth_")
        return self

    def score(self, split: Split) -> SliceScores:
        """Return the minority as hardness and flags, and one slice per planted group."""
        truth: PlantedTruth = self._fitted("truth_")
        minority = truth.minority(split.ids)
        return SliceScores(
            hardness=minority.astype(float),
            flagged=minority,
            membership=truth.groups_of(split.ids).astype("float32"),
            names=truth.group_names,
        )
