"""Match the ids of a submission with those of a problem where tools have written them differently.

Ids are matched only where there is one way to do so: no two ids of the problem, and no two of the submission, may become one.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from slicebench.data.schema.classes import whole_number
from slicebench.evaluation.submissions.contents import Members

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from slicebench.evaluation.submissions.contents import Submission


@dataclass(frozen=True)
class Matched:
    """A submission with the ids of the problem, and how they were matched in a sentence, if at all."""

    submission: Submission
    note: str | None = None


def _trimmed(key: str) -> str:
    return " ".join(unicodedata.normalize("NFC", key).split())


_REWRITES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("without regard to blanks and Unicode form", _trimmed),
    ("as whole numbers", lambda key: whole_number(_trimmed(key))),
    ("without regard to upper and lower case", lambda key: _trimmed(key).casefold()),
)


def given_ids(submission: Submission) -> list[str]:
    """Return the distinct ids of a submission, in the order in which they occur."""
    said = [submission.scores or {}, submission.partial or {}, *(one.ids for one in submission.slices.values())]
    return list(dict.fromkeys(key for keys in said for key in keys))


def matched(submission: Submission, known: Collection[str]) -> Matched:
    """Return the submission with its ids as the problem writes them, if that makes all of them `known`."""
    given = given_ids(submission)
    foreign = [key for key in given if key not in known]
    if not foreign:
        return Matched(submission)
    for said, rewrite in _REWRITES:
        ids = _one_to_one(given, known, rewrite)
        if ids is not None:
            example = f"{foreign[0]!r} is {ids[foreign[0]]!r}"
            return Matched(_renamed(submission, ids), f"ids are matched {said}: {example}")
    return Matched(submission)


def _one_to_one(given: list[str], known: Collection[str], rewrite: Callable[[str], str]) -> dict[str, str] | None:
    """Return the known id of each given one; None if one is still unknown, or two would become one."""
    own = {rewrite(key): key for key in known}
    new = [rewrite(key) for key in given]
    if len(own) < len(known) or len({*new}) < len(new) or not own.keys() >= {*new}:
        return None
    return {key: own[word] for key, word in zip(given, new, strict=True)}


def _renamed(submission: Submission, ids: Mapping[str, str]) -> Submission:
    def renamed(scores: Mapping[str, float] | None) -> dict[str, float] | None:
        return None if scores is None else {ids[key]: value for key, value in scores.items()}

    slices = {
        name: Members(tuple(ids[key] for key in one.ids), one.membership) for name, one in submission.slices.items()
    }
    return replace(submission, scores=renamed(submission.scores), partial=renamed(submission.partial), slices=slices)
