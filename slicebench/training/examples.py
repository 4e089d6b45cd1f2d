"""From raw inputs to the tensors that networks take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from slicebench.errors import DataError
from slicebench.validation import array_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.split import Inputs


def array_from(inputs: Inputs, rows: slice = slice(None)) -> NDArray[Any]:
    """Give the examples of `rows`: uint8 images (n, H, W) or (n, H, W, channels), or float32 vectors (n, p).

    Raises
    ------
    DataError
        for anything else: texts, float images, values that are not finite.

    """
    raw = np.asarray(inputs[rows])
    if raw.ndim in (3, 4) and raw.dtype == np.uint8:
        return np.ascontiguousarray(raw)
    if raw.ndim == 2:
        return array_of("inputs", raw, np.float32, 2)
    raise DataError(
        f"inputs are {raw.dtype} of shape {raw.shape}; models are trained on uint8 images (n, H, W) or (n, H, W, channels), "
        "or on vectors (n, p)"
    )


def tensor_of(examples: NDArray[Any]) -> Tensor:
    """Copy images to uint8 (n, channels, H, W), channels last in memory; vectors to float32 (n, p)."""
    if examples.ndim == 2:
        return torch.tensor(examples)
    images = examples[..., None] if examples.ndim == 3 else examples
    return torch.tensor(images).permute(0, 3, 1, 2)


def batches(inputs: Inputs, shape: tuple[int, ...], rows: int) -> Iterator[Tensor]:
    """Tensors of `rows` examples at a time, loaded when their turn comes.

    Raises
    ------
    DataError
        unless every example has the `shape` that the model was trained on.

    """
    for start in range(0, len(inputs), rows):
        batch = tensor_of(array_from(inputs, slice(start, start + rows)))
        if tuple(batch.shape[1:]) != shape:
            raise DataError(
                f"inputs have shape {tuple(batch.shape[1:])} at row {start}; the model was trained on {shape}"
            )
        yield batch
