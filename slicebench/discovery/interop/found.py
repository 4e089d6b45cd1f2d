"""Findings of a method as two tables by id: the input of the modules for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, did_you_mean
from slicebench.evaluation.slices import returned_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.plugins.method import SliceScores


@dataclass(frozen=True, eq=False)
class Found:
    """Slices and hardness of one method or several.

    Parameters
    ----------
    members : DataFrame
        A row for each example in a slice: method, slice, id, rank (1 = most typical), membership (0 to 1).
    hardness : DataFrame
        A row for each example: method, id, hardness (higher = harder).

    The result of `slicebench.discover` has the same two attributes and can be used in its place.

    """

    members: pd.DataFrame
    hardness: pd.DataFrame


def found_by(scores: SliceScores, split: Split, class_names: Sequence[str] = (), method: str = "method") -> Found:
    """Return a method's `scores` of the examples of `split` as tables.

    The members of each slice are sorted by falling membership. If a method has flags but no slices,
    the flagged examples of each class form one slice.

    Raises
    ------
    DataError
        if the number of scores differs from that of the examples.

    """
    import pandas as pd

    if len(scores.hardness) != split.n:
        raise DataError(f"there are {len(scores.hardness)} scores for {split.n} examples; expected one for each")
    slices = returned_slices(scores, split, tuple(class_names))
    parts = []
    for j, name in enumerate(slices.names):
        rows = np.flatnonzero(slices.hard[:, j])
        rows = rows[np.argsort(-slices.soft[rows, j], kind="stable")]
        columns = {"slice": name, "id": split.ids[rows].tolist(), "rank": np.arange(1, len(rows) + 1)}
        parts.append(pd.DataFrame({"method": method, **columns, "membership": slices.soft[rows, j].astype(float)}))
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _MEMBERS.items()})
    hardness = pd.DataFrame({"method": method, "id": split.ids.tolist(), "hardness": scores.hardness})
    return Found(pd.concat(parts, ignore_index=True) if parts else empty, hardness)


_MEMBERS = {"method": "str", "slice": "str", "id": "str", "rank": "int64", "membership": "float64"}


@dataclass(frozen=True, eq=False)
class Aligned:
    """Findings of one method for n examples, in the order of another tool's data.

    `hardness` (n,) is NaN for examples that the method did not score. `members` has the columns row,
    slice, rank and membership. `names` are the names of the slices, in the order in which the method
    returned them.
    """

    method: str
    hardness: NDArray[np.float64]
    members: pd.DataFrame
    names: tuple[str, ...]

    def inside(self) -> NDArray[np.bool_]:
        """Mark the examples that are in a slice, shape (n,)."""
        found = np.zeros(len(self.hardness), dtype=bool)
        found[self.members["row"].to_numpy(dtype=np.intp)] = True
        return found

    def of_rows(self) -> list[list[tuple[str, float]]]:
        """Return the slices of each example with its membership in them, the strongest first."""
        found: list[list[tuple[str, float]]] = [[] for _ in self.hardness]
        strongest = self.members.sort_values("membership", ascending=False, kind="stable")
        for row, name, membership in zip(strongest["row"], strongest["slice"], strongest["membership"], strict=True):
            found[row].append((str(name), float(membership)))
        return found


def align(found: Any, ids: Sequence[object], method: str | None = None) -> Aligned:
    """Match the findings of one method to n examples by id.

    Examples that the method did not score are in no slice.

    Parameters
    ----------
    found : Found, or the result of `slicebench.discover`
        Findings of one or several methods.
    ids : n strings or integers
        Distinct ids of the examples.
    method : str, optional
        The method to use; needed if there are several.

    Raises
    ------
    DataError
        if a table lacks a column, the method is missing or ambiguous, no id of the findings is in
        `ids`, or `ids` are not distinct.

    """
    members, hardness = (
        _table(found, "members", ("method", "slice", "id")),
        _table(found, "hardness", ("method", "id", "hardness")),
    )
    name = _method(members, hardness, method)
    members, hardness = members[members["method"] == name], hardness[hardness["method"] == name]
    keys = [str(key) for key in ids]
    rows = {key: row for row, key in enumerate(keys)}
    if len(rows) < len(keys):
        raise DataError("the data has an id more than once; expected distinct ids")
    values = np.full(len(keys), np.nan)
    at = hardness["id"].astype(str).map(rows)
    if at.isna().all():
        raise DataError(
            f"none of the {len(keys):,} ids of the data is in the findings: the data begins with {keys[:1]}, "
            f"the findings with {hardness['id'].head(1).tolist()}; name the column of ids"
        )
    values[at.dropna().astype(int)] = hardness["hardness"].to_numpy(dtype=np.float64)[at.notna()]
    return Aligned(name, values, _members(members, rows), tuple(dict.fromkeys(members["slice"].astype(str))))


def _members(members: pd.DataFrame, rows: dict[str, int]) -> pd.DataFrame:
    """Return the members that are among the examples, with row, slice, membership and rank.

    Memberships are 1 if the table has none.
    """
    import pandas as pd

    at = members["id"].astype(str).map(rows)
    table = pd.DataFrame({"row": at, "slice": members["slice"].astype(str)})
    table["membership"] = members["membership"].astype(float) if "membership" in members else 1.0
    table["rank"] = members["rank"] if "rank" in members else members.groupby("slice", sort=False).cumcount() + 1
    known = table[at.notna()].reset_index(drop=True)
    return known.astype({"row": "int64", "rank": "int64"})


def _table(found: Any, name: str, columns: Sequence[str]) -> pd.DataFrame:
    table = getattr(found, name, None)
    if table is None:
        raise DataError(f"{type(found).__name__} has no {name}; expected a result of slicebench.discover or found_by")
    known = [str(column) for column in table]
    for column in columns:
        if column not in known:
            raise DataError(f"the table of {name} has no column {column!r}; {did_you_mean(column, known)}")
    frame: pd.DataFrame = table
    return frame


def _method(members: pd.DataFrame, hardness: pd.DataFrame, method: str | None) -> str:
    there = list(dict.fromkeys([*hardness["method"].astype(str), *members["method"].astype(str)]))
    if method is None and len(there) != 1:
        raise DataError(f"there are findings of {len(there)} methods ({', '.join(there)}); name one of them as method")
    if method is not None and method not in there:
        raise DataError(f"there are no findings of the method {method!r}; {did_you_mean(method, there)}")
    return method or there[0]
