"""The base model's own penultimate layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from slicebench.encoders import Encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicebench.split import Inputs
    from slicebench.training.fitted import FittedModel


class OwnLatent(Encoder):
    """Embed an example as the audited model sees it, just before its last layer.

    Attributes
    ----------
    model_ : FittedModel

    Reference: Jain, Lawrence, Moitra, Madry (2022), "Distilling Model Failures as Directions in Latent Space", the appendix
    on other latent spaces, where this one is about as good as confidences.

    """

    model_: FittedModel

    def fit(self, inputs: Inputs, model: FittedModel) -> Self:  # noqa: ARG002
        """Keep the base model."""
        self.model_ = model
        return self

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Penultimate activations, shape (n, h)."""
        return self.model_.latent(inputs)
