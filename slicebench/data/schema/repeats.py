"""Notice rows that repeat: copies of an example, or nearly so, in the half that is searched and in the half that tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.schema.roles import parameter

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema import Schema

    Floats = NDArray[np.float32]


ASKED = 1000
"""Held-out rows whose nearest neighbours are looked for."""
MOST_ROWS = 50_000
"""Rows among which they are looked for."""
NEARLY = 0.05
"""Distance to the nearest row, as a share of the typical distance of two rows, below which two are nearly the same."""
LEAST_SHARE = 0.05
"""Share of held-out rows with a copy from which on it is reported."""
BY_CHANCE = 0.01
"""Share of rows that agree with another one by chance, above which equal rows say nothing."""
SAME_ORDER = 0.99
"""Rank correlation from which on two columns count as one: a number and its cube agree in the same rows."""
PARTS_OF_DATES = ("hour of ", "weekday of ", "month of ")
"""Beginnings of the names of columns that follow from a date."""
LEAST_DIMENSIONS = 4
"""Dimensions that differ, below which rows are close by chance."""


def repeated_rows(embeddings: Floats, schema: Schema) -> str | None:
    """Return a note if many rows have a copy among the others; None if a group is named.

    Vectors are compared by their distances, O(ASKED · MOST_ROWS · d). Rows that are described by columns are compared by
    all of them.
    """
    if schema.roles.group is not None:
        return None
    if len(schema.features.columns):
        share = _equal_rows(schema.features)
        how = "the same values"
    else:
        order = np.random.default_rng(0).permutation(len(embeddings))
        half = len(order) // 2
        share = _near_rows(embeddings[order[:half]], embeddings[order[half:]])
        how = "nearly the same vector"
    if share < LEAST_SHARE:
        return None
    return (
        f"{share:.0%} of the rows have {how} as another row. If such rows are copies, or belong together (frames of "
        "a video, visits of a patient), they count as independent examples, and slices look more certain than they "
        f"are: drop the copies, or name the column that groups the rows ({parameter('group')})."
    )


def _near_rows(searched: Floats, held: Floats) -> float:
    """Return the share of held-out rows with a row nearly the same among those that are searched."""
    rng = np.random.default_rng(0)
    asked = held[_some(len(held), ASKED, rng)].astype(np.float32)
    among = searched[_some(len(searched), MOST_ROWS, rng)].astype(np.float32)
    spread = among.std(axis=0)
    if (spread > 1e-6 * max(1e-12, float(spread.max()))).sum() < LEAST_DIMENSIONS:
        return 0.0
    middle = among.mean(axis=0)
    asked, among = asked - middle, among - middle
    squares = (asked**2).sum(axis=1)[:, None] + (among**2).sum(axis=1) - 2 * asked @ among.T
    typical = float(np.median(squares))
    nearest = np.maximum(squares.min(axis=1), 0)
    return float((nearest < NEARLY**2 * typical).mean()) if typical > 0 else 1.0


def _equal_rows(features: pd.DataFrame) -> float:
    """Return the share of rows that agree with another one in all columns; 0 if many may agree by chance."""
    many = any(
        features[name].dtype.kind in "fmM" and features[name].nunique() > len(features) / 50 for name in features
    )
    if not many or _agreeing_by_chance(features) > BY_CHANCE:
        return 0.0
    return float(features.duplicated(keep=False).mean())


def _agreeing_by_chance(features: pd.DataFrame) -> float:
    """Estimate the share of rows that have the values of another one if columns are independent."""
    n, log_pair = len(features), 0.0
    for name in _apart(features):
        shares = features[name].value_counts(dropna=False).to_numpy() / n
        log_pair += float(np.log((shares**2).sum()))
    return float(-np.expm1(-n * np.exp(log_pair)))


def _apart(features: pd.DataFrame) -> list[str]:
    """Return the columns that say something of their own: neither parts of dates nor in the order of a column before."""
    names = [name for name in map(str, features) if not name.startswith(PARTS_OF_DATES)]
    numbers = [name for name in names if features[name].dtype.kind in "iufmM"]
    distinct = features[numbers].drop_duplicates()
    distinct = distinct.iloc[_some(len(distinct), ASKED, np.random.default_rng(0))]
    ranks = np.abs(distinct.rank().corr().to_numpy()) >= SAME_ORDER
    repeated = {name for j, name in enumerate(numbers) if ranks[j, :j].any()}
    return [name for name in names if name not in repeated]


def _some(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))
