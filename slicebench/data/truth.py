"""The truth of a problem: which examples belong to which planted subgroup. Only the evaluator holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from slicebench.data.checks import array_of, ids_of
from slicebench.data.split import put_field
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


Kind = Literal["natural", "planted"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PlantedTruth:
    """Membership of the planted subgroups. Only the evaluator holds it.

    Parameters
    ----------
    ids : mapping of split name to (n,) strings
    groups : mapping of split name to (n, g) bool
        Group membership, aligned with `ids`; groups may overlap, and g may be 0 (nothing planted).
    group_names : g strings
    captions : mapping of group name to the captions that name it
    how : str
        How the plant was made, or what is hard and why, in words.
    kind : "natural" or "planted"
        Natural groups are as the data have them; planted ones were made hard on purpose.

    """

    ids: Mapping[str, NDArray[np.str_]]
    groups: Mapping[str, NDArray[np.bool_]]
    group_names: tuple[str, ...]
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    how: str = ""
    kind: Kind = "planted"

    def __post_init__(self) -> None:
        put_field(self, "group_names", tuple(self.group_names))
        if self.kind not in get_args(Kind):
            raise DataError(f"truth.kind is {self.kind!r}; expected one of {', '.join(get_args(Kind))}")
        if set(self.ids) != set(self.groups):
            raise DataError(f"truth has ids for {sorted(self.ids)} but groups for {sorted(self.groups)}")
        ids = {name: ids_of(f"truth.ids[{name!r}]", value) for name, value in self.ids.items()}
        groups = {
            name: array_of(f"truth.groups[{name!r}]", value, np.bool_, 2, len(ids[name]))
            for name, value in self.groups.items()
        }
        for name, value in groups.items():
            if value.shape[1] != len(self.group_names):
                raise DataError(
                    f"truth.groups[{name!r}] has {value.shape[1]} columns for {len(self.group_names)} group names"
                )
        unknown = set(self.captions) - set(self.group_names)
        if unknown:
            raise DataError(f"truth.captions names the groups {sorted(unknown)}, which are not in group_names")
        put_field(self, "ids", ids)
        put_field(self, "groups", groups)

    @cached_property
    def _by_id(self) -> tuple[dict[str, int], NDArray[np.bool_]]:
        """Row of each id among all splits, and the groups of all splits, stacked."""
        ids = [key for keys in self.ids.values() for key in keys.tolist()]
        return {key: row for row, key in enumerate(ids)}, np.concatenate(list(self.groups.values()))

    def groups_of(self, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Return the group membership of each example, looked up by id; shape (n, g).

        Raises
        ------
        DataError
            for an id that the truth does not have.

        """
        rows, groups = self._by_id
        try:
            chosen = [rows[key] for key in ids.tolist()]
        except KeyError as missing:
            raise DataError(f"the truth has no example with id {missing}") from None
        found: NDArray[np.bool_] = groups[chosen]
        return found

    def minority(self, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Return whether each example is in any planted group, by id; shape (n,).

        Raises the same errors as `groups_of`.
        """
        any_group: NDArray[np.bool_] = np.any(self.groups_of(ids), axis=1)
        return any_group
