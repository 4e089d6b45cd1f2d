"""Encoders: from raw inputs to the embeddings that methods see. One file each; `make_encoder` finds them by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, Self

from slicebench.errors import PluginError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicebench.split import Inputs
    from slicebench.training.fitted import FittedModel

ENCODERS = {
    "identity": "slicebench.encoders.identity:Identity",
    "own-latent": "slicebench.encoders.own_latent:OwnLatent",
    "pixels-pca": "slicebench.encoders.pixels_pca:PixelsPCA",
}


class Encoder(Protocol):
    """Maps n inputs to (n, d) float32; learns from the train split alone."""

    def fit(self, inputs: Inputs, model: FittedModel) -> Self:
        """Learn from the train inputs; `model` is the base model."""
        ...

    def encode(self, inputs: Inputs) -> NDArray[np.float32]:
        """Embeddings of `inputs`, shape (n, d)."""
        ...


def make_encoder(name: str) -> Encoder:
    """Unfitted encoder called `name`.

    Raises
    ------
    PluginError
        for an unknown name, with near ones.

    """
    if name not in ENCODERS:
        raise PluginError(f"no encoder named {name!r}; {did_you_mean(name, list(ENCODERS))}")
    module, _, attribute = ENCODERS[name].partition(":")
    encoder: Any = getattr(import_module(module), attribute)
    made: Encoder = encoder()
    return made
