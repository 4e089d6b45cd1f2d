"""Small networks for the log-odds of right, several of which are trained together.

A network has one hidden layer of tanh units. With its gradient written out, a step is two matrix products and a few passes
over the units; PyTorch's automatic one spends most of its time between operations at these sizes. Networks of like many
examples are stacked, and share every operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.models.devices import device
from slicebench_methods._batches import like_sized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Network = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

RATE = 0.01
"""Adam's learning rate; with full batches of a few hundred examples the loss is flat long before the last step."""
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
TOGETHER = 2**18
"""Numbers of examples and units that are worked on together; as many fit into a processor's own cache."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Hidden units, L2 penalty, steps of Adam, and seed of the first weights."""

    width: int
    weight_decay: float
    steps: int
    seed: int

    def networks(self, parts: Sequence[NDArray[np.float64]], targets: Sequence[NDArray[np.int64]]) -> list[Network]:
        """Train a network for each part (n, d) with targets (n,), 1 for right: four arrays, as `ErrorMLP.networks_`."""
        sizes = np.array([len(part) for part in parts])
        found: dict[int, Network] = {}
        for members in like_sized(sizes, parts[0].shape[1] + 2 * self.width, most=TOGETHER):
            stack = _Stack(self, [parts[i] for i in members], [targets[i] for i in members])
            for t in range(1, self.steps + 1):
                stack.step(t)
            found |= dict(zip(members.tolist(), stack.networks(), strict=True))
        return [found[i] for i in range(len(parts))]

    def start(self, d: int) -> tuple[Any, Any]:
        """Draw the first weights of the hidden layer, (d, width), and of the output, (width,)."""
        import torch

        generator = torch.Generator().manual_seed(self.seed)
        hidden = torch.randn(d, self.width, generator=generator) * d**0.5 / 2
        return hidden, torch.randn(self.width, generator=generator) / self.width**0.5


class _Stack:
    """Networks of B parts, padded to n examples, with one tensor of all parameters, (B, p).

    A network's parameters are the weights of the hidden layer and below them its biases, (d + 1, width), the weights of the
    output, (width,), and its bias: examples have a last feature of 1.
    """

    def __init__(
        self, training: Training, parts: Sequence[NDArray[np.float64]], targets: Sequence[NDArray[np.int64]]
    ) -> None:
        import torch

        B, n, d, width = len(parts), max(map(len, parts)), parts[0].shape[1], training.width
        Z, y, weights = np.zeros((B, n, d + 1), np.float32), np.zeros((B, n), np.float32), np.zeros((B, n), np.float32)
        for b, (part, target) in enumerate(zip(parts, targets, strict=True)):
            Z[b, : len(part), :d], Z[b, : len(part), d], y[b, : len(part)] = part, 1, target
            # balanced, and divided by the number of examples, for a mean
            weights[b, : len(part)] = (0.5 / np.bincount(target, minlength=2))[target]
        self.torch, where = torch, device()
        self.Z, self.y, self.weights = (torch.tensor(x, device=where) for x in (Z, y[..., None], weights[..., None]))
        self.across = self.Z.transpose(1, 2)
        self.parameters = torch.zeros(B, (d + 2) * width + 1, device=where)
        self.gradient, self.first, self.second = (torch.zeros_like(self.parameters) for _ in range(3))
        self.hidden, self.out, self.offset = self._views(self.parameters, d, width)
        self.by_hidden, self.by_out, self.by_offset = self._views(self.gradient, d, width)
        hidden, out = training.start(d)
        self.hidden[:, :d], self.out[:] = hidden.to(where), out.to(where)[:, None]
        self.decay, self.units = 2 * training.weight_decay, torch.empty(B, n, width, device=where)

    @staticmethod
    def _views(flat: Any, d: int, width: int) -> tuple[Any, Any, Any]:
        """View parameters as those of the hidden layer (B, d + 1, width), the output (B, width, 1) and its bias (B, 1, 1)."""
        end = (d + 1) * width
        return flat[:, :end].view(-1, d + 1, width), flat[:, end:-1, None], flat[:, -1:, None]

    def step(self, t: int) -> None:
        """Make Adam's step `t` = 1, 2, …, on the weighted mean cross-entropy plus the penalty."""
        torch, d = self.torch, self.hidden.shape[1] - 1
        with torch.inference_mode():
            units = torch.bmm(self.Z, self.hidden, out=self.units).tanh_()
            logits = torch.baddbmm(self.offset, units, self.out)
            slope = logits.sigmoid_().sub_(self.y).mul_(self.weights)
            torch.sum(slope, dim=1, keepdim=True, out=self.by_offset)
            torch.bmm(units.transpose(1, 2), slope, out=self.by_out)
            # the derivative of tanh is 1 − tanh²; the output's weights come after the product, where there are fewer numbers
            units.square_().neg_().add_(1).mul_(slope)
            torch.bmm(self.across, units, out=self.by_hidden).mul_(self.out.transpose(1, 2))
            if self.decay:
                self.by_hidden[:, :d].add_(self.hidden[:, :d], alpha=self.decay / d)
                self.by_out.add_(self.out, alpha=self.decay)
            self.first.lerp_(self.gradient, 1 - BETA1)
            self.second.mul_(BETA2).addcmul_(self.gradient, self.gradient, value=1 - BETA2)
            spread = torch.sqrt(self.second, out=self.gradient).mul_((1 - BETA2**t) ** -0.5).add_(EPS)
            self.parameters.addcdiv_(self.first, spread, value=-RATE / (1 - BETA1**t))

    def networks(self) -> list[Network]:
        """Return the networks as arrays: weights and biases of the hidden layer, weights and bias of the output."""
        hidden, out, offset = (x.cpu().numpy().astype(np.float64) for x in (self.hidden, self.out, self.offset))
        return [(hidden[b, :-1], hidden[b, -1], out[b, :, 0], offset[b, 0, 0]) for b in range(len(hidden))]
