"""Candidate captions of a problem, embedded in the space of its examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.checks import array_of
from slicebench.data.split import put_field
from slicebench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Captions:
    """Candidate captions in the space of the embeddings.

    Parameters
    ----------
    texts : m strings
    embeddings : (m, d) float32
    candidates : (C, m) bool
        Which texts are candidates in which class; a task without classes counts as one.
    reference_texts : C strings
        Caption of each class as a whole ("a photo of a person"), against which its candidates are compared.
    references : (C, d) float32
        Their embeddings.

    Raises
    ------
    DataError
        naming the field, the first offending row and what was expected.

    """

    texts: tuple[str, ...]
    embeddings: NDArray[np.float32]
    candidates: NDArray[np.bool_]
    reference_texts: tuple[str, ...]
    references: NDArray[np.float32]

    def __post_init__(self) -> None:
        put_field(self, "texts", tuple(self.texts))
        put_field(self, "reference_texts", tuple(self.reference_texts))
        m, C = len(self.texts), len(self.reference_texts)
        put_field(self, "embeddings", array_of("captions.embeddings", self.embeddings, np.float32, 2, m))
        put_field(self, "references", array_of("captions.references", self.references, np.float32, 2, C))
        put_field(self, "candidates", array_of("captions.candidates", self.candidates, np.bool_, 2, C))
        if self.candidates.shape[1] != m:
            raise DataError(f"captions.candidates has {self.candidates.shape[1]} columns for {m} texts")
        if self.references.shape[1] != self.embeddings.shape[1]:
            raise DataError(
                f"captions.references has {self.references.shape[1]} columns, captions.embeddings "
                f"{self.embeddings.shape[1]}; expected one space"
            )

    def differences(self, c: int) -> NDArray[np.float32]:
        """Return each text's embedding minus that of the reference of class `c`, shape (m, d)."""
        apart: NDArray[np.float32] = self.embeddings - self.references[c]
        return apart
