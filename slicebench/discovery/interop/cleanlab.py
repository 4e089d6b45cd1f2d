"""cleanlab: convert findings to the table of issues of its Datalab.

`Datalab.get_issues()` has a row per example, in the order of the dataset. Each type of issue has the
columns is_<type>_issue (a bool) and <type>_score, in [0, 1], where low is bad; other columns may be
added. Needs pandas only.
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

    Its columns are is_<issue>_issue, <issue>_score and <issue>. An example is an issue if it is in a
    slice. Its score is the share of harder examples, ties counted half, so the hardest are nearest 0.
    The last column names the slice in which its membership is strongest, and is empty if there is
    none.

    Parameters
    ----------
    found : Found, or the result of `slicebench.discover`
        What a method found.
    ids : n strings or integers
        Ids of the examples, in the order of the dataset.
    issue : str
        Name of the type of issue.
    method : str, optional
        The method to use; needed if there are several.

    Raises
    ------
    ConfigError
        if `issue` is not a word of letters, digits and underscores.
    DataError
        if an id has no hardness. Raises the same errors as
        `slicebench.discovery.interop.found.align`, too.

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
