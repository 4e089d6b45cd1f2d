"""Stochastic gradient descent: one or several networks trained side by side on the same batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from slicebench.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from slicebench.models.training.examples import TrainExamples
    from slicebench.models.training.networks import Network
    from slicebench.models.training.recipe import Recipe


def descend(
    networks: Sequence[Network],
    recipe: Recipe,
    x: TrainExamples,
    objective: Callable[[Tensor, list[Tensor]], Tensor],
    *,
    epochs: int,
    after_epoch: Callable[[int], None],
) -> None:
    """Train `networks` in place for the first `epochs` epochs of the recipe's schedule.

    `objective(rows, logits)` gives the scalar to minimise from the positions of a batch, (b,), and each network's logits,
    (b, outputs); `after_epoch` is called with the number of epochs done. Examples come in an order drawn
    from the recipe's seed, so a shorter run is a prefix of a longer one.

    Raises
    ------
    TrainingError
        at the end of an epoch in which the objective was not finite.

    """
    optimiser = Momentum([p for network in networks for p in network.parameters()], recipe)
    order = torch.Generator().manual_seed(recipe.seed)
    for epoch in range(epochs):
        for network in networks:
            network.train()
        total = torch.zeros((), device=x.device)
        # Equal sizes up to one: a last batch of a few examples would be a step of pure noise.
        batches = torch.randperm(len(x), generator=order).tensor_split(math.ceil(len(x) / recipe.batch_size))
        for step, rows_ in enumerate(batches):
            rows, rate = rows_.to(x.device), _rate(recipe, epoch + step / len(batches))
            batch = x.take(rows_)
            if recipe.augment:
                batch = mirrored_and_shifted(batch, order)
            loss = objective(rows, [network(batch) for network in networks])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step(rate)
            total += loss.detach()
        if not torch.isfinite(total):
            raise TrainingError(
                f"training of {recipe.arch!r} diverged: the loss is {float(total)} in epoch {epoch + 1} of {recipe.epochs}; "
                f"lower peak_lr (now {recipe.peak_lr})"
            )
        after_epoch(epoch + 1)


def _rate(recipe: Recipe, epoch: float) -> float:
    return triangular(epoch, epochs=recipe.epochs, peak_epoch=recipe.peak_epoch, peak_lr=recipe.peak_lr)


class Momentum:
    """Stochastic gradient descent with momentum and weight decay, equal to `torch.optim.SGD`.

    That class imports torch's compiler when it is first used: 1.1 s in every worker process, as long as the whole training of
    a small model.
    """

    def __init__(self, parameters: Sequence[Tensor], recipe: Recipe) -> None:
        self.parameters, self.recipe = parameters, recipe
        self.velocities = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter by its gradient at the learning rate `rate`, and clear the gradient."""
        for p, velocity in zip(self.parameters, self.velocities, strict=True):
            assert p.grad is not None
            velocity.mul_(self.recipe.momentum).add_(p.grad).add_(p, alpha=self.recipe.weight_decay)
            p.sub_(velocity, alpha=rate)
            p.grad = None


def triangular(epoch: float, *, epochs: int, peak_epoch: float, peak_lr: float) -> float:
    """Return the learning rate at a fractional `epoch`.

    It is 0 at 0, `peak_lr` at `peak_epoch`, 0 at `epochs`, linear between.

    >>> [triangular(e, epochs=4, peak_epoch=1, peak_lr=0.6) for e in (0, 0.5, 1, 2.5, 4)]
    [0.0, 0.3, 0.6, 0.3, 0.0]
    """
    if epoch < peak_epoch:
        return peak_lr * epoch / peak_epoch
    if epoch >= epochs:
        return peak_lr if epochs == peak_epoch else 0.0
    return peak_lr * (epochs - epoch) / (epochs - peak_epoch)


def mirrored_and_shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (b, channels, H, W) with probability 1/2, and shift it.

    The shift is up to an eighth of the side; edges are repeated.
    """
    b, _, height, width = images.shape
    ys, xs = (_positions(b, side, generator) for side in (height, width))
    mirror = torch.rand(b, 1, generator=generator) < 0.5
    xs = torch.where(mirror, width - 1 - xs, xs)
    image, ys, xs = (
        index.to(images.device) for index in (torch.arange(b)[:, None, None], ys[:, :, None], xs[:, None, :])
    )
    return images.permute(0, 2, 3, 1)[image, ys, xs].permute(0, 3, 1, 2)


def _positions(b: int, side: int, generator: torch.Generator) -> Tensor:
    """Return the source position of each of `side` pixels in `b` shifted images, (b, side)."""
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (b, 1), generator=generator)
    return (torch.arange(side) + shift).clamp(0, side - 1)
