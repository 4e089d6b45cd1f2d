"""Run the missing arms of a plan: build problems, run arms, and store each record as it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from slicebench.files.arrays import read_arrays, write_arrays
from slicebench.files.json_models import save_model, stored_model
from slicebench.problems.cache import frozen_folder
from slicebench.problems.shelf import Shelf, shelved
from slicebench.runs.tasks import Limits, run_missing
from slicebench.studies.interventions.arm import ArmResult, blank, run_arm
from slicebench.studies.interventions.record import InterventionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.files.locations import Location
    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.tasks import Report
    from slicebench.studies.interventions.design import Arm


REMEDY = "delete this file and run again: only its arm is recomputed"


@dataclass(frozen=True, eq=False)
class InterventionsOutcome:
    """Records of the requested arms in plan order, their folder, and the number computed in this run."""

    folder: Location
    records: dict[Arm, InterventionRecord]
    computed: int

    @property
    def failed(self) -> dict[Arm, InterventionRecord]:
        """Failed arms with their records."""
        return {arm: record for arm, record in self.records.items() if record.status == "failed"}

    def arrays(self, arm: Arm) -> dict[str, NDArray[np.generic]]:
        """Return the arrays behind the intervals of an arm whose record is "ok"."""
        return read_arrays(self.folder / f"{arm.file}.safetensors", REMEDY)[0]


def run_arms(
    arms: Sequence[Arm],
    *,
    out: Location,
    limits: Limits | None = None,
    force: bool = False,
    problems: Location | None = None,
    on_progress: Report = lambda *_: None,
) -> InterventionsOutcome:
    """Run the arms that are missing in the folder `out`.

    Failed and skipped arms run again. Frozen problems in the folder `problems` are used, and others are
    built. Ctrl-C is raised.

    Raises
    ------
    StorageError
        if a record in `out` cannot be read (the message names it), or the folder `problems` has no
        problems.

    """
    shelf = Shelf() if problems is None else shelved(problems)
    arms = shelved_arms(arms, shelf)
    kept = {} if force else {arm: stored_model(InterventionRecord, out / f"{arm.file}.json", REMEDY) for arm in arms}
    records = {arm: record for arm, record in kept.items() if record is not None and record.status == "ok"}
    missing = [arm for arm in arms if arm not in records]

    def work(arm: Arm) -> Callable[[], ArmResult]:
        return partial(run_arm, shelf.get(arm.problem.identity) or frozen_folder(arm.problem), arm)

    def to_build(arm: Arm) -> PlannedProblem | None:
        return None if arm.problem.identity in shelf else arm.problem

    def store(arm: Arm, result: ArmResult) -> None:
        if result.arrays is not None:
            write_arrays(out / f"{arm.file}.safetensors", result.arrays, {})
        save_model(out / f"{arm.file}.json", result.record)
        records[arm] = result.record

    run_missing(
        missing,
        work,
        store=store,
        failed=_failed,
        problem=to_build,
        limits=limits or Limits(),
        on_progress=on_progress,
    )
    return InterventionsOutcome(out, {arm: records[arm] for arm in arms}, len(missing))


def shelved_arms(arms: Sequence[Arm], shelf: Shelf) -> list[Arm]:
    """Return the same arms, on the problems of `shelf` where it has them; see `Shelf.instead_of`."""
    return [_on_shelf(arm, shelf) for arm in arms]


def _on_shelf(arm: Arm, shelf: Shelf) -> Arm:
    problem = shelf.instead_of(arm.problem)
    if problem is arm.problem:
        return arm
    return replace(arm, problem=problem, cell=None if arm.cell is None else replace(arm.cell, problem=problem))


def _failed(arm: Arm, reason: str) -> ArmResult:
    return ArmResult(blank(arm, arm.problem, status="failed", reason=reason), None)
