"""cleanlab: findings as the table of issues that its Datalab keeps.

Convention of `Datalab.get_issues()`: a row per example in the order of the dataset, and for each type of issue the columns
is_<type>_issue (a bool) and <type>_score, in [0, 1], where low is bad; more columns may say more. Needs pandas only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.discovery.interop.found import align
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def to_issues(found: Any, ids: Sequence[object], *, issue: str = "slice", method: str | None = None) -> pd.DataFrame:
    """Return a table of issues, n rows in the order of `ids`.

    Its columns are is_<issue>_issue, <issue>_score and <issue>.

    An example is an issue if it is in a slice. Its score is the share of examples that are harder than it, ties counted half,
    so that the hardest are nearest 0. The last column names the slice of the strongest membership, empty where there is none.

    Parameters
    ----------
    found : Found, or the result of `slicebench.discover`
        What a method found.
    ids : n strings or integers
        Of the examples, in the order of the dataset.
    issue : str
        Type of issue.
    method : str, optional
        Which of several methods.

    Raises
    ------
    ConfigError
        for a type that is no word.
    DataError
        for an id without hardness, and for the same reasons as in
        `slicebench.discovery.interop.found.align`.

    """
    import pandas as pd
    from scipy.stats import rankdata

    if not re.fullmatch(r"\w+", issue):
        raise ConfigError(f"issue is {issue!r}; expected a word of letters, digits and underscores")
    aligned = align(found, ids, method)
    unknown = np.isnan(aligned.hardness)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise DataError(
            f"the id {str(ids[row])!r} at row {row} has no hardness ({int(unknown.sum())} such rows); leave such rows out"
        )
    n = len(aligned.hardness)
    return pd.DataFrame(
        {
            f"is_{issue}_issue": aligned.inside(),
            f"{issue}_score": (rankdata(-aligned.hardness) - 0.5) / n,
            issue: [row[0][0] if row else "" for row in aligned.of_rows()],
        }
    )
