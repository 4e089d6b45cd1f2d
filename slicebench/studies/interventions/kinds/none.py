"""No intervention: train the base model again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicebench.studies.interventions.contract import Intervention, Treatment

if TYPE_CHECKING:
    from slicebench.studies.interventions.contract import Audit


class Nothing(Intervention):
    """Intervention that changes nothing: the base model is trained again from the retraining seeds."""

    guided: ClassVar[bool] = False

    def treat(self, audit: Audit, seed: int) -> Treatment:  # noqa: ARG002
        """Return a treatment without changes."""
        return Treatment(chosen=np.empty(0, dtype=np.str_))
