"""The encoder that returns its inputs, for problems whose inputs are vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import DataError
from slicebench.models.encoders.encoder import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs


class Identity(Encoder):
    """Leave vectors as they are.

    >>> Identity().encode(np.eye(2)).dtype
    dtype('float32')
    """

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the vectors, shape (n, d), as float32; `DataError` if the inputs are not vectors."""
        vectors = np.asarray(inputs[:])
        if vectors.ndim != 2:
            raise DataError(f"encoder 'identity' got inputs of shape {vectors.shape}; expected vectors, shape (n, d)")
        return vectors.astype(np.float32)
