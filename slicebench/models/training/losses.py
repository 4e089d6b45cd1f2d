"""Losses as functions of logits, one value per example; gradients come from autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.functional import cross_entropy as _cross_entropy

from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute -log p_y for logits (n, C) and class numbers (n,); shape (n,)."""
    return _cross_entropy(logits, labels, reduction="none")


def generalised_cross_entropy(logits: Tensor, labels: Tensor, q: float) -> Tensor:
    """Compute (1 - p_y^q) / q of Zhang & Sabuncu (2018), eq. 6; shape (n,).

    The arguments are logits (n, C) and class numbers (n,).

    The gradient is p_y^q ∇(-log p_y). LfF's released loss also multiplies it by q. The loss is
    computed from log p_y, so that neither value nor gradient overflows as p_y goes to 0.
    """
    return -torch.expm1(-q * cross_entropy(logits, labels)) / q


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute -log p of the true label, 0 or 1, (n,); shape (n,).

    There is one logit of class 1 per example, (n, 1).
    """
    return binary_cross_entropy_with_logits(logits.squeeze(1), labels.to(logits.dtype), reduction="none")


def per_example(loss: str, logits: Tensor, labels: Tensor, q: float) -> Tensor:
    """Compute the loss named "ce", "gce" or "bce", per example.

    Raises
    ------
    ConfigError
        for another name.

    """
    if loss == "ce":
        return cross_entropy(logits, labels)
    if loss == "gce":
        return generalised_cross_entropy(logits, labels, q)
    if loss == "bce":
        return binary_cross_entropy(logits, labels)
    raise ConfigError(f"loss is {loss!r}; expected 'ce', 'gce' or 'bce'")
