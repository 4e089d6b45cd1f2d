"""Read what the model said of each example and whether it was right: classes, probabilities, scores, numbers, losses.

`reading` decides what task the columns describe. `classification`, `regression` and `multi_label` read one task each, and
`probabilities` what a classification says of every class.
"""

from __future__ import annotations

from slicebench.data.schema.outcomes.outcomes import Outcomes
from slicebench.data.schema.outcomes.reading import outcomes_of
from slicebench.data.schema.outcomes.regression import ERROR_NAMES

__all__ = ["ERROR_NAMES", "Outcomes", "outcomes_of"]
