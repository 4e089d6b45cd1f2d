"""The CI gate: compare results with the committed leaderboard, method by method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from slicebench.errors import DataError
from slicebench.metrics.estimate import estimate_of
from slicebench.metrics.statistics import Interval, SeedScores, interval_of_mean, sampled_problem
from slicebench.results.leaderboard.store import dense_ranks, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

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
class LeftOut:
    """A problem at one seed on which nothing is compared, and the reason `why`."""

    problem: str
    seed: int
    why: str


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
    """Compare every method of `new` with `baseline` on the cells that both have, on the same base model.

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


def left_out(new: Outcomes, baseline: LeaderboardStore) -> list[LeftOut]:
    """List the problems whose base model is not the baseline's, so that scores on them say nothing of the method.

    Training sums in an order that depends on the processor. A problem that is built again may
    therefore have another base model, and all methods other scores. Frozen problems do not.
    """
    found = {}
    for slot in new.records:
        if _ended_well(baseline, slot) and not _same_model(slot, new, baseline):
            now, then = _accuracy(new, slot), _accuracy(baseline, slot)
            found[slot[:2]] = f"it has another base model than in the baseline (accuracy {now}, then {then})"
    return [LeftOut(problem, seed, why) for (problem, seed), why in found.items()]


def _accuracy(outcomes: Outcomes, slot: Slot) -> str:
    record = outcomes.records[slot]
    known = None if record is None or record.base_model is None else record.base_model.accuracy
    return "unknown" if known is None else f"{known:.4f}"


def _same_model(slot: Slot, new: Outcomes, baseline: LeaderboardStore) -> bool:
    """Check that the base model of a cell has the baseline's accuracies, which are stored to six digits."""
    now, then = (None if r is None else r.base_model for r in (new.records[slot], baseline.records[slot]))
    if now is None or then is None:
        return True
    pairs = [(getattr(now, key), getattr(then, key)) for key in ("accuracy", "minority_accuracy", "majority_accuracy")]
    return all(a == b or (a is not None and b is not None and abs(a - b) < 1e-5) for a, b in pairs)


def _scores_of(method: str, new: Outcomes, baseline: LeaderboardStore, tolerances: Tolerances) -> GateVerdict:
    slots = [s for s in new.records if s[2] == method and _ended_well(baseline, s)]
    if not slots:
        return GateVerdict(method, "scores", "new", "no baseline yet; `--update` creates one")
    broken = _broken(slots, new)
    if broken:
        return GateVerdict(method, "scores", "fail", broken, cells=len(slots))
    slots = [slot for slot in slots if _same_model(slot, new, baseline)]
    if not slots:
        why = "nothing is compared: no problem has the base model of the baseline; `slicebench check` has frozen ones"
        return GateVerdict(method, "scores", "warn", why)
    overall = _change(slots, new, baseline)
    parts = {p: _change([s for s in slots if s[0] == p], new, baseline) for p in dict.fromkeys(s[0] for s in slots)}
    moved = tuple(Moved(p, estimate_of(part)) for p, part in parts.items() if part is not None and part.draws.any())
    if method in tolerances.exact and baseline.keeps_hardness(method):
        status, why = _exact(slots, new, baseline, tolerances.exact_tolerance)
    else:
        status, why = _statistical(overall, tolerances, steady=method not in tolerances.moving)
    difference = None if overall is None else estimate_of(overall)
    return GateVerdict(method, "scores", status, why, difference, len(slots), moved)


def _broken(slots: Sequence[Slot], new: Outcomes) -> str | None:
    """Say which of `slots`, all fine in the baseline, are not fine now; None if all are."""
    broken = [(s, r) for s in slots if (r := new.records[s]) is None or r.status != "ok"]
    if not broken:
        return None
    (problem, seed, _), record = broken[0]
    said = "not run" if record is None else f"{record.status}: {record.reason}"
    return f"{len(broken)} of {len(slots)} cells succeeded in the baseline but not now; {problem} s{seed}: {said}"


def _ended_well(outcomes: Outcomes, slot: Slot) -> bool:
    record = outcomes.records.get(slot)
    return record is not None and record.status == "ok"


def _change(slots: Sequence[Slot], new: Outcomes, baseline: Outcomes) -> Interval | None:
    """Compute the mean of new minus old nAMF, cell by cell, on the same resampled examples.

    None if nothing is planted. The cells of all problems count as draws of one quantity, since each
    problem has few seeds. So the variation of a change over problems is part of the uncertainty.
    """
    cells, same = [], True
    for slot in slots:
        truth = new.truth(slot[0], slot[1])
        hardness = {"new": new.hardness(slot), "old": baseline.hardness(slot)}
        cell = SeedScores(truth.labels, truth.minority, hardness)
        if any(True for _ in cell.classes()):
            cells.append(cell)
            same = same and np.array_equal(dense_ranks(hardness["new"]), dense_ranks(hardness["old"]))
    if not cells:
        return None
    if same:
        return Interval(0.0, None, None, np.zeros(1))  # no resample can show a change
    sampled = sampled_problem(cells, 0)
    return interval_of_mean([sampled["new"] - sampled["old"]])


def _exact(slots: Iterable[Slot], new: Outcomes, baseline: Outcomes, tolerance: float) -> tuple[Status, str]:
    """Check that hardness repeats without its scale, and else that its order does."""
    off, reordered = {}, []
    for slot in slots:
        now, then = _without_scale(new.hardness(slot)), _without_scale(baseline.hardness(slot))
        off[slot] = float(np.abs(now - then).max())
        if off[slot] > tolerance and (_reordered(now, then, tolerance) or _reordered(then, now, tolerance)):
            reordered.append(slot)
    (problem, seed, _), worst = max(off.items(), key=lambda one: one[1])
    if worst <= tolerance:
        return "pass", f"hardness repeats to {worst:.1g}"
    if not reordered:
        where = f"by up to {worst:.2g} ({problem} s{seed}); allowed {tolerance:g}"
        return "warn", f"the order repeats, but hardness differs by more than its scale, {where}"
    problem, seed, _ = reordered[0]
    return "fail", f"the order changed in {len(reordered)} of {len(off)} cells, first in {problem} s{seed}"


def _without_scale(hardness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each value's position between the least (0) and the largest (1); zeros if all are equal."""
    lifted: NDArray[np.float64] = hardness - hardness.min()
    return lifted / max(float(lifted.max()), float(np.finfo(float).tiny))


def _reordered(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float) -> bool:
    """Check whether values of `a` (n,) that differ by more than `tolerance` are equal, or in another order, in `b` (n,)."""
    order = np.argsort(a, kind="stable")
    below = np.searchsorted(a[order], a[order] - tolerance)  # values that are clearly less
    highest = np.maximum.accumulate(b[order])
    return bool((b[order][below > 0] <= highest[below[below > 0] - 1]).any())


def _statistical(total: Interval | None, tolerances: Tolerances, *, steady: bool) -> tuple[Status, str]:
    """Judge the change of mean nAMF.

    A loss is real if it is that of a `steady` method, which repeats on frozen problems, or if the
    paired interval over the cells lies below 0.
    """
    if total is None:
        return "pass", "nothing is planted; every cell succeeded"
    low, high = (total.mean if end is None else end for end in (total.low, total.high))  # no interval: the cells agree
    drop = tolerances.namf_drop
    if high < -drop:
        return "fail", f"certainly loses more than {drop:g}"
    if total.mean < -tolerances.namf_warn and high < 0:
        return "warn", f"certainly loses, {-total.mean:.3f} on average; more than {drop:g} fails"
    if total.mean < -tolerances.namf_warn and steady:
        return (
            "warn",
            f"loses {-total.mean:.3f} on average; it repeats on the same problem, so its code or a library did it",
        )
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
