"""Renumics Spotlight: a DataFrame with hardness and slices, the types of its columns, and each slice as an issue.

Convention: `spotlight.show(frame, dtype=..., issues=...)`, where dtype maps columns to names of types ("Embedding", "Image",
"Category", "float"), and an issue is a `DataIssue` with title, rows, columns and description. Written against Spotlight's
documentation; the package itself is not needed here.

    view = to_spotlight(frame, found)
    spotlight.show(view.frame, dtype=view.dtype, issues=[DataIssue(**issue) for issue in view.issues])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, did_you_mean
from slicebench.interchange.found import align

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

TYPES = {"embedding": "Embedding", "image": "Image", "label": "Category", "prediction": "Category", "split": "Category"}
"""Types of columns by their usual names."""
ADDED = {"hardness": "float", "slice": "Category", "membership": "float"}


@dataclass(frozen=True, eq=False)
class SpotlightView:
    """What `spotlight.show` takes: the table, the types of its columns by name, and the fields of an issue for each slice."""

    frame: pd.DataFrame
    dtype: dict[str, str]
    issues: list[dict[str, Any]]


def to_spotlight(
    frame: pd.DataFrame,
    found: Any,
    *,
    id: str = "id",  # noqa: A002 - the column's usual name
    dtype: Mapping[str, str] | None = None,
    method: str | None = None,
) -> SpotlightView:
    """Table with the columns hardness, slice (the one of the strongest membership, empty outside of all) and membership.

    Parameters
    ----------
    frame : DataFrame
        A row per example.
    found : Found, or the result of `slicebench.discover`
        What a method found.
    id : str
        Column of ids.
    dtype : mapping of column to type, optional
        Besides embedding, image, label, prediction and split, whose types are known.
    method : str, optional
        Which of several methods.

    Raises
    ------
    DataError
        for a column that is missing, or there already, and as of `slicebench.interchange.found.align`.

    """
    known = [str(name) for name in frame.columns]
    if id not in known:
        raise DataError(f"the table has no column {id!r}; {did_you_mean(id, known)}")
    if there := [name for name in ADDED if name in known]:
        raise DataError(f"the table has the columns {', '.join(there)} already; rename them first")
    aligned = align(found, frame[id].tolist(), method)
    strongest = [row[0] if row else ("", 0.0) for row in aligned.of_rows()]
    shown = frame.assign(
        hardness=aligned.hardness, slice=[name for name, _ in strongest], membership=[value for _, value in strongest]
    )
    types = {name: kind for name, kind in TYPES.items() if name in known} | ADDED | dict(dtype or {})
    if unknown := [name for name in types if name not in shown]:
        raise DataError(f"dtype names the column {unknown[0]!r}; {did_you_mean(unknown[0], known)}")
    issues = [
        {
            "title": name,
            "rows": _rows(aligned.members, name),
            "columns": ["slice"],
            "description": f"{aligned.method}: members of the slice {name!r}, the most typical first",
        }
        for name in aligned.names
    ]
    return SpotlightView(shown, types, issues)


def _rows(members: pd.DataFrame, name: str) -> list[int]:
    own = members[members["slice"] == name]
    rows: list[int] = own["row"].to_numpy(dtype=np.intp)[np.argsort(own["rank"].to_numpy(), kind="stable")].tolist()
    return rows
