"""Run a sweep: the grid, the base model's figures per class, and tests of each strength.

The grid is run by `slicebench.runs.runner`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError
from slicebench.files.json_models import save_model, stored_model
from slicebench.metrics.slices import mean_known
from slicebench.plugins.registry import METHODS
from slicebench.problems.cache import build_missing, frozen_folder
from slicebench.runs.plan import plan
from slicebench.runs.runner import run
from slicebench.runs.store import entry_of
from slicebench.runs.tasks import Limits, run_missing
from slicebench.studies.sweep.stored import ClassFigures, ProblemFigures, StrengthFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.files.locations import Location
    from slicebench.plugins.method import SliceMethod
    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.outcomes import Slot
    from slicebench.runs.plan import Cell
    from slicebench.runs.runner import Progress, RunOutcome
    from slicebench.runs.tasks import Report
    from slicebench.studies.sweep.design import Sweep


REMEDY = "delete this file and run again: only it is recomputed"

LEAST_PERMUTATIONS = 19
"""With fewer, no p can reach 0.05."""


@dataclass(frozen=True, eq=False)
class SweepOutcome:
    """The run, figures by (problem, seed), strength tests by cell, and one line per failed test."""

    sweep: Sweep
    run: RunOutcome
    figures: dict[tuple[str, int], ProblemFigures]
    strengths: dict[Slot, StrengthFigures]
    failures: tuple[str, ...]


def run_sweep(
    sweep: Sweep,
    *,
    out: Location,
    limits: Limits | None = None,
    permutations: int = 0,
    force: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_test: Report = lambda *_: None,
) -> SweepOutcome:
    """Run the cells of `sweep` that are missing in the run folder `out`.

    With `permutations`, it also tests the strengths. A failure is recorded, and the rest goes on. Ctrl-C
    ends the run of the cells; during the tests of strengths, it is raised.

    Raises
    ------
    ConfigError, PluginError
        if a parameter, value or method cannot be used.
    StorageError
        if a file in `out` cannot be read.

    """
    if permutations < 0 or 0 < permutations < LEAST_PERMUTATIONS:
        raise ConfigError(
            f"permutations is {permutations}; expected 0, or {LEAST_PERMUTATIONS} or more, since fewer cannot reach "
            "p = 0.05"
        )
    limits, suite = limits or Limits(), sweep.suite()
    outcome = run(suite, plan(suite), out=out, limits=limits, force=force, on_progress=on_progress)
    done = [(cell, record) for cell, record in outcome.records if record.status == "ok"]
    problems = {(cell.problem.name, cell.problem.seed): cell for cell, _ in done}
    figures = {key: _figures(cell, out) for key, cell in problems.items()}
    strengths: dict[Slot, StrengthFigures] = {}
    failures: list[str] = []
    if permutations and not outcome.interrupted:
        with_strength = [cell for cell, record in done if record.strength is not None]
        strengths, failures = _tested(with_strength, out, permutations, limits, on_test, force=force)
    return SweepOutcome(sweep, outcome, figures, strengths, tuple(failures))


def _figures(cell: Cell, out: Location) -> ProblemFigures:
    """Return the figures of a cell's problem; they are read from the run folder if it has them."""
    path = out / entry_of(cell).folder / f"classes-{cell.problem.identity[:8]}.json"
    found = stored_model(ProblemFigures, path, REMEDY)
    if found is None:
        found = problem_figures(cell.problem)
        save_model(path, found)
    return found


def problem_figures(problem: PlannedProblem) -> ProblemFigures:
    """Compute two figures of the base model per class of the test split.

    They are its accuracy on the minority, and the share of the minority among its errors.
    """
    from slicebench.problems.frozen import load_header, load_split, load_truth

    folder = frozen_folder(problem)
    build_missing(problem, folder)
    test, names = load_split(folder, "test"), load_header(folder).class_names
    minority = load_truth(folder, "test").minority(test.ids)
    classes = {}
    for c, rows in test.by_class():
        g, right = minority[rows], None if test.correct is None else test.correct[rows]
        accuracy = share = None
        if right is not None and 0 < g.sum() < len(g):
            accuracy = float(right[g].mean())
            share = None if right.all() else float(g[~right].mean())
        name = names[c] if c < len(names) else "all"
        classes[name] = ClassFigures(minority_accuracy=accuracy, minority_share_of_errors=share)
    return ProblemFigures(classes=classes)


def _tested(
    cells: Sequence[Cell], out: Location, permutations: int, limits: Limits, on_test: Report, *, force: bool
) -> tuple[dict[Slot, StrengthFigures], list[str]]:
    """Test the strength of every cell without a stored test; return the tests and one line per failure.

    Each test is stored beside the record of its cell.
    """
    strengths: dict[Slot, StrengthFigures] = {}
    failures, missing = [], []
    for cell in cells:
        kept = None if force else stored_model(StrengthFigures, _test_path(cell, out, permutations), REMEDY)
        if kept is None:
            missing.append(cell)
        else:
            strengths[entry_of(cell).slot] = kept

    def store(cell: Cell, result: StrengthFigures | str) -> None:
        if isinstance(result, str):
            failures.append(f"strength of {cell}: {result}")
        else:
            save_model(_test_path(cell, out, permutations), result)
            strengths[entry_of(cell).slot] = result

    def work(cell: Cell) -> Callable[[], StrengthFigures | str]:
        return partial(tested_cell, cell.problem, cell.method, cell.method_params, permutations)

    run_missing(
        missing,
        work,
        store=store,
        failed=lambda _, reason: reason,
        limits=limits,
        on_progress=lambda done, total, cell: on_test(done, total, f"strength of {cell}"),
    )
    return strengths, failures


def _test_path(cell: Cell, out: Location, permutations: int) -> Location:
    entry = entry_of(cell)
    return out / entry.folder / f"{entry.record}-p{permutations}.json"


def tested_cell(problem: PlannedProblem, method: str, params: dict[str, Any], permutations: int) -> StrengthFigures:
    """Test the strength of a method on a problem, in a worker process.

    The problem's seed is also the seed of the permutations.
    """
    from slicebench.problems.frozen import load_audit

    folder = frozen_folder(problem)
    build_missing(problem, folder)
    data, _ = load_audit(folder)
    return strength_figures(METHODS.load(method)(**params), data, permutations, problem.seed)


def strength_figures(method: SliceMethod, data: AuditData, permutations: int, seed: int) -> StrengthFigures:
    """Test the strength of each class.

    Raises the same errors as `slicebench.studies.strength.strength_permutation`.
    """
    from slicebench.studies.strength import strength_permutation

    test = strength_permutation(method, data, permutations, seed)
    names = data.class_names or ("all",)
    return StrengthFigures(p=_by_class(names, test.p), by_chance=_by_class(names, mean_known(test.null)))


def _by_class(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: None if np.isnan(v) else float(v) for name, v in zip(names, values, strict=True)}
