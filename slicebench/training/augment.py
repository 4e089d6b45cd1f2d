"""Random changes of train images that leave their class alone."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored_and_shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (b, channels, H, W) mirrored with probability 1/2 and shifted by up to an eighth of its side, edges repeated."""
    b, _, height, width = images.shape
    ys, xs = (_positions(b, side, generator) for side in (height, width))
    mirror = torch.rand(b, 1, generator=generator) < 0.5
    xs = torch.where(mirror, width - 1 - xs, xs)
    image, ys, xs = (
        index.to(images.device) for index in (torch.arange(b)[:, None, None], ys[:, :, None], xs[:, None, :])
    )
    return images.permute(0, 2, 3, 1)[image, ys, xs].permute(0, 3, 1, 2)


def _positions(b: int, side: int, generator: torch.Generator) -> Tensor:
    """Where each of the `side` pixels of `b` shifted images comes from, (b, side)."""
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (b, 1), generator=generator)
    return (torch.arange(side) + shift).clamp(0, side - 1)
