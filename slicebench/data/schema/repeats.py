"""Notice rows that repeat: copies of an example, or nearly so, in the half that is searched and in the half that tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.schema.roles import parameter

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem
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
LEAST_DIMENSIONS = 4
"""Dimensions that differ, below which rows are close by chance."""


def repeated_rows(problem: Problem, schema: Schema) -> str | None:
    """Return a note if many held-out rows have a copy among the rows that are searched; None if a group is named.

    Vectors are compared by their distances, O(ASKED · MOST_ROWS · d); rows that are described by columns by the values that are
    nearly unique.
    """
    if schema.roles.group is not None:
        return None
    if len(schema.features.columns):
        share = _equal_rows(schema.features)
        how = "the same values"
    else:
        share = _near_rows(problem.data.val.embeddings, problem.test.embeddings)
        how = "nearly the same vector"
    if share < LEAST_SHARE:
        return None
    return (
        f"{share:.0%} of the held-out rows have {how} as another row. If rows repeat or belong together "
        "(frames of a video, visits of "
        "a patient), the tests take copies for independent examples: name the column that says so "
        f"({parameter('group')}), or drop "
        "the duplicates."
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
    """Return the share of rows that agree with another one in all columns of many values; 0 if there is no such column."""
    n = len(features)
    many = [name for name in features if features[name].dtype.kind in "fmM" and features[name].nunique() > n / 50]
    if not many:
        return 0.0
    return float(features[many].duplicated(keep=False).mean())


def _some(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))
