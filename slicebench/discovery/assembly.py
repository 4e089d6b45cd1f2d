"""Turn methods' slices into tested, named and matched slices, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.findings import FoundSlice, Match
from slicebench.discovery.naming import Name, Names
from slicebench.discovery.verdicts import judged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.discovery.examples import Examples
    from slicebench.discovery.methods import Said
    from slicebench.discovery.verdicts import Verdict

    Bools = NDArray[np.bool_]


SHOWN = 24
"""Number of errors, and of right answers, that a report shows per slice."""
SAME_OVERLAP = 0.8
"""Least intersection over union at which a slice repeats a better one of another method."""
LEAST_OVERLAP = 0.2
"""Least intersection over union at which slices of two methods match."""


def found_slices(said: Sequence[Said], examples: Examples, captions: Captions | None) -> tuple[FoundSlice, ...]:
    """Return the slices of all methods: significant ones first, then by excess errors."""
    owners = [(one, j) for one in said for j in range(one.slices.k)]
    hard = np.concatenate([one.slices.hard for one in said], axis=1)
    test = examples.at["test"]
    groups = None if examples.groups is None else examples.groups[test]
    verdicts = judged(hard[test], examples.problem.test, groups)
    verdicts.sort(key=lambda v: (not v.stands, -v.delta * v.support, v.slice, v.class_number))
    ranked = {f"S{i + 1}": verdict for i, verdict in enumerate(verdicts)}
    inside = {key: hard[:, v.slice] & (examples.labels == v.class_number) for key, v in ranked.items()}
    by_key = {key: (owners[v.slice][0].name, v) for key, v in ranked.items()}
    names = Names(examples, captions)
    return tuple(
        _slice(
            key,
            *owners[verdict.slice],
            verdict,
            examples,
            inside[key],
            names.of(inside[key], verdict.class_number) if verdict.stands else Name(),
            _matches(key, inside, by_key) if verdict.stands else (),
        )
        for key, verdict in ranked.items()
    )


def _slice(
    key: str,
    said: Said,
    j: int,
    verdict: Verdict,
    examples: Examples,
    inside: Bools,
    name: Name,
    matches: tuple[Match, ...],
) -> FoundSlice:
    soft = said.slices.soft[:, j]
    rows = np.flatnonzero(inside)
    rows = rows[np.lexsort((-said.hardness[rows], -soft[rows]))]
    held = rows[np.isin(rows, examples.at["test"])]
    if examples.wrong is None:
        by_loss = held[np.argsort(-examples.losses[held], kind="stable")]
        errors, right = by_loss[:SHOWN], by_loss[::-1][:SHOWN]
    else:
        errors, right = held[examples.wrong[held]][:SHOWN], held[~examples.wrong[held]][:SHOWN]
    return FoundSlice(
        key=key,
        method=said.name,
        label=said.slices.names[j],
        class_name=examples.class_names[verdict.class_number],
        verdict=verdict,
        name=name,
        rows=rows,
        membership=soft[rows],
        errors=errors,
        right=right,
        matches=matches,
        repeats=next((m.key for m in matches if m.overlap >= SAME_OVERLAP and int(m.key[1:]) < int(key[1:])), None),
    )


def _matches(key: str, inside: Mapping[str, Bools], by_key: Mapping[str, tuple[str, Verdict]]) -> tuple[Match, ...]:
    """Find, for every other method, the slice of the same class that overlaps most.

    Overlaps below `LEAST_OVERLAP` are left out.
    """
    own_method, own = by_key[key]
    best: dict[str, Match] = {}
    for other, (method, verdict) in by_key.items():
        if method == own_method or verdict.class_number != own.class_number:
            continue
        both, either = (inside[key] & inside[other]).sum(), (inside[key] | inside[other]).sum()
        match = Match(other, method, float(both / either))
        if match.overlap >= LEAST_OVERLAP and (method not in best or match.overlap > best[method].overlap):
            best[method] = match
    return tuple(sorted(best.values(), key=lambda match: -match.overlap))


def agreement(said: Sequence[Said], examples: Examples) -> dict[tuple[str, str], float]:
    """Compute Spearman's ρ between the hardness of each two methods on test.

    It is the mean over classes, weighted by their size.
    """
    from scipy.stats import rankdata

    out: dict[tuple[str, str], float] = {}
    for i, one in enumerate(said):
        for other in said[i + 1 :]:
            values, weights = [], []
            for _, rows in examples.problem.test.by_class():
                at = examples.at["test"][rows]
                a, b = rankdata(one.hardness[at]), rankdata(other.hardness[at])
                if len(at) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0:
                    values.append(float(np.corrcoef(a, b)[0, 1]))
                    weights.append(len(at))
            if values:
                out[one.name, other.name] = float(np.average(values, weights=weights))
    return out
