"""The encoder that returns the base model's penultimate layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

from slicebench.errors import ConfigError
from slicebench.models.encoders.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.data.trainer import TrainedModel


@runtime_checkable
class LatentModel(Protocol):
    """A model with access to its penultimate layer."""

    def latent(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return penultimate features, shape (n, h)."""
        ...


class OwnLatent(Encoder):
    """Embed an example as the audited model sees it, just before its last layer.

    Attributes
    ----------
    model_ : LatentModel

    Reference: Jain, Lawrence, Moitra, Madry (2022), "Distilling Model Failures as Directions in Latent Space", the appendix
    on other latent spaces, where this one is about as good as confidences.

    """

    needs_model: ClassVar[bool] = True

    model_: LatentModel

    def fit(self, inputs: Inputs, model: TrainedModel | None) -> Self:  # noqa: ARG002
        """Keep the base model; raise `ConfigError` if it has no penultimate layer."""
        if not isinstance(model, LatentModel):
            raise ConfigError(
                f"encoder 'own-latent' needs a model that slicebench trained; {type(model).__name__} has no method latent"
            )
        self.model_ = model
        return self

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return penultimate activations, shape (n, h)."""
        return self.model_.latent(inputs)
