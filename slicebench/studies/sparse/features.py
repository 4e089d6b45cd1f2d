"""Describe a feature of a decision layer by words or captions.

Words are those whose presence moves the feature; captions are those that correlate with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.split import Split


WORD = r"(?u)\b\w+\b"

RAREST = 5
"""Least number of texts with a word, and of texts without it, for the word to be reported."""


def texts_of(split: Split) -> list[str] | None:
    """Return the raw inputs of `split` if they are texts."""
    if split.inputs is None:
        return None
    texts = list(split.inputs[:])
    return texts if all(isinstance(text, str) for text in texts) else None


def word_effects(texts: Sequence[str], Z: NDArray[np.float32]) -> tuple[list[str], NDArray[np.float64]]:
    """Compute the effect of each word of `texts` (n) on each feature of `Z` (n, d).

    It is Welch's t between texts with and without the word, shape (v, d), returned with the words.
    Words are whole and in lower case; at least `RAREST` texts have them, and as many lack them.
    O(tokens · d).
    """
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        counter = CountVectorizer(binary=True, token_pattern=WORD, dtype=np.float64)
        holds = counter.fit_transform(texts)
    except ValueError:  # not one word
        return [], np.zeros((0, Z.shape[1]))
    n, inside = len(texts), np.asarray(holds.sum(axis=0)).ravel()
    kept = np.flatnonzero((inside >= RAREST) & (n - inside >= RAREST))
    words = counter.get_feature_names_out()[kept].tolist()
    return words, _welch(holds[:, kept], inside[kept][:, None], Z.astype(np.float64))


def _welch(holds: Any, inside: NDArray[np.float64], Z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute Welch's t between the rows marked by `holds`, sparse (n, v), and the others, shape (v, d).

    It is 0 for constant features.
    """
    n = len(Z)
    sums, squares = holds.T @ Z, holds.T @ np.square(Z)
    outside = n - inside
    means = sums / inside, (Z.sum(axis=0) - sums) / outside
    powers = squares / inside, (np.square(Z).sum(axis=0) - squares) / outside
    variances = [np.maximum(power - mean**2, 0) for power, mean in zip(powers, means, strict=True)]
    spread = np.sqrt(variances[0] / (inside - 1) + variances[1] / (outside - 1))
    t: NDArray[np.float64] = np.divide(means[0] - means[1], spread, out=np.zeros_like(spread), where=spread > 0)
    return t


def caption_effects(
    captions: Captions, c: int, embeddings: NDArray[np.float32], Z: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Correlate each feature of `Z` (n, d) with each candidate caption of class `c`, shape (m, d).

    The correlation is over the n examples. A caption's variable is the projection of the examples'
    `embeddings` (n, e), in the captions' space, on the caption's difference from the reference of the
    class. It is −∞ for captions that are not candidates, and 0 for constant variables.
    """
    projections = _standardised(embeddings.astype(np.float64) @ captions.differences(c).astype(np.float64).T)
    effects: NDArray[np.float64] = projections.T @ _standardised(Z.astype(np.float64)) / len(Z)
    effects[~captions.candidates[c]] = -np.inf
    return effects


def _standardised(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale columns to mean 0 and variance 1; constant columns become 0."""
    centred, std = X - X.mean(axis=0), X.std(axis=0)
    standardised: NDArray[np.float64] = np.divide(centred, std, out=np.zeros_like(X), where=std > 1e-12)
    return standardised
