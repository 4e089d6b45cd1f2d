"""Run the controls: build missing problems, run missing chunks, and store each as it ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from slicebench.errors import ConfigError
from slicebench.files.json_models import save_model, stored_model
from slicebench.problems.cache import frozen_folder
from slicebench.runs.tasks import Limits, run_missing
from slicebench.studies.controls.design import chosen_controls, chosen_methods, planned_chunks
from slicebench.studies.controls.rates import control_board
from slicebench.studies.controls.replicates import ChunkResult, Replicate, run_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.files.locations import Location
    from slicebench.results.board import ControlBoard
    from slicebench.runs.suite import Suite
    from slicebench.runs.tasks import Report
    from slicebench.studies.controls.design import Chunk


BOARD = "controls.json"
REMEDY = "delete this file and run again: only its part is recomputed"


@dataclass(frozen=True, eq=False)
class ControlsOutcome:
    """The board, the number of chunks computed in this run, and one line per failure."""

    board: ControlBoard
    computed: int
    failures: tuple[str, ...]


def run_controls(
    *,
    methods: Sequence[str] = (),
    suite: Suite | None = None,
    controls: Sequence[str] = (),
    replicates: int = 100,
    seed: int = 0,
    out: Location,
    limits: Limits | None = None,
    force: bool = False,
    on_progress: Report = lambda *_: None,
) -> ControlsOutcome:
    """Run controls into the folder `out`: a file per chunk of replicates, and `controls.json`.

    Chunks in `out` are not run again, unless `force` is set or one of their replicates failed. The
    board covers the requested methods and controls only; an empty tuple means all. With `suite`, "all"
    are the suite's methods, with its parameters.

    Raises
    ------
    ConfigError, PluginError
        if a method or control does not exist, or a number is out of range.
    StorageError
        if a file in `out` cannot be read.

    """
    if replicates < 1 or seed < 0:
        raise ConfigError(
            f"replicates is {replicates} and seed is {seed}; expected replicates of at least 1 and a seed of at least 0"
        )
    method_params = suite.method_params if suite else {}
    chunks = planned_chunks(chosen_methods(methods, suite), chosen_controls(controls), replicates, seed, method_params)
    kept = {} if force else {chunk: stored_model(ChunkResult, out / chunk.file, REMEDY) for chunk in chunks}
    results = {chunk: result for chunk, result in kept.items() if result is not None and not result.failures}
    missing = [chunk for chunk in chunks if chunk not in results]

    def store(chunk: Chunk, result: ChunkResult) -> None:
        save_model(out / chunk.file, result)
        results[chunk] = result

    run_missing(
        missing,
        lambda chunk: partial(run_chunk, frozen_folder(chunk.cell.problem), chunk),
        store=store,
        failed=_failed,
        problem=lambda chunk: chunk.cell.problem,
        limits=limits or Limits(),
        on_progress=on_progress,
    )
    board = control_board({chunk: results[chunk] for chunk in chunks}, replicates)
    save_model(out / BOARD, board)
    failures = tuple(f"{chunk}: {results[chunk].failures[0]}" for chunk in chunks if results[chunk].failures)
    return ControlsOutcome(board, len(missing), failures)


def _failed(chunk: Chunk, reason: str) -> ChunkResult:
    return ChunkResult(replicates=tuple(Replicate(index=index, failure=reason) for index in chunk.replicates))
