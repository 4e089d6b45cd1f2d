"""Deal rows to train, val and test, or read a column that says where each belongs; rows of one group stay together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.from_arrays import SHARES, dealt, split_positions
from slicebench.data.schema.roles import declined, parameter
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.table_schema import Schema
    from slicebench.data.schema.user_table import UserTable

    Positions = dict[str, NDArray[np.intp]]


WORDS = {
    "train": ("train", "training", "trn", "tr"),
    "val": ("val", "valid", "validation", "dev", "development", "eval"),
    "test": ("test", "testing", "tst", "holdout", "hold-out", "held-out", "heldout"),
    "pool": ("pool",),
}
"""Words for each part in a column of splits; case and blanks do not matter."""


def positions_of(schema: Schema, seed: int) -> tuple[Positions, list[str]]:
    """Return the rows of each part, and notes on a column of splits that is not used.

    Raises
    ------
    DataError
        if a column that the caller names has other words, or leaves a part empty.

    """
    table, roles, n = schema.table, schema.roles, len(schema.table.frame)
    labels = np.zeros(n, dtype=np.int64) if schema.outcomes.labels is None else schema.outcomes.labels
    groups = schema.groups
    if roles.split is not None:
        named, reason = named_parts(table, roles.split)
        if reason is None:
            at = split_positions(n, named, labels, seed)
            return at, [] if groups is None else _shared_groups(at, groups, str(roles.group))
        if "split" not in roles.found and not reason.endswith(ONE_PART):
            raise DataError(
                f"{table.where(roles.split)} {reason}. Mark rows of all three parts, or let rows be dealt to them "
                f"at random ({declined('split')})"
            )
        note = f"Column {roles.split!r} {reason}; so rows are dealt to train, val and test at random."
        return _dealt(labels, groups, seed), [note]
    return _dealt(labels, groups, seed), []


def held_out_rows(schema: Schema) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """Return which rows a column of splits holds out for testing, (n,), or None; and notes on that column.

    These are the rows of test. Without any, they are those of val.

    Raises
    ------
    DataError
        if a column that the caller names has other words.

    """
    table, roles = schema.table, schema.roles
    if roles.split is None:
        return None, []
    named, reason = named_parts(table, roles.split, needed=())
    if named is not None:
        held_out = named == ("test" if (named == "test").any() else "val")
        if held_out.any() and not held_out.all():
            at = {"test": np.flatnonzero(held_out), "others": np.flatnonzero(~held_out)}
            return held_out, [] if schema.groups is None else _shared_groups(at, schema.groups, str(roles.group))
        reason = ONE_PART
    if "split" not in roles.found and reason != ONE_PART:
        raise DataError(
            f"{table.where(roles.split)} {reason}. Mark every row, or let slices be found and tested on all rows "
            f"({declined('split')})"
        )
    return None, [f"Column {roles.split!r} {reason}, so every row is used to find slices and to test them."]


ONE_PART = "marks all rows as one part"


def parts_in(table: UserTable, column: str) -> pd.Series[Any]:
    """Return the part that the word in each row of a column stands for; missing where it stands for none."""
    words = table.words(column).str.strip().str.lower()
    return words.map({word: part for part, own in WORDS.items() for word in own})


def named_parts(
    table: UserTable, column: str, needed: Collection[str] = tuple(SHARES)
) -> tuple[NDArray[np.str_] | None, str | None]:
    """Return the part of each row as a column says; or None, and why that is impossible.

    Each part in `needed` must have a row.
    """
    parts = parts_in(table, column)
    unknown = (parts.isna()).to_numpy(dtype=bool)
    if unknown.any():
        row, words = int(np.argmax(unknown)), table.words(column)
        value = "no value" if words.isna().iloc[row] else repr(str(words.iloc[row]))
        return None, f"has {value} at row {table.number(row)}, where train, val or test is expected"
    names = np.asarray(parts.to_numpy(dtype=str))
    missing = [part for part in needed if not (names == part).any()]
    if missing and len(missing) == len(SHARES) - 1:
        return None, ONE_PART
    if missing:
        return None, f"has no row marked {' or '.join(missing)}"
    return names, None


def group_numbers(table: UserTable, column: str | None) -> NDArray[np.intp] | None:
    """Return a number for each row that rows of one group share; a row without a value is a group of its own."""
    import pandas as pd

    if column is None:
        return None
    words = table.words(column)
    codes, distinct = pd.factorize(words)
    alone = codes < 0
    codes[alone] = len(distinct) + np.arange(int(alone.sum()))
    if len(np.unique(codes)) < LEAST_GROUPS:
        raise DataError(
            f"{table.where(column)} has {len(np.unique(codes))} different values; {LEAST_GROUPS} groups or more "
            "are needed, because each group is dealt as a whole. Name a column of smaller groups "
            f"({parameter('group')}), or none"
        )
    return codes.astype(np.intp)


LEAST_GROUPS = 10
"""Groups that are needed to deal them to three parts, and to test with."""


def _dealt(labels: NDArray[np.int64], groups: NDArray[np.intp] | None, seed: int) -> Positions:
    rng = np.random.default_rng(seed)
    if groups is None:
        return dealt(labels, SHARES, rng)
    part = dealt_groups(labels, groups, [*SHARES.values()], rng)
    return {name: np.flatnonzero(part == i) for i, name in enumerate(SHARES)}


def dealt_groups(
    strata: NDArray[np.int64], groups: NDArray[np.intp], shares: Sequence[float], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal whole groups to parts, so that each gets its share of the rows of each stratum, as far as groups allow.

    The largest group comes first, and each goes to the part that lacks most of what it has. Returns the part of each row, (n,).
    """
    distinct, own = np.unique(groups, return_inverse=True)
    kinds, stratum = np.unique(strata, return_inverse=True)
    rows = np.zeros((len(distinct), len(kinds)))
    np.add.at(rows, (own, stratum), 1)
    weights = np.array(shares)
    lacking = weights[:, None] * rows.sum(axis=0) / weights.sum()
    part = np.zeros(len(distinct), dtype=np.intp)
    order = rng.permutation(len(distinct))
    for group in order[np.argsort(-rows.sum(axis=1)[order], kind="stable")]:
        part[group] = int(np.argmax(lacking @ (rows[group] > 0) / weights))
        lacking[part[group]] -= rows[group]
    of_rows: NDArray[np.intp] = part[own]
    return of_rows


def _shared_groups(at: Positions, groups: NDArray[np.intp], column: str) -> list[str]:
    """Return a note if a group has rows in two parts that a column of splits names."""
    held = [set(groups[rows].tolist()) for rows in at.values()]
    shared = len(set.union(*held)) < sum(map(len, held))
    note = (
        f"Some groups of {column!r} have rows in more than one part of the split, so slices may look more "
        "certain than they are."
    )
    return [note] * shared
