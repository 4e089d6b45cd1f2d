"""Run `slicebench check`: compare results with the baseline, or make them the baseline."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slicebench.errors import ConfigError
from slicebench.files.atomic import write_text
from slicebench.files.json_models import save_model
from slicebench.problems.shelf import freeze
from slicebench.results.leaderboard.build import build
from slicebench.results.leaderboard.gate import LeftOut, check_controls, check_scores, check_times, left_out
from slicebench.results.leaderboard.settings import Update, load_controls, note_update
from slicebench.results.leaderboard.store import LeaderboardStore, write_outcomes
from slicebench.results.leaderboard.timing import load_ratios, save_ratios
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.plan import Filters, is_generated, on_shelf, plan
from slicebench.runs.runner import run
from slicebench.runs.store import load_run
from slicebench.runs.suite import load_suite
from slicebench.runs.tasks import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from slicebench.files.locations import Location
    from slicebench.results.board import ControlBoard
    from slicebench.results.leaderboard.gate import GateVerdict
    from slicebench.results.leaderboard.settings import Tolerances
    from slicebench.runs.plan import Cell
    from slicebench.runs.runner import Progress
    from slicebench.runs.store import Run
    from slicebench.runs.suite import Suite


def loaded(folder: Location, methods: Sequence[str]) -> Run:
    """Return the cells of `methods` (all if empty) in a run folder; `ConfigError` if there is none."""
    found = load_run(folder)
    kept = tuple(entry for entry in found.entries if not methods or entry.method in methods)
    if not kept:
        raise ConfigError(f"{folder} has no cell of {', '.join(methods)}; it has {', '.join(found.suite.methods)}")
    return replace(found, entries=kept)


def golden_suite(root: Path, tolerances: Tolerances) -> Suite:
    """Load the suite of the golden problems: a packaged suite, or a file beside the tolerances."""
    asked = tolerances.golden.suite
    return load_suite(str(root / asked) if asked.endswith(".toml") else asked)


def baseline(root: Path, suite: Suite) -> LeaderboardStore:
    """Open the baseline of `suite`; `StorageError` if there is none."""
    return LeaderboardStore(root / suite.name)


def freeze_golden(root: Path, tolerances: Tolerances) -> list[Path]:
    """Freeze the golden problems that are generated and not frozen yet, whole; return their folders."""
    shelf = root / tolerances.golden.problems
    _, missing = on_shelf(plan(golden_suite(root, tolerances)), shelf)
    problems = {cell.problem.identity: cell.problem for cell in missing if is_generated(cell.problem)}
    for problem in problems.values():
        freeze(problem, shelf, with_inputs=True)
    return [shelf / f"{problem.name}.s{problem.seed}" for problem in problems.values()]


def golden_cells(root: Path, tolerances: Tolerances, methods: Sequence[str]) -> tuple[Suite, list[Cell], list[LeftOut]]:
    """Return the golden suite, its cells on frozen problems, and the problems that are not frozen.

    Raises
    ------
    ConfigError
        if none is frozen.

    """
    suite, shelf = golden_suite(root, tolerances), root / tolerances.golden.problems
    cells, others = on_shelf(plan(suite, Filters(methods=tuple(methods))), shelf)
    if not cells:
        raise ConfigError(
            f"no problem of the suite {suite.name} is frozen in {shelf}, and only frozen ones are the same on every machine; "
            "`slicebench check --update --reason TEXT` freezes them and makes the baseline"
        )
    why = f"it is not frozen in {shelf}; a problem that is built again differs from machine to machine"
    return (
        suite,
        cells,
        [LeftOut(p, s, why) for p, s in dict.fromkeys((c.problem.name, c.problem.seed) for c in others)],
    )


def golden_run(
    suite: Suite,
    cells: list[Cell],
    shelf: Path,
    out: Location,
    jobs: int | None,
    progress: AbstractContextManager[Callable[[Progress], None]],
) -> Run | None:
    """Run the golden problems with the current code; return None if the run was interrupted.

    No earlier run is resumed, and no model comes from the cache.
    """
    limits = Limits() if jobs is None else Limits(jobs=jobs)
    with tempfile.TemporaryDirectory() as cache, progress as report:
        kept, os.environ["SLICEBENCH_CACHE"] = os.environ.get("SLICEBENCH_CACHE"), cache
        try:
            outcome = run(suite, cells, out=out, limits=limits, force=True, problems=shelf, on_progress=report)
        finally:
            del os.environ["SLICEBENCH_CACHE"]
            if kept is not None:
                os.environ["SLICEBENCH_CACHE"] = kept
    return None if outcome.interrupted else loaded(out, tuple({cell.method for cell in cells}))


def verdicts(
    root: Path, tolerances: Tolerances, found: Run | None, controls: Location | None, timings: Path | None
) -> tuple[list[GateVerdict], list[LeftOut]]:
    """Compare a run, a file of controls and a file of timings with the leaderboard in `root`.

    Those that are None are left out. Returns the verdicts, and the problems of the run that cannot
    be compared.
    """
    judged: list[GateVerdict] = []
    apart: list[LeftOut] = []
    if found is not None:
        outcomes, then = RunOutcomes(found.store, found.cells), baseline(root, found.suite)
        judged += check_scores(outcomes, then, tolerances)
        apart = left_out(outcomes, then)
    if controls is not None:
        judged += check_controls(_read_controls(controls), tolerances)
    if timings is not None:
        judged += check_times(load_ratios(timings), load_ratios(root / "timings.json"), tolerances)
    return judged, apart


def update(
    root: Path, tolerances: Tolerances, found: Run | None, controls: Location | None, timings: Path | None, reason: str
) -> None:
    """Make the given results the baseline, and generate the leaderboard in `root` again.

    The `reason` is added to the updates of the leaderboard.
    """
    today = datetime.now(UTC).date().isoformat()
    if found is not None:
        methods = tuple(dict.fromkeys(entry.method for entry in found.entries))
        golden = found.suite.name == golden_suite(root, tolerances).name
        outcomes = RunOutcomes(found.store, found.cells)
        exact = tolerances.exact if golden else ()
        write_outcomes(outcomes, found.suite, root / found.suite.name, with_hardness=exact, methods=methods)
        note_update(root, Update(date=today, suite=found.suite.name, methods=methods, reason=reason))
    if controls is not None:
        board = _read_controls(controls)
        save_model(root / "controls.json", board)
        methods = tuple(row.method for row in board.rows)
        note_update(root, Update(date=today, suite="controls", methods=methods, reason=reason, kind="controls"))
    if timings is not None:
        ratios = load_ratios(timings)
        save_ratios(ratios, root / "timings.json")
        note_update(root, Update(date=today, suite="timings", methods=tuple(ratios), reason=reason, kind="timings"))
    if (root / tolerances.headline / "suite.json").exists():
        for name, text in build(root).items():
            write_text(root / name, text)


def _read_controls(path: Location) -> ControlBoard:
    found = load_controls(path)
    if found is None:
        raise ConfigError(f"there is no {path}; `slicebench controls` writes it")
    return found
