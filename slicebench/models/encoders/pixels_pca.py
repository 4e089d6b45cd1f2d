"""Principal components of the raw pixels or vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.models.encoders.encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.data.trainer import TrainedModel


CHUNK = 4096
"""Inputs held in memory at a time."""
FITTED_BYTES = 2**28
"""Most bytes of inputs, as float32, that the components are learnt from.

Larger sets are thinned evenly, so that memory does not grow with n.
"""


class PixelsPCA(Encoder):
    """Project flattened inputs on the leading principal components of the train split.

    It uses neither the labels nor the model, and needs no pretrained weights.

    Parameters
    ----------
    argument : str, optional
        Number of components, 64 by default; fewer if the train split has fewer rows or columns.

    Attributes
    ----------
    pca_ : sklearn.decomposition.PCA

    Fitting takes O(n p k) for n images of p values and k components.

    >>> images = np.random.default_rng(0).integers(0, 256, size=(30, 4, 4, 3), dtype=np.uint8)
    >>> PixelsPCA("5").fit(images, model=None).encode(images).shape
    (30, 5)

    """

    pca_: Any

    argument_help: ClassVar[str] = "COMPONENTS"
    argument_optional: ClassVar[bool] = True

    def __init__(self, argument: str | None = None) -> None:
        super().__init__(argument)
        if argument is not None and not (argument.isdecimal() and int(argument) > 0):
            raise ConfigError(f"encoder 'pixels-pca:{argument}': expected a number of components, 1 or more")
        self.components = int(argument or 64)

    def fit(self, inputs: Inputs, model: TrainedModel | None) -> Self:  # noqa: ARG002
        """Find the components of the train inputs, or of as many as `FITTED_BYTES` hold."""
        from sklearn.decomposition import PCA

        most = FITTED_BYTES // (4 * np.asarray(inputs[:1]).size)
        flat = np.concatenate(list(_flat(inputs, most)))
        self.pca_ = PCA(min(self.components, *flat.shape), random_state=0).fit(flat)
        return self

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return coordinates along the components, shape (n, k)."""
        return np.concatenate([self.pca_.transform(rows).astype(np.float32) for rows in _flat(inputs)])


def _flat(inputs: Inputs, most: int | None = None) -> Iterator[NDArray[np.float32]]:
    """Yield flattened rows, up to `CHUNK` at a time, of all inputs or of `most`.

    Bytes are scaled to 0..1.
    """
    step = 1 if most is None else -(-len(inputs) // most)
    for start in range(0, len(inputs), CHUNK * step):
        array = np.asarray(inputs[start : start + CHUNK * step : step])
        scale = 1 / 255 if array.dtype == np.uint8 else 1.0
        yield array.reshape(len(array), -1).astype(np.float32) * np.float32(scale)
