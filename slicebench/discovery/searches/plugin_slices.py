"""Run registered methods, and a user's own, on the folds.

For each fold a method is fitted on all folds but that one and a second one, and assigns all examples without their outcomes. A
method that only ranks gets slices by a cut where the second fold shows that the error rate falls off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.permuted import permuted_outcomes
from slicebench.data.problem import AuditData
from slicebench.discovery.holdout.candidates import Candidate
from slicebench.discovery.holdout.excess import ranks_within
from slicebench.discovery.holdout.masks import marked
from slicebench.discovery.searches.cuts import LEAST_MEMBERS, cut_of, places
from slicebench.errors import MethodError, SlicebenchError
from slicebench.evaluation.attempt import checked_scores
from slicebench.evaluation.slices import returned_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.discovery.holdout.excess import Excess
    from slicebench.discovery.reading.examples import Examples
    from slicebench.plugins.method import SliceMethod, SliceScores

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


MOST_NAMES = 6
"""Classes that one note names."""


@dataclass(frozen=True, eq=False)
class Said:
    """What one method, or one search, found on all folds.

    `hardness` (n,) is each example's rank in its class and fold, from 0 to 1, by a fit without that fold. `returned` counts the
    slices of all fits.
    """

    name: str
    candidates: tuple[Candidate, ...]
    hardness: Floats
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def returned(self) -> int:
        """Slices that were found, on all folds together."""
        return len(self.candidates)


def run_method(name: str, method: SliceMethod, examples: Examples, data: AuditData, excess: Excess, seed: int) -> Said:
    """Fit a method for every tested fold, and return its slices.

    Raises
    ------
    MethodError
        if the method fails.

    """
    start, folds = perf_counter(), examples.folds
    hardness, candidates, notes = np.zeros(examples.n), list[Candidate](), dict[str, None]()
    blind = permuted_outcomes(examples.whole, np.random.default_rng([seed, 2]))
    try:
        for fold in folds.tested:
            judge = judging_fold(examples, fold)
            learn = folds.learn(fold) & (folds.number != judge)
            rows = examples.whole.take(np.flatnonzero(learn))
            method.fit(AuditData(train=rows, val=rows, class_names=data.class_names, captions=data.captions))
            notes |= dict.fromkeys(map(str, method.notes()))
            own = folds.number == fold
            seen = checked_scores(method, method.score(examples.whole), examples.whole)
            hardness[own] = ranks_within(seen.hardness[own], excess.classes[own])
            if len(folds.tested) == 1:
                hardness = ranks_within(seen.hardness, excess.classes)
            scores = checked_scores(method, method.score(blind), blind)
            candidates += _slices(name, fold, scores, blind, examples, excess, seed)
    except SlicebenchError:
        raise
    except Exception as error:
        raise MethodError(f"{name} failed: {type(error).__name__}: {error}") from error
    return Said(name, tuple(candidates), hardness, perf_counter() - start, in_names([*notes], data.class_names))


def judging_fold(examples: Examples, fold: int) -> int:
    """Return the fold that cuts and chooses slices for `fold`."""
    others = examples.folds.others(fold)
    return next((f for f in others if f > fold), others[0])


def _slices(
    name: str, fold: int, scores: SliceScores, blind: Split, examples: Examples, excess: Excess, seed: int
) -> list[Candidate]:
    if scores.membership is None:
        return _cut_slices(name, fold, scores.hardness, examples, excess, seed)
    found = returned_slices(scores, blind, examples.class_names)
    out = list[Candidate]()
    for j, label in enumerate(found.names):
        members, soft = found.hard[:, j], found.soft[:, j].astype(np.float64)
        within: list[int] = np.unique(excess.classes[members]).tolist()
        out += [_candidate(name, label, fold, members & (excess.classes == c), soft, c) for c in within]
        if len(within) > 1:
            out.append(_candidate(name, label, fold, members, soft, None))
    return [one for one in out if one.members.sum() >= LEAST_MEMBERS]


def _cut_slices(
    name: str, fold: int, hardness: Floats, examples: Examples, excess: Excess, seed: int
) -> list[Candidate]:
    """Cut each class's hardness where the judging fold shows that the error rate falls off, and split members by place."""
    folds, out = examples.folds, list[Candidate]()
    judge = folds.number == judging_fold(examples, fold)
    over, strength = excess.over_mean(judge), ranks_within(hardness, excess.classes)
    for c in np.unique(excess.classes):
        rows = np.flatnonzero(excess.classes == c)
        here = judge[rows]
        cut = cut_of(hardness[rows][here], over[rows][here])
        if cut is None:
            continue
        members, learn = hardness[rows] >= cut, folds.learn(fold)[rows]
        for inside in places(examples.compact[rows], members, learn, folds.number[rows], seed):
            every = marked(rows[inside], examples.n)
            label = f"hardest of {examples.class_names[c]}"
            out.append(_candidate(name, label, fold, every, strength, int(c)))
    return out


def _candidate(name: str, label: str, fold: int, members: Bools, strength: Floats, c: int | None) -> Candidate:
    return Candidate(method=name, label=label, fold=fold, members=members, strength=strength, class_number=c)


def in_names(notes: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the notes of a method with the names of classes for their numbers, one note for all classes that share a text.

    >>> in_names(["class 0 has 1 error", "class 1 has 1 error", "all is well"], ["cat", "dog"])
    ('each of 2 classes (cat, dog) has 1 error', 'all is well')
    """
    of_text: dict[str, dict[str, None]] = {}
    for note in notes:
        found = re.search(r"\bclass (\d+)\b", note)
        if found is None or int(found[1]) >= len(class_names):
            of_text.setdefault(note, {})
        else:
            text = f"{note[: found.start()]}\0{note[found.end() :]}"
            of_text.setdefault(text, {})[class_names[int(found[1])]] = None
    return tuple(text.replace("\0", _classes([*names])) if names else text for text, names in of_text.items())


def _classes(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"class {names[0]}"
    return f"each of {len(names)} classes ({', '.join(names[:MOST_NAMES])}{', ...' if len(names) > MOST_NAMES else ''})"
