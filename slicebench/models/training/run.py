"""Run one training, from arrays to fitted models."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from slicebench.models.devices import device
from slicebench.models.training.descent import descend
from slicebench.models.training.examples import TrainExamples
from slicebench.models.training.fitted import FittedModel, n_outputs
from slicebench.models.training.losses import per_example
from slicebench.models.training.networks import build, threads_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.models.training.objective import Objective
    from slicebench.models.training.recipe import Recipe


class Supervised:
    """Objective of the recipe's loss, averaged over the batch, with optional factors (n,) per train example."""

    def __init__(self, recipe: Recipe, factors: NDArray[np.float32] | None) -> None:
        self.recipe, self.factors = recipe, factors

    def describe(self) -> dict[str, Any]:
        """Return an empty mapping: recipe and factors are already in the cache key."""
        return {}

    def start(self, labels: Tensor, n_classes: int) -> None:  # noqa: ARG002
        """Copy labels and factors to the device."""
        self.labels = labels
        self.weights = None if self.factors is None else torch.tensor(self.factors, device=labels.device)

    def __call__(self, rows: Tensor, logits: list[Tensor]) -> Tensor:
        """Return the mean loss, with each loss multiplied by its factor."""
        losses = per_example(self.recipe.loss, logits[0], self.labels[rows], self.recipe.q)
        return (losses if self.weights is None else losses * self.weights[rows]).mean()


def train(
    recipe: Recipe,
    examples: NDArray[Any],
    labels: NDArray[np.int64],
    n_classes: int,
    objective: Objective,
    *,
    epochs: int,
    models: int = 1,
    keep: Callable[[int, tuple[FittedModel, ...]], None] = lambda _epoch, _models: None,
) -> tuple[FittedModel, ...]:
    """Train `models` networks side by side; `keep` is called with their current state after every epoch.

    Raises
    ------
    TrainingError
        if the run diverges.

    """
    with threads_of(recipe.arch), torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False):
        start, x = perf_counter(), TrainExamples(examples, device())
        shape = x.shape
        networks = [build(recipe.but(seed=recipe.seed + i), shape, n_outputs(recipe, n_classes)) for i in range(models)]
        for network in networks:
            network.normalise.learn(x.chunks)
            network.to(device())
        objective.start(torch.tensor(labels, device=device()), n_classes)

        def fitted() -> tuple[FittedModel, ...]:
            share = (perf_counter() - start) / models
            return tuple(
                FittedModel(recipe=recipe, shape=shape, n_classes=n_classes, network=network, seconds=share)
                for network in networks
            )

        descend(networks, recipe, x, objective, epochs=epochs, after_epoch=lambda k: keep(k, fitted()))
        return fitted()
