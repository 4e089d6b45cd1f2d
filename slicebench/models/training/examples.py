"""Convert raw inputs to the tensors that networks take."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from slicebench.data.checks import array_of
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.data.split import Inputs
    from slicebench.models.encoders.encoder import Encoder


ROWS = 256
"""Examples converted, or passed through a network, at a time, so that memory does not grow with n."""
HELD_BYTES = 2**28
"""Memory maps up to this size are read into memory for training; larger ones are read batch by batch."""


def read_through(features: str | None, inputs: Inputs) -> Inputs:
    """Return the inputs themselves, or their embeddings by the encoder named `features`.

    Raises
    ------
    ConfigError
        for an encoder that has to be fitted.

    """
    if features is None:
        return inputs
    from slicebench.models.encoders.cached import embed

    return embed(_reader(features), inputs)


@lru_cache(maxsize=2)
def _reader(name: str) -> Encoder:
    """Return the encoder `name`; its weights are loaded once."""
    from slicebench.models.encoders.encoder import make_encoder

    encoder = make_encoder(name)
    if encoder.fingerprint() is None:
        raise ConfigError(f"features is {name!r}; expected an encoder with its own weights, such as 'nano-clip'")
    return encoder


def array_from(inputs: Inputs, rows: slice = slice(None)) -> NDArray[Any]:
    """Return the examples of `rows` as an array.

    It holds uint8 images (n, H, W) or (n, H, W, channels), or float32 vectors (n, p). A memory map
    of images stays a memory map.

    Raises
    ------
    DataError
        for anything else: texts, float images, values that are not finite.

    """
    found = inputs[rows]
    raw = np.asarray(found)
    if raw.ndim in (3, 4) and raw.dtype == np.uint8:
        return found if isinstance(found, np.memmap) else np.ascontiguousarray(raw)
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


class TrainExamples:
    """The n examples that a network is trained on.

    They are held in the memory of `device`; a large memory map is read batch by batch.
    """

    def __init__(self, array: NDArray[Any], device: str) -> None:
        self.array, self.device = array, device
        streams = isinstance(array, np.memmap) and array.nbytes > HELD_BYTES
        self._held = None if streams else tensor_of(array).to(device)

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example as a tensor."""
        return tuple(tensor_of(self.array[:1]).shape[1:])

    def take(self, rows: Tensor) -> Tensor:
        """Return the examples at `rows`, (b,), on the device."""
        if self._held is not None:
            return self._held[rows.to(self.device)]
        return tensor_of(self.array[rows.numpy()]).to(self.device)

    def chunks(self) -> Iterator[Tensor]:
        """Yield all examples in order, `ROWS` at a time, on the CPU."""
        return (tensor_of(self.array[start : start + ROWS]) for start in range(0, len(self), ROWS))


def batches(inputs: Inputs, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """Yield tensors of `ROWS` examples, loading one tensor at a time.

    Raises
    ------
    DataError
        unless every example has the `shape` that the model was trained on.

    """
    for start in range(0, len(inputs), ROWS):
        batch = tensor_of(array_from(inputs, slice(start, start + ROWS)))
        if tuple(batch.shape[1:]) != shape:
            raise DataError(
                f"inputs have shape {tuple(batch.shape[1:])} at row {start}; the model was trained on {shape}"
            )
        yield batch
