"""Compute rates from replicates: false alarms, power, and nAMF on a permuted attribute.

Rates have Clopper–Pearson intervals. Power is measured at a matched rate of false alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.estimate import Estimate
from slicebench.metrics.statistics import ALPHA
from slicebench.results.board import ControlBoard, ControlInfo, ControlRate, ControlRow
from slicebench.studies.controls.design import CONTROLS, NULL, POWER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slicebench.studies.controls.design import Chunk
    from slicebench.studies.controls.replicates import ChunkResult, Found, Replicate


VIEWS = ("blind", "open")


def control_board(results: Mapping[Chunk, ChunkResult], replicates: int) -> ControlBoard:
    """Summarise all requested chunks in a `ControlBoard`.

    Its version, hardware and date are those of the chunk computed last. `seconds` is the total time
    of all chunks, wherever and whenever they were computed.
    """
    chunks = list(results)
    controls = [key for key in CONTROLS if any(chunk.control == key for chunk in chunks)]
    methods = dict.fromkeys(chunk.cell.method for chunk in chunks)
    last = max(results.values(), key=lambda result: result.date)
    return ControlBoard(
        replicates=replicates,
        alpha=ALPHA,
        problems=tuple(dict.fromkeys(str(chunk.cell.problem) for chunk in chunks)),
        controls=tuple(ControlInfo(key=key, label=CONTROLS[key].label, about=CONTROLS[key].about) for key in controls),
        rows=tuple(control_row(m, {c: r for c, r in results.items() if c.cell.method == m}) for m in methods),
        seconds=sum(result.seconds for result in results.values()),
        code_version=last.code_version,
        hardware=last.hardware,
        date=last.date,
    )


def control_row(method: str, results: Mapping[Chunk, ChunkResult]) -> ControlRow:
    """Compute the rates of one method.

    A control without a finished replicate has no rate, and the notes say why.
    """
    done: dict[str, list[Replicate]] = {}
    for chunk, result in results.items():
        done.setdefault(chunk.control, []).extend(one for one in result.replicates if one.failure is None)
    rates = {view: _rates(done, view) for view in VIEWS}
    values = [one.namf for one in done.get("C1", []) if one.namf is not None]
    return ControlRow(
        method=method,
        rates=rates["blind"],
        open_rates=rates["open"],
        returned={key: float(np.mean([f.returned for f in _found(ones, "blind")])) for key, ones in _with_slices(done)},
        namf=mean_estimate(values) if values else None,
        notes=(*_absent(results), *_reads_outcomes(rates["open"]), *_power_by_problem(results)),
    )


def _with_slices(done: Mapping[str, list[Replicate]]) -> list[tuple[str, list[Replicate]]]:
    """Return the controls with finished replicates in which slices were tested: all but C1."""
    return [(key, ones) for key, ones in done.items() if ones and ones[0].blind is not None]


def _found(ones: Sequence[Replicate], view: str) -> list[Found]:
    return [getattr(one, view) for one in ones]


def _rates(done: Mapping[str, list[Replicate]], view: str) -> tuple[ControlRate, ...]:
    """Compute the share of replicates in which a slice is declared.

    For power, the slice must be about the planted group, and p below the matched bound.
    """
    rates = []
    for key, ones in _with_slices(done):
        found = _found(ones, view)
        hits = detections(found) if key == POWER else [one.p <= ALPHA for one in found]
        rates.append(control_rate(key, sum(hits), len(hits)))
    return tuple(rates)


def detections(found: Sequence[Found]) -> list[bool]:
    """Return, for each replicate, whether a slice about the planted group is declared.

    The bound on p is matched on the replicates' twins. These have the same problems, since the p that
    a method gets by chance, or by reading outcomes, depends on the problem.
    """
    bound = matched_bound([one.p_null for one in found if one.p_null is not None])
    return [one.p_about is not None and one.p_about < bound for one in found]


def matched_bound(null: Sequence[float]) -> float:
    """Return the bound on the smallest Holm p below which at most 5% of `null` fall.

    >>> matched_bound([0.01, 0.02, *[0.5] * 38])
    0.5
    """
    return sorted(null)[int(ALPHA * len(null))]


def control_rate(key: str, hits: int, replicates: int) -> ControlRate:
    """Compute the share of hits with its exact (Clopper–Pearson) 95% interval."""
    from scipy.stats import binomtest

    interval = binomtest(hits, replicates).proportion_ci(method="exact")
    return ControlRate(
        control=key,
        hits=hits,
        replicates=replicates,
        rate=hits / replicates,
        low=float(interval.low),
        high=float(interval.high),
    )


def mean_estimate(values: Sequence[float]) -> Estimate:
    """Average independent values, with Student's 95% interval.

    A single value has no interval.
    """
    from scipy.stats import t

    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(mean=mean)
    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return Estimate(mean=mean, low=mean - half, high=mean + half)


def _absent(results: Mapping[Chunk, ChunkResult]) -> list[str]:
    """Describe the replicates that failed, and the problems that the method cannot run on."""
    notes = []
    for key in dict.fromkeys(chunk.control for chunk in results):
        mine = {chunk: result for chunk, result in results.items() if chunk.control == key}
        failures = [reason for result in mine.values() for reason in result.failures]
        if failures:
            total = sum(len(chunk.replicates) for chunk in mine)
            notes.append(f"{key}: {len(failures)} of {total} replicates failed, the first with {failures[0]}")
    declined = {str(c.cell.problem): r.declined for c, r in results.items() if r.declined is not None}
    return [*notes, *(f"cannot run on {problem}: {reason}" for problem, reason in declined.items())]


def _reads_outcomes(open_rates: Sequence[ControlRate]) -> list[str]:
    null = next((rate for rate in open_rates if rate.control == NULL), None)
    if null is None or null.low <= ALPHA:
        return []
    said = f"It builds slices from the outcomes of their members: open, it declares a slice in {null.rate:.0%} of C0"
    return [f"{said}, so its open rates do not show what else it finds."]


def _power_by_problem(results: Mapping[Chunk, ChunkResult]) -> list[str]:
    """Describe the blind power on each planted problem, at the bound common to all."""
    ended = [
        (chunk.cell.problem.name, one.blind)
        for chunk, result in results.items()
        if chunk.control == POWER
        for one in result.replicates
        if one.blind is not None
    ]
    if not ended:
        return []
    by_problem: dict[str, list[bool]] = {}
    for (name, _), hit in zip(ended, detections([one for _, one in ended]), strict=True):
        by_problem.setdefault(name, []).append(hit)
    return [f"Power by problem: {', '.join(f'{name} {np.mean(hits):.2f}' for name, hits in by_problem.items())}."]
