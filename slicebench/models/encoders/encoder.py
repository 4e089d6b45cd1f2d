"""Encoders turn raw inputs, and captions if they have a text tower, into the embeddings that methods see.

To add an encoder: one file with one subclass of `Encoder` and an entry point in the group `slicebench.encoders`. The name of an
encoder is that of its entry point, or that and an argument: "pixels-pca", "open_clip:ViT-B-32/openai".
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from slicebench.errors import DataError
from slicebench.files.fingerprints import Source
from slicebench.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.data.trainer import TrainedModel


class Encoder:
    """Base class of encoders, which map n inputs to float32 embeddings (n, d).

    An encoder learns, if at all, only from the train split.

    Parameters
    ----------
    argument : str, optional
        The part of the name after the colon.

    """

    argument_help: ClassVar[str] = ""
    """Form of the argument, such as "ARCH/PRETRAINED"; empty for an encoder without one."""
    argument_optional: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False
    """Whether it needs the audited model."""

    def __init__(self, argument: str | None = None) -> None:
        self.argument = argument

    def fit(self, inputs: Inputs, model: TrainedModel | None) -> Self:  # noqa: ARG002
        """Learn from the train inputs; by default there is nothing to learn.

        `model` is the base model, or None if it is not available.
        """
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

    def sources(self) -> tuple[Source, ...]:
        """Return the user's files that the argument names; their content is part of a problem's identity.

        By default there are none. Weights with a name of their own are not the user's.
        """
        return ()

    def fingerprint(self) -> str | None:
        """Return the hash of weights and preprocessing, which is the cache key of embeddings.

        None for an encoder whose embeddings are not cached: they depend on the problem, or are
        cheap.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str | None:
        return self.identify()  # hundreds of megabytes may have to be read for it

    def identify(self) -> str | None:
        """Compute the fingerprint, which `fingerprint` keeps; by default there is none."""
        return None


def given_files(path: str) -> tuple[Source, ...]:
    """Return the file or folder at `path`, if there is one: else it is the name of published weights."""
    return (Source.at(path),) if path and Path(path).expanduser().exists() else ()


ENCODERS = Registry("slicebench.encoders", "slicebench.models.encoders.encoder:Encoder")


def make_encoder(name: str) -> Encoder:
    """Return the unfitted encoder `name`, such as "nano-clip" or "open_clip:ViT-B-32/openai".

    Raises
    ------
    PluginError
        for an unknown name; the message suggests similar ones.
    ConfigError
        for an argument that is missing or not allowed.

    """
    kind, argument = ENCODERS.load_with_argument(name)
    encoder: Encoder = kind(argument)
    return encoder
