"""Read a user's table: roles, outcomes, and what is made of every other column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from slicebench.data.columns import ROLES
from slicebench.data.schema.frames import FROM_INDEX, as_frame
from slicebench.data.schema.kinds import WHY, kind_of
from slicebench.data.schema.layouts.image_folders import NOTES
from slicebench.data.schema.leaks import leak_of
from slicebench.data.schema.outcomes import outcomes_of
from slicebench.data.schema.parts import parts_of
from slicebench.data.schema.roles import USUAL, check_roles, is_given, parameter, plain, roles_of
from slicebench.data.schema.splits import group_numbers
from slicebench.data.schema.user_table import FILL, UserTable
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.schema.outcomes import Outcomes
    from slicebench.data.schema.roles import Roles


NOT_USED = "not used"
USES = (
    *(role for role in ROLES if role not in ("features", "metadata")),
    "features and rules",
    "features",
    "rules",
    NOT_USED,
)
"""Uses of columns, in the order in which lists of columns show them."""
DESCRIBING = ("embedding", "embeddings", "features", "image", "text")
"""Roles that say what an example looks like."""


@dataclass(frozen=True)
class ColumnUse:
    """What became of one column: its kind, what it is used for, and why it is not, or how it was read.

    `use` is a role ("label"), "features and rules", "rules", "features" or "not used".
    """

    column: str
    kind: str
    use: str
    why: str = ""


def sorted_by_use(uses: Iterable[ColumnUse]) -> list[ColumnUse]:
    """Return columns that have a role first, then those of features and rules, then unused ones."""
    return sorted(uses, key=lambda one: USES.index(one.use))


@dataclass(frozen=True, eq=False, kw_only=True)
class Schema:
    """A user's table, read.

    `roles` name the columns that have one, `outcomes` are what the model got wrong. `metadata` has the columns that rules are
    made of, `features` those that describe an example (none if vectors, images or texts do). `uses` accounts for every column,
    in the order of the table, and `notes` are what a user must know.
    """

    table: UserTable
    roles: Roles
    outcomes: Outcomes
    metadata: pd.DataFrame
    features: pd.DataFrame
    uses: tuple[ColumnUse, ...]
    notes: tuple[str, ...]

    @cached_property
    def groups(self) -> NDArray[np.intp] | None:
        """A number for each row that rows of one group share, as `group_numbers`; None if no column has groups."""
        return group_numbers(self.table, self.roles.group)

    def unused(self) -> tuple[ColumnUse, ...]:
        """Return the columns that are used for nothing."""
        return tuple(one for one in self.uses if one.use == NOT_USED)


def schema_of(
    frame: Any,
    columns: Columns,
    *,
    name: str = "table",
    advice: str = FILL,
    look_for: Collection[str] = ROLES,
    rows: NDArray[np.integer] | None = None,
) -> Schema:
    """Read a table, which may be anything that `as_frame` takes; roles in `look_for` are found also where they are not named.

    Errors call the table `name`, number its rows by `rows` if it is a part of a larger one, and say `advice` of rows without a
    value.

    Raises
    ------
    ConfigError
        for columns that are named and not there, and where nothing says what the model got wrong.
    DataError
        naming column and row of what is missing, not finite or of no known class.

    """
    table = UserTable(as_frame(frame, name), name, advice, rows)
    kinds = {column: kind_of(table.frame[column]) for column in table.columns}
    roles = roles_of(columns, table, kinds, look_for)
    check_roles(roles, table, kinds, look_for)
    outcomes = outcomes_of(table, roles)
    reader = _Reader(table, roles, outcomes, kinds, look_for)
    reader.read()
    return Schema(
        table=table,
        roles=roles,
        outcomes=outcomes,
        metadata=_frame(table, reader.metadata),
        features=_frame(table, reader.features),
        uses=tuple(reader.uses[column] for column in table.columns),
        notes=(*table.frame.attrs.get(NOTES, ()), *_from_index(table, reader.uses), *outcomes.notes, *reader.notes),
    )


def _from_index(table: UserTable, uses: Mapping[str, ColumnUse]) -> list[str]:
    """Return a note for each column that was the index of a DataFrame and is used."""
    own = [uses[name] for name in table.frame.attrs.get(FROM_INDEX, ()) if name in uses]
    return [
        f"The index {one.column!r} of the table counts as a column ({one.use})." for one in own if one.use != NOT_USED
    ]


def _frame(table: UserTable, parts: dict[str, pd.Series[Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(parts, index=table.frame.index, copy=False)


class _Reader:
    """Goes through the columns once, and says of each what it is used for."""

    def __init__(
        self, table: UserTable, roles: Roles, outcomes: Outcomes, kinds: dict[str, str], look_for: Collection[str]
    ) -> None:
        self.table, self.roles, self.outcomes, self.kinds = table, roles, outcomes, kinds
        self.taken = roles.taken(table)
        self.rules_of = _chosen(roles.metadata, default="metadata" in look_for)
        has_look = any(is_given(getattr(roles, role)) for role in DESCRIBING)
        self.features_of = _chosen(roles.features, default="features" in look_for and not has_look)
        self.metadata: dict[str, pd.Series[Any]] = {}
        self.features: dict[str, pd.Series[Any]] = {}
        self.uses: dict[str, ColumnUse] = {}
        self.notes: list[str] = []
        self.leaks: list[str] = []

    def read(self) -> None:
        """Fill in what rules and features are made of, and the use of every column."""
        for column in self.table.columns:
            self.uses[column] = self._use(column)
        self.notes += [f"Column {column!r} is left out: {self.uses[column].why}." for column in self.leaks]

    def _use(self, column: str) -> ColumnUse:
        kind, role = self.kinds[column], self.taken.get(column)
        named = column in (self.roles.metadata or ()) or column in (self.roles.features or ())
        if column in self.roles.ignore:
            return ColumnUse(column, kind, NOT_USED, "it is ignored, as asked")
        if role is not None and not named:
            return self._role(column, kind, role)
        if not named and not (self.rules_of(column) or self.features_of(column)):
            return ColumnUse(column, kind, NOT_USED, "other columns are named as features or metadata")
        if not named and plain(column) in USUAL["id"] and kind not in ("ids", "row numbers"):
            return ColumnUse(
                column,
                kind,
                NOT_USED,
                "its values repeat, so they are no ids; if rows of one value belong together, use "
                f"{parameter('group', column)}",
            )
        parts = parts_of(column, self.table.frame[column], _forced(kind) if named else kind)
        if not parts:
            return self._unused(column, kind, named=named)
        if not named and column not in self.roles.keep:
            leak = leak_of(column, self.table.frame[column], kind, self.outcomes)
            if leak is not None:
                self.leaks.append(column)
                return ColumnUse(column, kind, NOT_USED, f"{leak}; to use it anyway: {parameter('keep', column)}")
        return self._place(column, kind, parts)

    def _role(self, column: str, kind: str, role: str) -> ColumnUse:
        """Return the use of a column with a role; what can be counted in a text, and the labels of a list, are metadata too."""
        if role == "text" and self.rules_of(column):
            counted = parts_of(column, self.table.frame[column], "free text")
            self.metadata |= counted
            return ColumnUse(column, kind, role, f"rules: {', '.join(counted)}" if counted else "")
        if role == "label" and self.outcomes.sets is not None and self.rules_of(column):
            own = parts_of(column, _tags(self.outcomes.sets, self.table.frame.index), "tags")
            self.metadata |= own
            return ColumnUse(column, kind, role, _some("rules:", own) if own else "")
        return ColumnUse(column, kind, role)

    def _unused(self, column: str, kind: str, *, named: bool) -> ColumnUse:
        why = WHY.get(kind, "no value is frequent enough for a rule")
        if named:
            raise ConfigError(
                f"{self.table.where(column)} cannot be used as a feature or in rules: {why}; {_instead(column, kind)}"
            )
        if kind == "images":
            why = f"its images are not read; to show and describe them: {parameter('image', column)}"
        elif kind in ("free text", "vectors"):
            role = "text" if kind == "free text" else "embedding"
            why = f"it is not the {role}; to use it as that: {parameter(role, column)}"
        return ColumnUse(column, kind, NOT_USED, why)

    def _place(self, column: str, kind: str, parts: dict[str, pd.Series[Any]]) -> ColumnUse:
        uses = []
        if self.features_of(column):
            self.features |= parts
            uses.append("features")
        if self.rules_of(column):
            self.metadata |= parts
            uses.append("rules")
        made = "" if [*parts] == [column] else _some("as", parts)
        return ColumnUse(column, kind, " and ".join(uses), made)


def _some(beginning: str, parts: dict[str, pd.Series[Any]]) -> str:
    return f"{beginning} {', '.join([*parts][:4])}{' ...' if len(parts) > 4 else ''}"


def _tags(sets: list[set[str]], index: pd.Index[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series([sorted(one) for one in sets], index=index, dtype=object)


def _instead(column: str, kind: str) -> str:
    """Return what to do about a column that is named and cannot be used."""
    role = {"vectors": "embedding", "images": "image"}.get(kind)
    return "leave it out" if role is None else f"name it as {parameter(role, column)}"


def _forced(kind: str) -> str:
    """Return the kind by which a column is read that the caller names although it is usually not used."""
    return {"row numbers": "numbers", "ids": "words", "constant": "words"}.get(kind, kind)


def _chosen(named: Sequence[str] | None, *, default: bool) -> Callable[[str], bool]:
    """Return whether a column is among those named; without names the answer is always `default`."""
    return (lambda _: default) if named is None else {*named}.__contains__
