"""Image classifiers of torchvision without their last layer, their weights from its hub or from a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from slicebench.errors import ConfigError, StorageError, did_you_mean
from slicebench.files.cache import content_key
from slicebench.models.devices import device
from slicebench.models.encoders.batches import encode_images, on_pictures, resized
from slicebench.models.encoders.encoder import Encoder, given_files
from slicebench.models.weights import load_into, missing_weights, placed_weights, read_state, state_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.data.split import Inputs
    from slicebench.files.fingerprints import Source


AUXILIARY = {"inception_v3": "AuxLogits.", "googlenet": "aux1."}
"""Models with auxiliary classifiers, and the prefix of these in a state dict."""
EXPECTED = (
    'expected {"side": pixels, "mean": [r, g, b], "std": [r, g, b], "rotate": false}, mean and std of pixels 0..255'
)


@dataclass(frozen=True)
class InputConvention:
    """Preprocessing for a weights file, if it differs from torchvision's for the model.

    Parameters
    ----------
    side : int
        Pixels; images are resized to side × side, bilinear and antialiased.
    mean, std : three numbers
        Per channel, for pixels 0..255: `mean` is subtracted, then the result is divided by `std`.
    rotate : bool
        Whether images are then rotated by 180 degrees, for kernels ported from TensorFlow, which
        pads on the other side.

    """

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rotate: bool = False

    def __post_init__(self) -> None:
        numbers = (*self.mean, *self.std)
        if len(self.mean) != 3 or len(self.std) != 3 or not all(isinstance(v, int | float) for v in numbers):
            raise ValueError("mean and std must be three numbers each")
        if 0 in self.std:
            raise ValueError("mean and std must be three numbers each, and std must not contain 0")
        if not isinstance(self.side, int) or isinstance(self.side, bool) or self.side < 1:
            raise ValueError("side must be a whole number of pixels, 1 or more")
        if not isinstance(self.rotate, bool):
            raise TypeError("rotate must be true or false")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the JSON file `path`; `StorageError` if it cannot be used."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return cls(**raw | {"mean": tuple(raw["mean"]), "std": tuple(raw["std"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StorageError(f"{path}: {error}; {EXPECTED}") from error

    def prepare(self, images: NDArray[np.uint8]) -> Tensor:
        """Return the network's input, shape (n, 3, side, side), from images (n, H, W, 3)."""
        x = resized(images, self.side, self.mean, self.std, full=1.0)
        return x.flip(-1, -2) if self.rotate else x


@dataclass(frozen=True)
class _Loaded:
    """Network without its last layer, its preprocessing, and the preprocessing as text."""

    model: Any
    prepare: Callable[[NDArray[np.uint8]], Tensor]
    about_prepare: str

    def features(self, x: Tensor) -> Tensor:
        """Return the input of the last layer, shape (n, d)."""
        features: Tensor = self.model(x)
        return features


class Torchvision(Encoder):
    """Embed images by the input of a classifier's last linear layer.

    For Inception-V3 and ResNet-50, these are 2,048 pooled features.

    The argument is "MODEL" or "MODEL/PATH" of a weights file: "torchvision:inception_v3",
    "torchvision:mobilenet_v2//data/m.pth". Weights are taken from
    `<cache>/weights/torchvision/MODEL.safetensors` (or .pt, .pth, .bin), else from torch's own
    cache or download. A file may have any number of classes. Preprocessing is that of the model's
    default weights. For a file with another convention, put a JSON file beside it whose name is
    that of the file plus ".json":

        {"side": 224, "mean": [128, 128, 128], "std": [128, 128, 128], "rotate": true}

    References
    ----------
    Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016; He et al., "Deep Residual Learning for
    Image Recognition", 2016.

    Raises
    ------
    ConfigError
        for an unknown model, with a hint at similar ones, or a model without a linear layer.
    StorageError
        for weights that cannot be found or read, or do not fit.

    """

    argument_help: ClassVar[str] = "MODEL or MODEL/PATH"

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Embed uint8 images (n, H, W) or (n, H, W, 3), shape (n, d).

        Raises `DataError` for other inputs.
        """
        loaded = self._loaded
        return encode_images(
            f"torchvision:{self.argument}",
            inputs,
            lambda images: loaded.features(loaded.prepare(images).to(device())),
        )

    def sources(self) -> tuple[Source, ...]:
        """Return the file of the weights, if one is given, and that of its input convention."""
        given = (self.argument or "").partition("/")[2]
        return (*given_files(given), *(given_files(f"{given}.json") if given else ()))

    def identify(self) -> str:
        """Compute the hash of weights and preprocessing."""
        return content_key(state_hash(self._loaded.model), self._loaded.about_prepare)

    @cached_property
    def _loaded(self) -> _Loaded:
        import torch
        from torchvision import models

        name, _, given = (self.argument or "").partition("/")
        known = models.list_models(module=models)
        if name not in known:
            raise ConfigError(
                f"encoder 'torchvision:{self.argument}': torchvision has no classifier {name!r}; {did_you_mean(name, known)}"
            )
        path = Path(given).expanduser() if given else placed_weights("torchvision", name)
        beside = None if path is None else path.with_name(f"{path.name}.json")
        convention = InputConvention.read(beside) if beside is not None and beside.is_file() else None
        with torch.random.fork_rng(devices=[]):
            model = _fetched(name) if path is None else _from_file(name, path, usual_input=convention is None)
        model.requires_grad_(requires_grad=False).eval().to(device())
        if convention is not None:
            return _Loaded(model, convention.prepare, repr(convention))
        transform = models.get_model_weights(name).DEFAULT.transforms()
        return _Loaded(model, lambda images: on_pictures(transform, images), repr(transform))


def _fetched(name: str) -> Any:
    """Return the model with its default weights, from torch's cache or a download."""
    from torchvision.models import get_model_weights

    weights = get_model_weights(name).DEFAULT
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # downloads fail in many ways
        raise missing_weights(f"torchvision:{name}", "torchvision", name, weights.url, error) from error
    return _filled(name, state, Path(weights.url), usual_input=True)


def _from_file(name: str, path: Path, *, usual_input: bool) -> Any:
    return _filled(name, read_state(path), path, usual_input=usual_input)


def _filled(name: str, state: dict[str, Tensor], path: Path, *, usual_input: bool) -> Any:
    """Return the model with all weights of `state`, without its last layer.

    That layer is made as wide as that of `state`, filled, then removed.
    """
    from torch import nn
    from torchvision.models import get_model

    options: dict[str, Any] = {}
    if name in AUXILIARY:  # these change torchvision's usual normalisation to their own
        auxiliary = any(key.startswith(AUXILIARY[name]) for key in state)
        options = {"aux_logits": auxiliary, "init_weights": False, "transform_input": usual_input}
    model = get_model(name, weights=None, **options)
    holder, last, width = _last_linear(model)
    at = next(key for key, module in model.named_modules() if module is getattr(holder, last))
    if f"{at}.weight" in state:
        setattr(holder, last, nn.Linear(width, len(state[f"{at}.weight"]), bias=f"{at}.bias" in state))
    load_into(model, state, path)
    setattr(holder, last, nn.Identity())
    return model


def _last_linear(model: Any) -> tuple[Any, str, int]:
    """Find the last linear layer.

    Returns the module that holds it, its name there, and the number of its input features.
    """
    from torch import nn

    found = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not found:
        raise ConfigError(f"{type(model).__name__} of torchvision has no linear layer; choose another model")
    parent, _, last = found[-1].rpartition(".")
    return model.get_submodule(parent), last, model.get_submodule(found[-1]).in_features
