"""Fine-tuning of a model's last layer on its own penultimate features."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from slicebench.errors import ConfigError, TrainingError
from slicebench.models.devices import one_thread
from slicebench.models.training.descent import Momentum
from slicebench.models.training.losses import per_example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.models.training.fitted import FittedModel


def fine_tuned(
    model: FittedModel, inputs: Inputs, labels: NDArray[np.int64], *, epochs: int, rate: float, seed: int
) -> FittedModel:
    """Train the head of a model for `epochs` more passes over `inputs`.

    The features do not change. Momentum, weight decay, batch size and loss are those of the model's
    recipe. The learning rate falls linearly from `rate` to 0, and `seed` orders the examples. O(n)
    forward passes, then O(epochs · n · h · C) for h features and C outputs.

    Raises
    ------
    ConfigError
        for no epochs or a rate that is not positive.
    DataError
        if the inputs are not of the kind that the model was trained on.
    TrainingError
        if the loss is no longer finite.

    """
    if epochs < 1 or not 0 < rate < math.inf:
        raise ConfigError(f"epochs is {epochs} and rate is {rate}; expected 1 or more epochs and a finite rate above 0")
    start, recipe = perf_counter(), model.recipe
    features, y = torch.from_numpy(model.latent(inputs)), torch.as_tensor(labels)
    network = copy.deepcopy(model.network).cpu()
    optimiser = Momentum(list(network.head.parameters()), recipe)
    order = torch.Generator().manual_seed(seed)
    with one_thread():
        for epoch in range(epochs):
            batches = torch.randperm(len(y), generator=order).tensor_split(math.ceil(len(y) / recipe.batch_size))
            for step, rows in enumerate(batches):
                loss = per_example(recipe.loss, network.head(features[rows]), y[rows], recipe.q).mean()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step(rate * (1 - (epoch + step / len(batches)) / epochs))
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"fine-tuning diverged: the loss is {loss.item()} in epoch {epoch + 1}; lower the rate"
                )
    device = model.network.head.weight.device
    return replace(model, network=network.to(device).eval(), seconds=model.seconds + perf_counter() - start)
