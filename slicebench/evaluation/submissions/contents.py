"""Contents of a submission: a hardness per example, slices, or both, by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


VERSION = 1
"""Version of the submission format, also of a file that names no version."""
LONGEST_NAME = 200
MOST_SLICES = 1000
"""Slices that one method may return; each is compared with every planted group."""


@dataclass(frozen=True)
class Members:
    """Ids of a slice, the most typical first.

    With memberships in [0, 1], in the same order, it is a soft slice. All ids of a ranked slice are
    members; of a soft slice, the strongest are, as many as its memberships add up to.
    """

    ids: tuple[str, ...]
    membership: tuple[float, ...] | None = None

    def check(self, where: str) -> None:
        """Raise `DataError` for an id that occurs twice or a membership outside [0, 1].

        `where` names the slice in the message.
        """
        if len(set(self.ids)) < len(self.ids):
            raise DataError(f"{where} holds {the_ids(twice(self.ids))} more than once; expected each id once per slice")
        bad = [key for key, value in zip(self.ids, self.membership or (), strict=False) if not 0 <= value <= 1]
        if bad:
            raise DataError(f"{where}: the membership of {the_ids(bad)} is not a number from 0 to 1")


@dataclass(frozen=True, eq=False, kw_only=True)
class Submission:
    """Submission of one method for the test examples of a problem.

    Parameters
    ----------
    where : str
        Name of the submission in messages, e.g. the file.
    method : str
        Name of the method in records.
    scores : mapping of id to finite float, optional
        Hardness; higher is harder.
    slices : mapping of name to Members
        The most suspicious first; an example may be in several.
    partial : mapping of id to float, optional
        Hardness in a table of members, as `slicebench discover --out` writes it. It is ignored if
        it leaves out examples.
    notes : tuple of str
        Which columns of its table were read by another name, and which are not used.

    Raises
    ------
    DataError
        that names the file, the method and the invalid id or slice.

    """

    where: str
    method: str
    scores: Mapping[str, float] | None = None
    partial: Mapping[str, float] | None = None
    slices: Mapping[str, Members]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.where, "method", self.method)
        if self.scores is None and self.partial is None and not self.slices:
            raise DataError(f"{self}: there are neither scores nor slices; expected a column score or slice, or both")
        for scores in (self.scores, self.partial):
            _check_finite(str(self), scores or {})
        if len(self.slices) > MOST_SLICES:
            raise DataError(f"{self}: there are {len(self.slices):,} slices; expected at most {MOST_SLICES:,}")
        for name, members in self.slices.items():
            check_name(self.where, "slice", name)
            members.check(f"{self}: slice {name!r}")

    def __str__(self) -> str:
        return f"{self.where}, method {self.method!r}"


def check_name(where: str, kind: str, name: str) -> None:
    """Raise `DataError` for a name that is empty, too long or not printable."""
    if not name.strip():
        raise DataError(f"{where}: a {kind} has an empty name")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise DataError(
            f"{where}: the {kind} name {shown([name])} cannot be printed; expected at most {LONGEST_NAME} printable characters"
        )


def check_version(where: str, version: object) -> None:
    """Raise `DataError` for a format version that is not a number, or newer than this one."""
    if isinstance(version, bool) or not isinstance(version, int | np.integer) or version < 1:
        raise DataError(
            f"{where}: slicebench_submission is {shown([version])}; expected {VERSION}, the version of the format"
        )
    if version > VERSION:
        raise DataError(
            f"{where} is a submission of version {version}, but this slicebench reads {VERSION}; update slicebench, or write "
            f"version {VERSION} (docs/how-to/scores-from-elsewhere.md)"
        )


def shown(values: Sequence[object], most: int = 3) -> str:
    """Return the first few of `values` for messages, and how many there are."""
    texts = [text if len(text) <= 60 else f"{text[:57]}..." for text in map(_representation, values[:most])]
    return ", ".join(texts) + (f", ... ({len(values):,} in all)" if len(values) > most else "")


def the_ids(keys: Sequence[str]) -> str:
    """Return ids for messages: "the id 'a'", "the ids 'a', 'b', 'c', ... (9 in all)"."""
    return f"the id{'' if len(keys) == 1 else 's'} {shown(keys)}"


def _representation(value: object) -> str:
    return repr(value[:80] if isinstance(value, str) else value)


def twice(values: Iterable[str]) -> list[str]:
    """Return the values that occur more than once, each once, in the order of their second occurrence."""
    seen: set[str] = set()
    again: dict[str, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)


def _check_finite(where: str, scores: Mapping[str, float]) -> None:
    keys = list(scores)
    values = np.fromiter(scores.values(), np.float64, len(keys))
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{where}: the score of {the_ids([keys[i] for i in bad])} is {values[bad[0]]}; expected finite numbers"
        )
