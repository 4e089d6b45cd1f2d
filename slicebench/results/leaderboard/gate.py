"""The CI gate: compare results with the committed leaderboard, method by method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from slicebench.errors import DataError
from slicebench.metrics.estimate import estimate_of
from slicebench.metrics.statistics import Interval, Sampled, SeedScores, interval_of_mean, sampled_problem
from slicebench.results.leaderboard.store import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import ControlBoard
    from slicebench.results.leaderboard.settings import Tolerances
    from slicebench.results.leaderboard.store import LeaderboardStore
    from slicebench.runs.outcomes import Outcomes, Slot


Status = Literal["pass", "warn", "fail", "new"]


@dataclass(frozen=True)
class Moved:
    """A problem on which a method's nAMF differs from the baseline's.

    `difference` is new minus baseline.
    """

    problem: str
    difference: Estimate


@dataclass(frozen=True)
class GateVerdict:
    """Verdict of the gate on one method, with the reason `why` in a sentence.

    `check` is "scores", "false alarms" or "time". `cells` counts the compared cells, and `moved`
    lists the problems whose nAMF has changed.
    """

    method: str
    check: str
    status: Status
    why: str
    difference: Estimate | None = None
    cells: int = 0
    moved: tuple[Moved, ...] = field(default=())


def check_scores(new: Outcomes, baseline: LeaderboardStore, tolerances: Tolerances) -> list[GateVerdict]:
    """Compare every method of `new` with `baseline` on the cells that both have.

    Raises
    ------
    DataError
        if a test split has other examples than in the baseline, or no cell is in both.

    """
    _check_examples(new, baseline)
    methods = dict.fromkeys(method for _, _, method in new.records)
    verdicts = [_scores_of(method, new, baseline, tolerances) for method in methods]
    if all(verdict.status == "new" for verdict in verdicts):
        raise DataError(
            f"no cell of this run is in {baseline.folder}; expected problems and methods of the suite {baseline.suite.name}"
        )
    return verdicts


def _check_examples(new: Outcomes, baseline: LeaderboardStore) -> None:
    done = {slot[:2] for slot, record in new.records.items() if record is not None and record.status == "ok"}
    shared = done & {slot[:2] for slot in baseline.records}
    changed = [f"{p} s{s}" for p, s in sorted(shared) if not baseline.same_examples(p, s, new.truth(p, s).ids)]
    if changed:
        raise DataError(
            f"the test examples of {listed(changed)} differ from those of {baseline.folder}, so a dataset has changed; "
            "run every method and rewrite the baseline with --update"
        )


def _scores_of(method: str, new: Outcomes, baseline: LeaderboardStore, tolerances: Tolerances) -> GateVerdict:
    slots = [s for s in new.records if s[2] == method and _ended_well(baseline, s)]
    if not slots:
        return GateVerdict(method, "scores", "new", "no baseline yet; `--update` creates one")
    broken = [(s, r) for s in slots if (r := new.records[s]) is None or r.status != "ok"]
    if broken:
        (problem, seed, _), record = broken[0]
        said = "not run" if record is None else f"{record.status}: {record.reason}"
        why = f"{len(broken)} of {len(slots)} cells succeeded in the baseline but not now; {problem} s{seed}: {said}"
        return GateVerdict(method, "scores", "fail", why, cells=len(slots))
    total = _difference(slots, new, baseline)
    by_problem = {
        p: _difference([s for s in slots if s[0] == p], new, baseline) for p in dict.fromkeys(s[0] for s in slots)
    }
    moved = tuple(
        Moved(p, estimate_of(interval_of_mean([part]))) for p, part in by_problem.items() if part and part.values.any()
    )
    overall = None if total is None else interval_of_mean([total])
    if method in tolerances.exact and baseline.keeps_hardness(method):
        status, why = _exact(slots, new, baseline, tolerances.exact_tolerance)
    else:
        status, why = _statistical(overall, tolerances.namf_drop)
    difference = None if overall is None else estimate_of(overall)
    return GateVerdict(method, "scores", status, why, difference, len(slots), moved)


def _ended_well(outcomes: Outcomes, slot: Slot) -> bool:
    record = outcomes.records.get(slot)
    return record is not None and record.status == "ok"


def _difference(slots: Iterable[Slot], new: Outcomes, baseline: Outcomes) -> Sampled | None:
    """Compute new minus old nAMF, cell by cell, on the same resampled examples.

    None if nothing is planted. The cells of all problems count as draws of one quantity, since each
    problem has few seeds. So the variation of a change over problems is part of the uncertainty.
    """
    cells = []
    for slot in slots:
        truth = new.truth(slot[0], slot[1])
        hardness = {"new": new.hardness(slot), "old": baseline.hardness(slot)}
        cells.append(SeedScores(truth.labels, truth.minority, hardness))
    planted = [cell for cell in cells if any(True for _ in cell.classes())]
    sampled = sampled_problem(planted, 0) if planted else {}
    return sampled["new"] - sampled["old"] if sampled else None


def _exact(slots: Iterable[Slot], new: Outcomes, baseline: Outcomes, tolerance: float) -> tuple[Status, str]:
    """Check that hardness repeats, relative to the largest value of its cell."""
    off = {}
    for slot in slots:
        now, then = new.hardness(slot), baseline.hardness(slot)
        off[slot] = float(np.abs(now - then).max() / max(np.abs(then).max(), np.finfo(float).tiny))
    (problem, seed, _), worst = max(off.items(), key=lambda one: one[1])
    if worst <= tolerance:
        return "pass", f"hardness repeats to {worst:.1g}"
    changed = sum(value > tolerance for value in off.values())
    return (
        "fail",
        f"hardness changed in {changed} of {len(off)} cells, by up to {worst:.2g} ({problem} s{seed}); allowed {tolerance:g}",
    )


def _statistical(total: Interval | None, drop: float) -> tuple[Status, str]:
    if total is None:
        return "pass", "nothing is planted; every cell succeeded"
    low, high = (total.mean if end is None else end for end in (total.low, total.high))  # no interval: the cells agree
    if high < -drop:
        return "fail", f"certainly loses more than {drop:g}"
    if low < -drop:
        return "warn", f"may lose more than {drop:g}"
    return "pass", "unchanged" if not total.draws.any() else f"does not lose more than {drop:g}"


def check_controls(controls: ControlBoard, tolerances: Tolerances) -> list[GateVerdict]:
    """Check false alarms: the upper end of the interval of FWER_clean (C0) is at most `fwer_max`."""
    verdicts = []
    for row in controls.rows:
        clean = next((rate for rate in row.rates if rate.control == "C0"), None)
        if clean is None:
            continue
        said = f"FWER_clean {clean.rate:.3f} [{clean.low:.3f}, {clean.high:.3f}], allowed up to {tolerances.fwer_max:g}"
        exempt = tolerances.fwer_exempt.get(row.method)
        status: Status = "pass" if clean.high <= tolerances.fwer_max else "warn" if exempt else "fail"
        verdicts.append(
            GateVerdict(
                row.method,
                "false alarms",
                status,
                said + (f"; exempt: {exempt}" if exempt else ""),
                cells=clean.replicates,
            )
        )
    return verdicts


def check_times(new: Mapping[str, float], baseline: Mapping[str, float], tolerances: Tolerances) -> list[GateVerdict]:
    """Check times by method, each divided by the time of the reference workload on the same machine."""
    verdicts = []
    for method, ratio in new.items():
        if method not in baseline:
            verdicts.append(GateVerdict(method, "time", "new", "no baseline yet; `--update` creates one"))
            continue
        slower = ratio / baseline[method]
        status: Status = (
            "fail" if slower > tolerances.time_hard else "warn" if slower > tolerances.time_soft else "pass"
        )
        why = (
            f"{slower:.2f} times the baseline; soft limit {tolerances.time_soft:g}, hard limit {tolerances.time_hard:g}"
        )
        verdicts.append(GateVerdict(method, "time", status, why))
    return verdicts
