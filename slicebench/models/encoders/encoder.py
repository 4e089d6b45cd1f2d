"""Encoders: from raw inputs, and where there is a text tower captions, to the embeddings that methods see.

To add an encoder: one file with one subclass of `Encoder` and an entry point in the group `slicebench.encoders`. The name of an
encoder is that of its entry point, or that and an argument: "pixels-pca", "open_clip:ViT-B-32/openai".
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

from slicebench.errors import DataError
from slicebench.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.data.trainer import TrainedModel


class Encoder:
    """Maps n inputs to (n, d) float32; learns, if at all, from the train split alone.

    Parameters
    ----------
    argument : str, optional
        The part of the name after the colon.

    """

    argument_help: ClassVar[str] = ""
    """What the argument is, such as "ARCH/PRETRAINED"; empty for an encoder that takes none."""
    argument_optional: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False
    """Whether it cannot do without the audited model."""

    def __init__(self, argument: str | None = None) -> None:
        self.argument = argument

    def fit(self, inputs: Inputs, model: TrainedModel | None) -> Self:  # noqa: ARG002
        """Learn from the train inputs; `model` is the base model, if it is at hand. By default there is nothing to learn."""
        return self

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:
        """Return embeddings of `inputs`, shape (n, d); `ids` (n,) are their names."""
        raise NotImplementedError(f"{type(self).__name__} has no encode")

    def reads_captions(self) -> bool:
        """Return True if `encode_texts` embeds captions in the space of the inputs."""
        return False

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return embeddings of captions, shape (m, d).

        Raises `DataError` without a text tower.
        """
        raise DataError(f"{type(self).__name__} has no text tower; captions need an encoder such as 'nano-clip'")

    def fingerprint(self) -> str | None:
        """Hash of weights and preprocessing, by which embeddings are cached; None: they depend on the problem, or are cheap."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str | None:
        return self.identify()  # hundreds of megabytes may have to be read for it

    def identify(self) -> str | None:
        """Compute the fingerprint; asked for once. By default there is none."""
        return None


ENCODERS = Registry("slicebench.encoders", "slicebench.models.encoders.encoder:Encoder")


def make_encoder(name: str) -> Encoder:
    """Return the unfitted encoder `name`, such as "nano-clip" or "open_clip:ViT-B-32/openai".

    Raises
    ------
    PluginError
        for an unknown name, with near ones.
    ConfigError
        for an argument that is missing or not wanted.

    """
    kind, argument = ENCODERS.load_with_argument(name)
    encoder: Encoder = kind(argument)
    return encoder
