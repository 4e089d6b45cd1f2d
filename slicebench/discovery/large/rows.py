"""Read the rows of a part of a large table as those of the sample were read: classes, errors, codes and vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.from_arrays import split_of
from slicebench.data.schema.frames import as_frame
from slicebench.data.schema.leaks import wrong_of
from slicebench.data.schema.outcomes import outcomes_of
from slicebench.data.schema.splits import held_out_rows, parts_in
from slicebench.data.schema.user_table import UserTable
from slicebench.discovery.large.sampling import group_ids

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema import Schema
    from slicebench.data.schema.outcomes import Outcomes
    from slicebench.data.schema.roles import Roles

    Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """The rows of a part that count, n of them.

    `numbers` (n,) are theirs in the whole table. `outcome` (n,) is 1 for an error and 0 for a right answer, or the loss.
    `held_out` (n,) marks the rows for testing, and `groups` (n,) numbers rows that belong together, or is None. `left_out` rows
    are of classes that the sample does not have; `first` says which is the first one.
    """

    table: UserTable
    numbers: NDArray[np.int64]
    labels: NDArray[np.int64]
    outcome: NDArray[np.float64]
    wrong: Bools | None
    predicted: NDArray[np.int64] | None
    errors: NDArray[np.float64] | None
    probs: NDArray[np.float32] | None
    held_out: Bools
    groups: NDArray[np.int64] | None
    left_out: int
    first: str


@dataclass(frozen=True, eq=False, kw_only=True)
class RowReader:
    """Reads rows by the roles and classes of a sample.

    `known` has the values of each column of classes that the sample has, and `skipped` labels that the measure does not compare.
    `test` is the part of the column of splits that is held out, or None.
    """

    roles: Roles
    like: Outcomes
    known: dict[str, frozenset[Any]]
    skipped: frozenset[Any]
    by_loss: bool
    test: str | None
    columns: tuple[str, ...]

    @classmethod
    def of(cls, schema: Schema, *, by_loss: bool, whole: pd.DataFrame) -> RowReader:
        """Return the reader of rows like those of `schema`; `whole` is the sample with the rows that the measure skips."""
        roles, found = _plain(schema.roles, schema.outcomes), schema.outcomes
        frame = schema.table.frame
        held = [one for one in (roles.label, roles.prediction) if one is not None] if found.classes else []
        label = roles.label if found.classes else None
        every = set() if label is None else set(whole[label].dropna().unique())
        known = {name: frozenset(frame[name].dropna().unique()) for name in held}
        return cls(
            roles=roles,
            like=replace(
                found, labels=None, predictions=None, probs=None, losses=None, correct=None, errors=None, notes=[]
            ),
            known=known,
            skipped=frozenset(every - known[label]) if label is not None else frozenset(),
            by_loss=by_loss,
            test=_part_for_testing(schema),
            columns=_columns(roles, schema.table),
        )

    def __call__(self, part: pd.DataFrame, start: int) -> Rows | None:
        """Return the rows of a part whose first row is number `start`; None if it has none that count.

        Raises `DataError` naming column and row of a value that is missing, not finite, or of no known class.
        """
        frame = as_frame(part).reset_index(drop=True)
        for name in self.known:  # missing values are refused before any row is left out
            UserTable(frame, "table", rows=start + np.arange(len(frame))).column(name)
        compared, unknown = self._of_known_classes(frame)
        at = np.flatnonzero(compared & ~unknown)
        if not len(at):
            return None
        table = UserTable(frame if len(at) == len(frame) else frame.iloc[at], "table", rows=start + at)
        found = outcomes_of(table, self.roles, self.like)
        wrong = None if self.by_loss else wrong_of(found)
        return Rows(
            table=table,
            numbers=start + at,
            labels=np.zeros(len(at), dtype=np.int64) if found.labels is None else found.labels,
            outcome=_losses(found, len(at)) if wrong is None else wrong.astype(np.float64),
            wrong=wrong,
            predicted=found.predicted,
            errors=found.errors,
            probs=found.probs,
            held_out=self._held_out(table),
            groups=None if self.roles.group is None else group_ids(table, self.roles.group, start + at),
            left_out=int(unknown.sum()),
            first=f"row {start + int(np.argmax(unknown)):,}" if unknown.any() else "",
        )

    def _of_known_classes(self, frame: pd.DataFrame) -> tuple[Bools, Bools]:
        """Mark the rows that the measure compares, and those of them with a class that the sample does not have."""
        compared, unknown = np.ones(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
        if self.skipped:
            compared = ~frame[str(self.roles.label)].isin([*self.skipped]).to_numpy(dtype=bool)
        for name, values in self.known.items():
            unknown |= ~frame[name].isin([*values]).to_numpy(dtype=bool)
        return compared, compared & unknown

    def _held_out(self, table: UserTable) -> Bools:
        if self.test is None or self.roles.split is None:
            return np.ones(len(table.frame), dtype=bool)
        parts = parts_in(table, self.roles.split)
        table.refuse(self.roles.split, parts.isna().to_numpy(dtype=bool), "expected train, val or test")
        held_out: Bools = (parts == self.test).to_numpy(dtype=bool)
        return held_out


def _plain(roles: Roles, found: Outcomes) -> Roles:
    """Return the roles such that parts of the table are read as the whole was: with its task, and what it took for a score."""
    if found.task == "regression":
        return replace(roles, task="regression")
    if found.positive is not None and roles.score is None and roles.probs is None:
        return replace(roles, prediction=None, score=roles.prediction)
    return roles


def _columns(roles: Roles, table: UserTable) -> tuple[str, ...]:
    """Return the columns that outcomes are read from."""
    single = (roles.label, roles.prediction, roles.score, roles.loss, roles.correct, roles.split, roles.group)
    return (*(one for one in single if one is not None), *table.probability_columns(roles.probs))


def _losses(found: Outcomes, n: int) -> NDArray[np.float64]:
    """Return the loss of each row, as `split_of` makes it of probabilities where none is given."""
    split = split_of(embeddings=np.zeros((n, 1), dtype=np.float32), **found.arrays())
    return split.losses.astype(np.float64)


def _part_for_testing(schema: Schema) -> str | None:
    held_out, _ = held_out_rows(schema)
    if held_out is None or schema.roles.split is None:
        return None
    return str(parts_in(schema.table, schema.roles.split)[held_out].iloc[0])
