"""What a peer sees of a table: columns of numbers and words, or vectors, and the loss of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import PlantedTable

COMPONENTS = 16
"""Columns that vectors, texts and images become for peers that see only columns."""


def columns_seen(table: PlantedTable, *, components: int = COMPONENTS) -> pd.DataFrame:
    """Return the columns that a peer sees, with "class" among them if there are classes.

    Dates are days, and vectors, texts and images are their principal components. Missing numbers are
    NaN, and missing words "".
    """
    if table.visible and table.visible[0] in table.frame:
        seen = pd.DataFrame({name: _plain(table.frame[name]) for name in table.visible})
    else:
        projected = _projected(vectors_seen(table), components)
        seen = pd.DataFrame(projected, columns=[f"pc{i}" for i in range(projected.shape[1])])
    if len(set(table.classes)) > 1:
        seen["class"] = table.classes
    return seen


def _plain(values: pd.Series[Any]) -> Any:
    if values.dtype.kind == "M":
        return (values - values.min()).dt.days.astype(float)
    if values.dtype.kind in "iuf":
        return values.astype(float)
    return values.astype(object).where(values.notna(), "").astype(str)


def vectors_seen(table: PlantedTable) -> NDArray[np.float32]:
    """Return vectors of the examples, shape (n, d): the embedding, or what columns, texts or pixels give."""
    if "embedding" in table.roles:
        return np.array(table.frame[table.roles["embedding"]].to_list(), dtype=np.float32)
    if "image" in table.roles:
        pixels = np.asarray(table.roles["image"], dtype=np.float32)
        return np.asarray(pixels.reshape(len(pixels), -1) / 255, dtype=np.float32)
    if "text" in table.roles:
        return _counted(table.frame[table.roles["text"]].to_list())
    return _encoded(columns_seen(table))


def _counted(texts: list[str]) -> NDArray[np.float32]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return np.asarray(TfidfVectorizer(max_features=500).fit_transform(texts).toarray(), dtype=np.float32)


def _encoded(seen: pd.DataFrame) -> NDArray[np.float32]:
    """Return standardised numbers, with the mean for missing ones, and one-hot words."""
    numbers = seen.select_dtypes("number")
    standard = ((numbers - numbers.mean()) / numbers.std().replace(0, 1)).fillna(0)
    words = seen.drop(columns=numbers.columns)
    parts = [standard] if words.empty else [standard, pd.get_dummies(words, dtype=float)]
    return pd.concat(parts, axis=1).to_numpy(np.float32)


def _projected(vectors: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    kept = min(components, *vectors.shape)
    return np.asarray(PCA(kept, random_state=0).fit_transform(vectors), dtype=np.float32)
