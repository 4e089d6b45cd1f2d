"""Weighted word counts of texts, reduced to some dimensions; nothing has to be installed or downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from slicebench.errors import ConfigError, DataError
from slicebench.models.encoders.encoder import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.data.trainer import TrainedModel


MOST_TEXTS = 50_000
"""Texts from which words and directions are learnt."""


class Tfidf(Encoder):
    """TF-IDF of words and word pairs, projected on their leading singular directions (latent semantic analysis).

    It needs no weights and reads any language that parts words by blanks. A sentence encoder finds more.

    Parameters
    ----------
    argument : str, optional
        Number of dimensions, 64 by default; fewer where there are fewer words or texts.

    Reference: Deerwester et al. (1990), "Indexing by latent semantic analysis".

    >>> texts = ["a red circle", "a red square", "a blue circle", "the blue square"] * 3
    >>> Tfidf("2").fit(texts, model=None).encode(texts).shape
    (12, 2)

    """

    argument_help: ClassVar[str] = "DIMENSIONS"
    argument_optional: ClassVar[bool] = True

    def __init__(self, argument: str | None = None) -> None:
        super().__init__(argument)
        if argument is not None and not (argument.isdecimal() and int(argument) > 0):
            raise ConfigError(f"encoder 'tfidf:{argument}': expected a number of dimensions, 1 or more")
        self.dimensions = int(argument or 64)

    def fit(self, inputs: Inputs, model: TrainedModel | None) -> Self:  # noqa: ARG002
        """Learn the words and directions of the train texts.

        Raises
        ------
        DataError
            if the inputs are no texts, or have no word in common.

        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = _texts(inputs)[:MOST_TEXTS]
        self.words_: Any = TfidfVectorizer(
            sublinear_tf=True, ngram_range=(1, 2), min_df=min(2, len(texts)), max_features=50_000, dtype=np.float32
        )
        try:
            counts = self.words_.fit_transform(texts)
        except ValueError as error:
            raise DataError(f"the texts have no words in common to describe them by: {error}") from error
        k = min(self.dimensions, counts.shape[1] - 1, counts.shape[0])
        self.svd_: Any = TruncatedSVD(k, random_state=0).fit(counts) if k > 0 else None
        return self

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return coordinates along the directions, shape (n, k)."""
        counts = self.words_.transform(_texts(inputs))
        found: Any = counts.toarray() if self.svd_ is None else self.svd_.transform(counts)
        return np.ascontiguousarray(found, dtype=np.float32)


def _texts(inputs: Inputs) -> list[str]:
    texts = [inputs[i] for i in range(len(inputs))]
    if not all(isinstance(text, str) for text in texts):
        raise DataError(
            "encoder 'tfidf' reads texts; for images there are 'pixels-pca' and others: slicebench list encoders"
        )
    return texts
