"""No intervention: the base model, trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicebench.studies.interventions.contract import Intervention, Treatment

if TYPE_CHECKING:
    from slicebench.studies.interventions.contract import Audit


class Nothing(Intervention):
    """Trains the base model from the retraining seeds and changes nothing: where every intervention starts."""

    guided: ClassVar[bool] = False

    def treat(self, audit: Audit, seed: int) -> Treatment:  # noqa: ARG002
        """Leave the training data as they are."""
        return Treatment(chosen=np.empty(0, dtype=np.str_))
