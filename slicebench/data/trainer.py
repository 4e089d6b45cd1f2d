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
    """Trains models with the base model's own recipe on the train split; every second spent is counted as cost."""

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
        """Seconds of training asked for so far, whether done here or found in the cache."""
        ...

    @property
    def seconds_saved(self) -> float:
        """Those of `seconds` that the cache saved."""
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
        """Train from scratch; what is not given is as the base model had it.

        `loss` is "ce", "gce" or "bce", `q` the exponent of "gce", `weights` one non-negative weight per train example, and
        `stop_epoch` ends the run after that many epochs of the unchanged learning-rate schedule.
        """
        ...
