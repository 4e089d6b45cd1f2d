"""Make a table of predictions with a scikit-learn model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


LABEL, PREDICTION, PROBS = "y_true", "y_pred", "y_probs"
FOLDS = 5


def predicted_table(model: Any, X: Any, y: Any, *, cross_validate: bool) -> pd.DataFrame:
    """Return the rows of X with true values, predictions, and probabilities if the model gives them.

    With `cross_validate`, each row is predicted by a copy of the model that was fitted without it.

    Raises
    ------
    ConfigError
        if y is missing or has another length, the model cannot predict, or X has a column of the names that are added.

    """
    import pandas as pd

    if y is None or len(y) != len(X):
        raise ConfigError(f"y has {'no' if y is None else len(y)} values for {len(X)} rows of X; expected one for each")
    if isinstance(model, type) or not hasattr(model, "predict"):
        said = model.__name__ if isinstance(model, type) else type(model).__name__
        raise ConfigError(f"model is {said}, which cannot predict; expected a fitted scikit-learn estimator")
    frame = X.reset_index(drop=True) if isinstance(X, pd.DataFrame) else _of_array(X)
    if taken := [name for name in (LABEL, PREDICTION, PROBS) if name in frame]:
        raise ConfigError(f"X has a column {taken[0]!r}, the name of what is added; rename it")
    added: dict[str, Any] = {LABEL: np.asarray(y), PREDICTION: _predicted(model, X, y, "predict", cross_validate)}
    if hasattr(model, "predict_proba"):
        order = np.unique(np.asarray(y)).tolist() if cross_validate else list(model.classes_)
        if set(order) == set(np.unique(np.asarray(y)).tolist()):
            added[PROBS] = [*np.asarray(_predicted(model, X, y, "predict_proba", cross_validate), dtype=np.float64)]
    return frame.assign(**added)


def _predicted(model: Any, X: Any, y: Any, method: str, cross_validate: bool) -> Any:  # noqa: FBT001
    from sklearn.model_selection import cross_val_predict

    try:
        said = cross_val_predict(model, X, y, cv=FOLDS, method=method) if cross_validate else getattr(model, method)(X)
    except Exception as error:  # each library has errors of its own
        raise ConfigError(f"{type(model).__name__} cannot predict X: {type(error).__name__}: {error}") from error
    if len(said) != len(X) or np.ndim(said) != (1 if method == "predict" else 2):
        raise ConfigError(
            f"{type(model).__name__}.{method} has shape {np.shape(said)}; expected one answer for each row"
        )
    return said


def _of_array(X: Any) -> pd.DataFrame:
    import pandas as pd

    values = np.asarray(X)
    if values.ndim != 2:
        raise ConfigError(f"X has shape {values.shape}; expected a table or an array (n, d)")
    return pd.DataFrame(values, columns=[f"x{j}" for j in range(values.shape[1])])
