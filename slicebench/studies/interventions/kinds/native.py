"""Repairs by methods themselves: JTT's second stage, LfF's debiased network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.plugins.method import SliceMethod
from slicebench.studies.interventions.contract import Intervention, Treatment

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.trainer import TrainedModel
    from slicebench.studies.interventions.contract import Audit


class Native(Intervention):
    """Intervention in which the method trains a better model by its own rule, `SliceMethod.repair`.

    Methods without such a rule are skipped. There is no common budget, so these models are not
    comparable with each other.
    """

    def supports(self, data: AuditData, method: SliceMethod | None) -> str | None:
        """Return the reason why the intervention cannot run on the data, or None.

        The method must have a rule of its own.
        """
        if method is not None and type(method).repair is SliceMethod.repair:
            return "the method has no rule of its own to train a better model"
        return super().supports(data, method)

    def treat(self, audit: Audit, seed: int) -> Treatment:  # noqa: ARG002
        """Return a treatment without changes; `repair` does the work."""
        return Treatment(chosen=np.empty(0, dtype=np.str_))

    def repair(self, audit: Audit, treatment: Treatment, seed: int) -> TrainedModel:  # noqa: ARG002
        """Train the method's own model."""
        return audit.guide.repair(audit.data, seed)
