"""Base class of methods whose model of right against wrong in a class is a direction and an intercept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.plugins.method import candidates_of
from slicebench_methods._per_class import PerClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import AuditData


class LinearDirections(PerClass):
    """One linear decision per class.

    A subclass sets `directions_` (C, d), `intercepts_` (C,) and `cv_scores_` (C, ...).
    """

    directions_: NDArray[np.float64]
    intercepts_: NDArray[np.float64]
    cv_scores_: NDArray[np.float64]

    def strength(self) -> NDArray[np.float64]:
        """Return the best cross-validated balanced accuracy per class, shape (C,); NaN where it fell back."""
        scores: NDArray[np.float64] = self._fitted("cv_scores_")
        best: NDArray[np.float64] = scores.max(axis=1)
        return best

    def directions(self, data: AuditData) -> NDArray[np.float64]:
        """Return the direction towards errors in embedding space, shape (C, d).

        It is −w / σ, the gradient of hardness up to its norm. A class that fell back gets the
        default direction, from its confidences.
        """
        directions: NDArray[np.float64] = -self._fitted("directions_") / self.whiten_std_
        fell = list(self.fallbacks_)
        if fell:
            directions[fell] = super().directions(data)[fell]
        return directions

    def caption_hardness(self, data: AuditData) -> NDArray[np.float64]:
        """Return minus each caption's decision value, shape (C, m); a class that fell back gets the default cosines."""
        hardness = -self.caption_scores(candidates_of(data))
        fell = list(self.fallbacks_)
        if fell:
            hardness[fell] = super().caption_hardness(data)[fell]
        return hardness

    def caption_scores(self, captions: Captions) -> NDArray[np.float64]:
        """Compute the decision value of each caption in each class, shape (C, m); the most negative is the hardest.

        It is NaN where the class fell back. The difference to the class's reference caption is
        judged, after the same preprocessing as an image. The mean subtracted there shifts all
        candidates alike, so their order is valid but a threshold is not.
        """
        directions: NDArray[np.float64] = self._fitted("directions_")
        scores = np.empty((len(directions), len(captions.texts)))
        for c, (direction, intercept) in enumerate(zip(directions, self.intercepts_, strict=True)):
            scores[c] = self._preprocess(captions.differences(c)) @ direction + intercept
        return scores

    def _hardness(self, Z: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return minus the decision value of the true class's model."""
        # einsum works row by row: equal examples get equal scores, wherever they stand
        decision = np.einsum("ij,ij->i", Z, self.directions_[labels]) + self.intercepts_[labels]
        hardness: NDArray[np.float64] = -decision
        return hardness
