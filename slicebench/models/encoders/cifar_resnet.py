"""The small residual networks for CIFAR-10."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from slicebench.errors import StorageError
from slicebench.files.cache import content_key
from slicebench.files.fingerprints import Source
from slicebench.models.devices import device
from slicebench.models.encoders.batches import encode_images, resized
from slicebench.models.encoders.encoder import Encoder
from slicebench.models.weights import first_line, read_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.data.split import Inputs


SIDE = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class CifarResNet(Encoder):
    """Embed images by the 64 pooled features of a ResNet with 6n+2 layers.

    The argument is the path of a weights file with the parameter names of
    github.com/akamaster/pytorch_resnet_cifar10. The number of layers follows from the weights. As
    in that repository, images are resized to 32 × 32 pixels and normalised by the mean and
    deviation of ImageNet. Shortcuts between stages take every other pixel and pad channels with
    zeros, the paper's option A.

    References
    ----------
    He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016, the networks for CIFAR-10.

    Raises
    ------
    StorageError
        for a file that cannot be read or holds another network.

    """

    argument_help: ClassVar[str] = "PATH"

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Embed uint8 images (n, H, W) or (n, H, W, 3), shape (n, 64).

        Raises `DataError` for other inputs.
        """
        state = self.state
        return encode_images(
            f"cifar-resnet:{self.argument}",
            inputs,
            lambda images: features(state, resized(images, SIDE, MEAN, STD).to(device())),
        )

    def sources(self) -> tuple[Source, ...]:
        """Return the file of the weights."""
        return (Source.at(self.argument or ""),)

    def identify(self) -> str:
        """Compute the hash of weights and preprocessing."""
        arrays = [self.state[name].cpu().numpy() for name in sorted(self.state)]
        return content_key(sorted(self.state), *arrays, [SIDE, MEAN, STD])

    @cached_property
    def state(self) -> dict[str, Tensor]:
        """The weights in single precision, checked with one image."""
        import torch

        path = Path(self.argument or "").expanduser()
        raw = read_state(path)
        state = {name: value.to(device()) for name, value in raw.items() if not name.endswith("num_batches_tracked")}
        state = {name: value.float() for name, value in state.items()}
        try:
            with torch.inference_mode():
                width = features(state, torch.zeros(1, 3, SIDE, SIDE, device=device())).shape[1]
        except (KeyError, RuntimeError, ValueError) as error:
            raise StorageError(
                f"{path} is not a ResNet for CIFAR ({type(error).__name__}: {first_line(error)}); expected conv1.weight, bn1.*, "
                "layer1.0.conv1.weight ... layer3.*.bn2.*"
            ) from error
        if width != 64 or "layer1.0.conv1.weight" not in state:
            raise StorageError(f"{path} is not a ResNet for CIFAR: it has {width} features; expected 64")
        return state


def features(state: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return pooled features, shape (n, 64), of normalised images (n, 3, 32, 32)."""
    from torch.nn.functional import batch_norm, conv2d, pad

    def convolved(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        y = conv2d(x, state[f"{conv}.weight"], stride=stride, padding=1)
        mean, var, weight, bias = (
            state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        )
        return batch_norm(y, mean, var, weight, bias)

    x = convolved(x, "conv1", "bn1").relu()
    for stage in (1, 2, 3):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in state:
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = convolved(x, f"{at}.conv1", f"{at}.bn1", stride).relu()
            y = convolved(y, f"{at}.conv2", f"{at}.bn2")
            new = y.shape[1] - x.shape[1]
            x = (y + pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, new // 2, new - new // 2))).relu()
            block += 1
    return x.mean(dim=(2, 3))
