"""Read a regression: true and predicted numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.kinds import FEW, SAMPLE, numbers_in
from slicebench.data.schema.outcomes.outcomes import Outcomes
from slicebench.data.schema.roles import parameter
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable

    Floats = NDArray[np.float64]


ERROR_NAMES = {
    "absolute": "absolute error",
    "squared": "squared error",
    "over": "error (prediction minus truth)",
    "under": "error (truth minus prediction)",
}
"""What `error` may be, in words."""


_LOSSES: dict[str, Callable[[Floats], Floats]] = {
    "absolute": np.abs,
    "squared": np.square,
    "over": np.positive,
    "under": np.negative,
}


def is_regression(table: UserTable, roles: Roles) -> bool:
    """Return True if labels and predictions are measured numbers: fractions, or more than `FEW` different ones.

    Labels of few whole numbers, such as 1 to 5 stars, are classes unless `task` says "regression".
    """
    if roles.task is not None:
        return roles.task == "regression"
    if roles.label is None or roles.prediction is None or roles.has_probabilities:
        return False
    truth, said = (numbers_or_none(table.frame[name]) for name in (roles.label, roles.prediction))
    if truth is None or said is None:
        return False
    fractions = [bool((np.floor(values) != values).mean() > 0.1) for values in (truth, said)]
    many = len(np.unique(truth)) > FEW
    return many and (any(fractions) or (len(np.unique(said)) > FEW and not _mostly_equal(truth, said)))


def _mostly_equal(truth: Floats, said: Floats) -> bool:
    """Return True if a third of the predictions are exactly right, as those of classes are."""
    return bool((truth == said).mean() > 1 / 3)


def numbers_or_none(column: pd.Series[Any]) -> Floats | None:
    """Return the values of a column that are there as numbers; None unless all are finite numbers."""
    if column.dtype.kind == "b":
        return None
    known = column.dropna()
    try:
        if numbers_in(known.iloc[:SAMPLE]).isna().any():
            return None
        numbers = numbers_in(known)
    except TypeError:
        return None
    values: Floats = numbers.to_numpy()
    return values if len(values) and np.isfinite(values).all() else None


def regression(table: UserTable, roles: Roles) -> Outcomes:
    """Read errors, prediction minus truth, and the losses that `error` makes of them."""
    if roles.prediction is None or roles.label is None:
        raise ConfigError(
            f"a regression needs a column of true numbers ({parameter('label')}) and one of predicted numbers "
            f"({parameter('prediction')})"
        )
    errors = table.numbers(roles.prediction) - table.numbers(roles.label)
    note = f"Slices are compared by the mean {ERROR_NAMES[roles.error]}."
    if roles.task is None:
        note = (
            f"Columns {roles.label!r} and {roles.prediction!r} hold measured numbers, so this is a regression. "
            f"{note} If the numbers are classes: {parameter('task', 'classification')}."
        )
    return Outcomes(task="regression", losses=_LOSSES[roles.error](errors), errors=errors, notes=[note])
