"""Code that the image encoders share.

Batches are loaded one at a time, a GPU computes in half precision, and progress goes to the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError
from slicebench.files.log import Patience
from slicebench.models.devices import device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.data.split import Inputs

    Images = NDArray[np.uint8]


ROWS = 64
"""Images per forward pass, so that memory does not grow with n."""


def image_batches(inputs: Inputs, rows: int) -> Iterator[Images]:
    """Yield images (rows, H, W, 3), uint8, in order, loaded one batch at a time.

    Grey images are repeated over the channels.

    Raises
    ------
    DataError
        for anything but uint8 images (n, H, W), (n, H, W, 1) or (n, H, W, 3) of one size.

    """
    for start in range(0, len(inputs), rows):
        try:
            images = np.asarray(inputs[start : start + rows])
        except ValueError as error:
            raise DataError(
                f"inputs differ in size from row {start} on ({error}); image encoders need one size"
            ) from error
        shape = images.shape
        images = images[..., None] if images.ndim == 3 else images
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise DataError(
                f"inputs are {images.dtype} of shape {shape}; image encoders take uint8 images (n, H, W) or (n, H, W, 3). "
                "For vectors use 'identity' or 'pixels-pca', for texts 'sentence-transformers'."
            )
        yield np.array(np.broadcast_to(images, (*images.shape[:3], 3)))  # torch wants a writable copy


def encode_images(name: str, inputs: Inputs, function: Callable[[Images], Tensor]) -> NDArray[np.float32]:
    """Apply `function` to the images, batch by batch; shape (n, d).

    On a GPU it runs with autocast to float16.

    Raises
    ------
    DataError
        for inputs that are not images, and without inputs; `name` is that of the encoder.

    """
    import torch

    n, done, parts = len(inputs), 0, []
    if n == 0:
        raise DataError(f"encoder {name!r} got no inputs")
    patience = Patience(f"encoding with {name}", n)
    gpu = device() == "cuda"
    for images in image_batches(inputs, ROWS):
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=gpu):
            parts.append(function(images).float().cpu())
        done += len(images)
        patience.done(done)
    embeddings: NDArray[np.float32] = torch.cat(parts).numpy()
    return embeddings


def resized(images: Images, side: int, mean: Sequence[float], std: Sequence[float], *, full: float = 255.0) -> Tensor:
    """Resize images (n, H, W, 3) to (n, 3, side, side), bilinear and antialiased.

    Values are divided by `full`, then normalised by mean and std.
    """
    import torch
    from torch.nn.functional import interpolate

    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    x = interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    centre, spread = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std))
    return (x / full - centre) / spread


def on_pictures(transform: Callable[[Any], Tensor], images: Images) -> Tensor:
    """Apply a transform that takes one PIL image at a time; return the stacked outputs."""
    import torch
    from PIL import Image

    return torch.stack([transform(Image.fromarray(image)) for image in images])


def unit_rows(vectors: Tensor) -> Tensor:
    """Scale rows to length 1, in single precision."""
    from torch.nn.functional import normalize

    return normalize(vectors.float(), dim=1)
