"""Protocols of the trainer that methods may use, and of the model that it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from slicebench.data.split import Inputs


class TrainedModel(Protocol):
    """A model that a method trained through the `Trainer`."""

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return class probabilities, shape (n, C)."""
        ...


class Trainer(Protocol):
    """Trainer of models on the train split, by the base model's own recipe.

    Its training time counts as the method's cost.
    """

    @property
    def recipe(self) -> BaseModel:
        """Training recipe of the base model; stored with a frozen problem."""
        ...

    @property
    def epochs(self) -> int:
        """Length of the base model's training, in epochs."""
        ...

    @property
    def seconds(self) -> float:
        """Seconds of training requested so far, whether done here or found in the cache."""
        ...

    @property
    def seconds_saved(self) -> float:
        """Part of `seconds` that the cache saved."""
        ...

    def fit(
        self,
        *,
        loss: str | None = None,
        q: float | None = None,
        weights: NDArray[np.floating[Any]] | None = None,
        stop_epoch: int | None = None,
        seed: int | None = None,
    ) -> TrainedModel:
        """Train a model from scratch.

        Arguments that are not given are as for the base model. `loss` is "ce", "gce" or "bce", `q` is
        the exponent of "gce", and `weights` is one non-negative weight per train example.
        `stop_epoch` ends the run after that many epochs of the unchanged learning-rate schedule.
        """
        ...
