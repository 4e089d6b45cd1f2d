"""Runs what is missing of a plan of arms: builds the problems, runs the arms, and stores each record the moment it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slicebench.errors import message_of
from slicebench.files.arrays import read_arrays, write_arrays
from slicebench.files.json_models import save_model, stored_model
from slicebench.problems.cache import frozen_folder
from slicebench.problems.shelf import shelved
from slicebench.runs.tasks import Limits, build_absent, local_executor
from slicebench.runs.workers import as_they_end
from slicebench.studies.interventions.arm import ArmResult, blank, run_arm
from slicebench.studies.interventions.record import InterventionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.files.locations import Location
    from slicebench.studies.interventions.design import Arm

    Report = Callable[[int, int, str], object]
    """Called with arms done, arms to do in all, and what goes on."""


REMEDY = "delete this file and run again: only its arm is recomputed"


@dataclass(frozen=True, eq=False)
class InterventionsOutcome:
    """Records of the arms asked for, in plan order, the folder they lie in, and how many were computed now."""

    folder: Location
    records: dict[Arm, InterventionRecord]
    computed: int

    @property
    def failed(self) -> dict[Arm, InterventionRecord]:
        """Arms that failed."""
        return {arm: record for arm, record in self.records.items() if record.status == "failed"}

    def arrays(self, arm: Arm) -> dict[str, NDArray[np.generic]]:
        """What intervals are computed from, of an arm whose record is "ok"."""
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
    """Run into the folder `out` what it does not hold already; failed and skipped arms run again. Ctrl-C is raised.

    Frozen problems that stand in the folder `problems` are used instead of built.

    Raises
    ------
    StorageError
        for a record in `out` that cannot be read, naming it, and a folder `problems` without problems.

    """
    kept = {} if force else {arm: stored_model(InterventionRecord, out / f"{arm.file}.json", REMEDY) for arm in arms}
    records = {arm: record for arm, record in kept.items() if record is not None and record.status == "ok"}
    missing = [arm for arm in arms if arm not in records]
    shelf = {} if problems is None else shelved(problems)
    for done, (arm, result) in enumerate(_computed(missing, shelf, limits or Limits(), on_progress), start=1):
        if result.arrays is not None:
            write_arrays(out / f"{arm.file}.safetensors", result.arrays, {})
        save_model(out / f"{arm.file}.json", result.record)
        records[arm] = result.record
        on_progress(done, len(missing), str(arm))
    return InterventionsOutcome(out, {arm: records[arm] for arm in arms}, len(missing))


def _computed(
    missing: Sequence[Arm], shelf: Mapping[str, Path], limits: Limits, on_progress: Report
) -> Iterator[tuple[Arm, ArmResult]]:
    """Results of `missing` as they come; an arm whose worker could not return one has failed."""
    if not missing:
        return
    with local_executor(limits, len(missing)) as executor:
        problems = [arm.problem for arm in missing if arm.problem.identity not in shelf]
        broken = build_absent(executor, problems, lambda what: on_progress(0, len(missing), what))
        tasks: dict[Future[ArmResult], Arm] = {}
        for arm in missing:
            if arm.problem.identity in broken:
                yield arm, _failed(arm, broken[arm.problem.identity])
            else:
                folder = shelf.get(arm.problem.identity) or frozen_folder(arm.problem)
                tasks[executor.submit(run_arm, folder, arm)] = arm
        for arm, future in as_they_end(tasks):
            error = future.exception()
            yield arm, future.result() if error is None else _failed(arm, message_of(error))


def _failed(arm: Arm, reason: str) -> ArmResult:
    return ArmResult(blank(arm, arm.problem, status="failed", reason=reason), None)
