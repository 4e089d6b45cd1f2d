"""Turn findings into named slices with their numbers, the best first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.findings import LEAST_MEMBERS, FoundSlice, LeftOut, Match
from slicebench.discovery.holdout.masks import overlap
from slicebench.discovery.naming import Name, Names
from slicebench.discovery.queries import query_of
from slicebench.discovery.verdicts import in_order, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.discovery.holdout.consensus import Finding
    from slicebench.discovery.queries import Given
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.plugin_slices import Said
    from slicebench.discovery.verdicts import Verdict


SHOWN = 24
"""Number of errors, and of right answers, that a report shows per slice."""
LEAST_OVERLAP = 0.2
"""Least intersection over union at which slices of two methods match."""
PART = 0.8
"""Least share of a slice's members in one before it, for it to be a part of that one."""
ALL_CLASSES = "all"
"""Name of the class of a slice over several classes."""


def found_slices(
    findings: Sequence[Finding],
    said: Sequence[Said],
    examples: Examples,
    captions: Captions | None,
    own: Given | None = None,
    judge: Callable[[Finding, Examples], Verdict] = verdict_of,
) -> tuple[tuple[FoundSlice, ...], LeftOut]:
    """Return the slices, significant ones first, then by excess errors; and how many are left out.

    `own` is the table as the user gave it, on which queries of significant slices are tried.
    """
    large = [(one, judge(one, examples)) for one in findings if one.members.sum() >= LEAST_MEMBERS]
    judged = in_order(large)
    left_out = LeftOut(small=len(findings) - len(large), incomparable=len(large) - len(judged))
    judged, repeats = _without_repeats(judged)
    names = Names(examples, captions)
    out = list[FoundSlice]()
    for i, (one, verdict) in enumerate(judged):
        name = names.of(one.members, one.class_number, one.rule) if verdict.stands else Name()
        matches = _matches(one, said) if verdict.stands else ()
        found = _slice(_key(i), one, verdict, name, examples, matches)
        if verdict.stands:
            query, query_from = (None, None) if one.rule is None else query_of(one.rule, examples, own)
            found = replace(found, part_of=_whole_of(found, out), query=query, query_from=query_from)
        out.append(found)
    return tuple(out), replace(left_out, repeats=repeats)


def _without_repeats(
    judged: Sequence[tuple[Finding, Verdict]],
) -> tuple[list[tuple[Finding, Verdict]], dict[str, int]]:
    """Drop significant slices with nearly the same members as one before them: folds may divide one cause differently.

    Returns the others, and how many each of them stands for, by its key.
    """
    kept: list[tuple[Finding, Verdict]] = []
    repeats: Counter[str] = Counter()
    for one, verdict in judged:
        same = (i for i, (other, _) in enumerate(kept) if overlap(one.members, other.members) >= PART)
        first = next(same, None) if verdict.stands else None
        if first is None:
            kept.append((one, verdict))
        else:
            repeats[_key(first)] += 1
    return kept, dict(repeats)


def _key(i: int) -> str:
    """Return the key of slice number i, from 0."""
    return f"S{i + 1}"


def _whole_of(found: FoundSlice, before: Sequence[FoundSlice]) -> str | None:
    """Return the key of the first slice that has most of the members of another one."""
    return next((one.key for one in before if np.isin(found.rows, one.rows).mean() >= PART), None)


def _slice(
    key: str, one: Finding, verdict: Verdict, name: Name, examples: Examples, matches: tuple[Match, ...]
) -> FoundSlice:
    rows = np.flatnonzero(one.members)
    rows = rows[np.argsort(-one.strength[rows], kind="stable")]
    return FoundSlice(
        key=key,
        method=one.method,
        label=one.label,
        class_name=class_name(one.class_number, examples),
        verdict=verdict,
        name=name,
        rule=one.rule,
        rows=rows,
        strength=one.strength[rows],
        errors=_worst(rows, examples)[:SHOWN],
        right=_best(rows, examples)[:SHOWN],
        matches=matches,
        folds=one.folds,
    )


def class_name(c: int | None, examples: Examples) -> str:
    """Return the name of a class; of all classes for None."""
    if c is not None:
        return examples.class_names[c]
    return examples.class_names[0] if len(examples.class_names) == 1 else ALL_CLASSES


def _worst(rows: NDArray[np.intp], examples: Examples) -> NDArray[np.intp]:
    """Return the members that the model gets wrong, the most typical first; of losses, the highest first."""
    if examples.wrong is None:
        return rows[np.argsort(-examples.losses[rows], kind="stable")]
    return rows[examples.wrong[rows]]


def _best(rows: NDArray[np.intp], examples: Examples) -> NDArray[np.intp]:
    if examples.wrong is None:
        return rows[np.argsort(examples.losses[rows], kind="stable")]
    return rows[~examples.wrong[rows]]


def _matches(one: Finding, said: Sequence[Said]) -> tuple[Match, ...]:
    """Find, for every other method, the slice of any fold that overlaps most.

    Overlaps below `LEAST_OVERLAP` are left out.
    """
    best: Mapping[str, float] = {
        other.name: max((overlap(one.members, two.members) for two in other.candidates), default=0.0)
        for other in said
        if other.name != one.method
    }
    found = [Match(method, value) for method, value in best.items() if value >= LEAST_OVERLAP]
    return tuple(sorted(found, key=lambda match: -match.overlap))


def agreement(said: Sequence[Said], examples: Examples) -> dict[tuple[str, str], float]:
    """Compute Spearman's ρ between the hardness of each two methods.

    It is the mean over classes, weighted by their size.
    """
    from scipy.stats import rankdata

    out: dict[tuple[str, str], float] = {}
    for i, one in enumerate(said):
        for other in said[i + 1 :]:
            values, weights = [], []
            for _, rows in examples.whole.by_class():
                a, b = rankdata(one.hardness[rows]), rankdata(other.hardness[rows])
                if len(rows) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0:
                    values.append(float(np.corrcoef(a, b)[0, 1]))
                    weights.append(len(rows))
            if values:
                out[one.name, other.name] = float(np.average(values, weights=weights))
    return out
