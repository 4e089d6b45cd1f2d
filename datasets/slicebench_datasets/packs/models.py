"""Base models of packs: recipes of networks, and gradient-boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.models.training import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench_datasets.packs.card import Model

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "small_cnn": {"arch": "small_cnn", "width": 16, "epochs": 12, "batch_size": 64, "peak_lr": 0.1, "peak_epoch": 2},
    "mlp": {"arch": "mlp", "width": 64, "epochs": 20, "batch_size": 64, "peak_lr": 0.05, "peak_epoch": 4},
    "logistic": {"arch": "linear", "epochs": 20, "batch_size": 64, "peak_lr": 0.05, "peak_epoch": 4},
}
"""Usual training of each kind of network; a card may change it."""
TREES = "hist_gradient_boosting"


def recipe_of(model: Model) -> Recipe:
    """Return the recipe of a network; `ConfigError` for settings that cannot be used."""
    return Recipe(**{**RECIPES[model.kind], **model.settings})


class BoostedTrees:
    """scikit-learn's histogram gradient boosting, as a model that is trained once and audited.

    Methods that train models of their own cannot use it: they decline.

    Parameters
    ----------
    settings : mapping
        Parameters of `HistGradientBoostingClassifier`.

    """

    def __init__(self, settings: Mapping[str, int | float]) -> None:
        self.settings = settings

    def fit(self, vectors: NDArray[np.float32], labels: NDArray[np.int64], n_classes: int, seed: int) -> Self:
        """Train on vectors (n, d) and their class numbers (n,)."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.n_classes = n_classes
        self.trees = HistGradientBoostingClassifier(
            random_state=seed, early_stopping=False, **{"max_iter": 100} | dict(self.settings)
        ).fit(vectors, labels)
        return self

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return class probabilities, (n, C)."""
        probs = np.zeros((len(inputs), self.n_classes), dtype=np.float32)
        probs[:, self.trees.classes_] = self.trees.predict_proba(np.asarray(inputs[:]))
        return probs
