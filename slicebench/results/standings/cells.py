"""Summarise cells: values, chance levels, costs and sampled nAMF."""

from __future__ import annotations

from collections import Counter
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.evaluation.isolation.decoys import LEVEL
from slicebench.metrics.ranking import Ranking
from slicebench.metrics.statistics import Sampled, SeedScores, sampled_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.evaluation.record import Record
    from slicebench.runs.outcomes import Outcomes, Slot


SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, *(round(0.1 + 0.05 * i, 2) for i in range(19)))
"""Shares of a class at which the curves are computed."""


def sampled_cells(outcomes: Outcomes, problem: str) -> dict[str, Sampled]:
    """Return the paired, sampled nAMF of the methods that finished every seed of one problem."""
    slots = [slot for slot in outcomes.records if slot[0] == problem]
    finished = {slot for slot in slots if (r := outcomes.records[slot]) is not None and r.status == "ok"}
    seeds = list(dict.fromkeys(seed for _, seed, _ in slots))
    methods = list(dict.fromkeys(method for _, _, method in slots))
    methods = [m for m in methods if all((problem, s, m) in finished for s in seeds)]
    if not methods:
        return {}
    by_seed = []
    for seed in seeds:
        truth = outcomes.truth(problem, seed)
        hardness = {m: outcomes.hardness((problem, seed, m)) for m in methods}
        by_seed.append(SeedScores(truth.labels, truth.minority, hardness))
    return sampled_problem(by_seed, int.from_bytes(f"{problem}|{seeds}".encode(), "big"))


def collected(records: Iterable[Record]) -> dict[str, list[float]]:
    """Return the values of each metric at the seeds where it is defined."""
    found: dict[str, list[float]] = {}
    for record in records:
        for key, value in _merged(record, "metrics").items():
            if value is not None:
                found.setdefault(key, []).append(value)
    return found


def mean_chance(records: Iterable[Record]) -> dict[str, float]:
    """Return the mean chance level of each metric."""
    found: dict[str, list[float]] = {}
    for record in records:
        for key, value in _merged(record, "chance").items():
            if value is not None:
                found.setdefault(key, []).append(value)
    return {key: fmean(values) for key, values in found.items()}


def _merged(record: Record, of: str) -> dict[str, float | None]:
    """Merge `metrics` or `chance` of rankings, slices and captions.

    The ends of the gap's interval are left out.
    """
    parts = [record, *(part for part in (record.slices, record.captions) if part is not None)]
    merged: dict[str, float | None] = {}
    for part in parts:
        merged |= getattr(part, of)
    return {key: value for key, value in merged.items() if key not in ("gap_low", "gap_high")}


def what_is_missing(cells: Mapping[Slot, Record | None]) -> str | None:
    """Describe the missing cells of a method, with the first reason; None if no cell is missing."""
    bad = {slot: r for slot, r in cells.items() if r is None or r.status != "ok"}
    if not bad:
        return None
    counts = Counter("not run" if r is None else r.status for r in bad.values())
    said = next((f"; {problem} s{seed}: {r.reason}" for (problem, seed, _), r in bad.items() if r is not None), "")
    return ", ".join(f"{n} of {len(cells)} {status}" for status, n in counts.items()) + said


def why_not_ranked(cells: Mapping[Slot, Record | None]) -> str | None:
    """Describe why a method has no rank: cells are missing, or it used a false truth; None if neither."""
    return what_is_missing(cells) or decoy_used(cells)


def decoy_used(cells: Mapping[Slot, Record | None]) -> str | None:
    """Describe where a method agrees with a decoy beyond chance, at `LEVEL` over all of its cells (Bonferroni)."""
    found = {slot: r.decoy_p for slot, r in cells.items() if r is not None and r.decoy_p is not None}
    used = [slot for slot, p in found.items() if p * len(found) < LEVEL]
    if not used:
        return None
    problem, seed, _ = min(used, key=lambda slot: found[slot])
    return (
        f"in {len(used)} of {len(found)} cells it ranks the members of a false truth that lay where a method would look for "
        f"the true one, beyond chance (first {problem} s{seed}, p {found[problem, seed, _]:.0e})"
    )


def costs(done: Sequence[Record]) -> dict[str, Any]:
    """Return medians over the cells of a method, as fields of `MethodRow`."""
    spent = [r.cost for r in done if r.cost is not None]
    fields = {
        "fit_seconds": "fit_s",
        "score_seconds": "score_s",
        "caption_seconds": "caption_s",
        "training_seconds": "training_s",
        "peak_mb": "peak_rss_mb",
    }
    found: dict[str, Any] = {key: median(getattr(c, f) for c in spent) if spent else None for key, f in fields.items()}
    each = [(r.cost.fit_s + r.cost.score_s, r.base_model.n_test) for r in done if r.cost and r.base_model]
    return found | {
        "seconds": median(s for s, _ in each) if each else None,
        "seconds_per_10k": median(1e4 * s / n for s, n in each) if each else None,
    }


def hardest_captions(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the hardest caption of each class at the first seed.

    A star precedes those that name the plant.
    """
    first = next((r.captions for r in records if r.captions is not None), None)
    if first is None:
        return ()
    return tuple(
        f"{name}: {'* ' if one.hardest[0] in one.naming else ''}{one.hardest[0]}"
        for name, one in first.per_class.items()
        if one.hardest
    )


def curves(outcomes: Outcomes, problem: str) -> dict[str, tuple[float, ...]]:
    """Return the minority fraction among the hardest `SHARES` of each class, by method.

    It is averaged over classes and seeds.
    """
    found: dict[str, list[NDArray[np.float64]]] = {}
    for slot, record in outcomes.records.items():
        if slot[0] != problem or record is None or record.status != "ok":
            continue
        truth, hardness = outcomes.truth(problem, slot[1]), outcomes.hardness(slot)
        for rows in SeedScores(truth.labels, truth.minority, {}).classes():
            ranking = Ranking.of(hardness[rows], truth.minority[rows])
            ks = [max(1, round(share * len(rows))) for share in SHARES]
            found.setdefault(slot[2], []).append(np.array([ranking.hits_at(k) / k for k in ks]))
    return {method: tuple(np.mean(lines, axis=0).tolist()) for method, lines in found.items()}
