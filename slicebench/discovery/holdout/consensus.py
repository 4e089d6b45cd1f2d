"""Join the slices that different folds found: the same slice again is one finding."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.fold_tests import fold_p, joined_p
from slicebench.discovery.holdout.forward import chosen_forward
from slicebench.discovery.holdout.masks import overlap, overlaps
from slicebench.metrics.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.holdout.candidates import Candidate
    from slicebench.discovery.holdout.excess import Excess
    from slicebench.discovery.holdout.folds import Folds
    from slicebench.discovery.searches.conditions import Conjunction

    Bools = NDArray[np.bool_]


SAME = 0.5
"""Least intersection over union at which slices of two folds are the same finding."""
AGREED = 0.7
"""Least share of the searches that found a region which must assign an example to it; chosen on the tuning tables."""


@dataclass(frozen=True, eq=False)
class Tested:
    """A slice that one fold's test is about, with its p after Holm's correction over all slices of that fold."""

    candidate: Candidate
    p: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """The same slice as found without each of several folds.

    `members` (n,) are all examples of the slice: of a rule, those that meet it; of a region, those that most searches assign to
    it; of a method's slice, each as the search for its own fold assigns it. `held_out` (n,) marks the rows of the folds that
    tested it, and `inside` (n,) those of them that were assigned to it without their outcomes. `p` joins the folds.
    """

    method: str
    label: str
    class_number: int | None
    rule: Conjunction | None
    members: Bools
    strength: NDArray[np.float64]
    held_out: Bools
    inside: Bools
    p: float
    folds: tuple[int, ...]


def findings_of(
    candidates: Sequence[Candidate], excess: Excess, folds: Folds, judges: Mapping[int, Bools]
) -> list[Finding]:
    """Choose slices in each fold, test them there, and join what folds agree on; `judges` are the rows that choose."""
    tested = {fold: _tested(candidates, excess, folds, fold, judges[fold]) for fold in folds.tested}
    return [_finding(cluster, folds) for cluster in _clusters(tested)]


def _tested(candidates: Sequence[Candidate], excess: Excess, folds: Folds, fold: int, judge: Bools) -> list[Tested]:
    test = folds.number == fold
    chosen = chosen_forward([one for one in candidates if one.fold == fold], excess, judge)
    p = []
    for one in chosen:
        members = one.candidate.members & test & one.left
        rest = ~one.candidate.members & test & one.left
        p.append(fold_p(members, rest, excess))
    return [Tested(one.candidate, float(value)) for one, value in zip(chosen, holm(np.array(p)), strict=True)]


def _clusters(tested: Mapping[int, list[Tested]]) -> list[dict[int, Tested]]:
    """Group slices of different folds that have most members in common, at most one of each fold.

    Each group begins with the slice, of those left, that most folds found, and takes from every other fold the one most like it.
    """
    every = [one for slices in tested.values() for one in slices]
    shares = overlaps([one.candidate.members for one in every])
    numbers = iter(range(len(every)))
    left = {fold: [next(numbers) for _ in slices] for fold, slices in tested.items()}
    out = []
    while any(left.values()):
        groups = [_around(fold, i, left, shares) for fold, own in left.items() for i in own]
        best = max(groups, key=lambda group: (len(group), -np.median([every[i].p for i in group.values()])))
        out.append({fold: every[i] for fold, i in best.items()})
        for fold, i in best.items():
            left[fold].remove(i)
    return out


def _around(fold: int, i: int, left: Mapping[int, list[int]], shares: NDArray[np.float64]) -> dict[int, int]:
    group = {fold: i}
    for other, slices in left.items():
        if other != fold and slices:
            best = slices[int(np.argmax(shares[i, slices]))]
            if shares[i, best] >= SAME:
                group[other] = best
    return group


def _finding(group: Mapping[int, Tested], folds: Folds) -> Finding:
    own = {fold: one.candidate for fold, one in group.items()}
    best = _typical([*own.values()])
    held_out = np.isin(folds.number, [*own])
    inside = np.zeros(len(held_out), dtype=bool)
    strength = best.strength.copy()
    for fold, one in own.items():
        rows = folds.number == fold
        inside[rows] = one.members[rows]
        if best.rule is None:
            strength[rows] = one.strength[rows]
    return Finding(
        method=best.method,
        label=best.label,
        class_number=best.class_number,
        rule=best.rule,
        members=_members([*own.values()], best, np.where(held_out, inside, best.members)),
        strength=strength,
        held_out=held_out,
        inside=inside,
        p=joined_p([one.p for one in group.values()], len(folds.tested)),
        folds=tuple(sorted(own)),
    )


def _members(own: Sequence[Candidate], typical: Candidate, assigned: Bools) -> Bools:
    """Return the members (n,) of a slice that was found as `own`; `assigned` (n,) are those that each fold's own search assigns.

    Searches differ most at the boundary of a region, where its examples are mixed with others. What most agree on is purer.
    """
    if typical.rule is not None:
        return typical.members
    if not all(one.crossed for one in own):
        return assigned
    agreed: Bools = np.sum([one.members for one in own], axis=0) >= AGREED * len(own)
    return agreed


def _typical(candidates: Sequence[Candidate]) -> Candidate:
    """Return the slice that stands for all: the rule that most folds found, else the one most like the others."""
    ruled = [one for one in candidates if one.rule is not None]
    some = ruled if 2 * len(ruled) >= len(candidates) else [one for one in candidates if one.rule is None]
    times = Counter(one.label for one in ruled)
    likeness = [np.mean([overlap(one.members, two.members) for two in candidates]) for one in some]
    return some[max(range(len(some)), key=lambda i: (times[some[i].label] if some[i].rule else 0, likeness[i]))]
