"""`slicebench run` and `slicebench report`, and the result tables that `run` and `show` print."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import (
    AsJson,
    DeviceName,
    Location,
    SuiteName,
    Verbose,
    check_verbose,
    method_names,
    parsed_location,
)
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.evaluation.record import Record
    from slicebench.runs.plan import Cell
    from slicebench.runs.runner import RunOutcome
    from slicebench.runs.store import Entry, RunStore
    from slicebench.runs.suite import Suite
    from slicebench.runs.tasks import Limits


def print_results(
    store: RunStore, suite: Suite, cells: Sequence[tuple[Entry, Record | None]], *, as_json: bool
) -> None:
    """Print the cells' results as tables, or as JSON: {"records": [...], "board": {...}}."""
    from slicebench.results.standings import standings
    from slicebench.runs.outcomes import RunOutcomes

    board = standings(RunOutcomes(store, cells), suite)
    if as_json:
        records = [record.model_dump(mode="json") for _, record in cells if record is not None]
        typer.echo(json.dumps({"records": records, "board": board.model_dump(mode="json")}, indent=1, allow_nan=False))
        return
    from slicebench.cli.console import print_board

    print_board(board)


def run_command(
    suite: SuiteName = "quick",
    method: Annotated[
        list[str] | None, typer.Option(help="Run this registered method; repeatable.", autocompletion=method_names)
    ] = None,
    problem: Annotated[list[str] | None, typer.Option(help="Run this problem of the suite; repeatable.")] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Run this seed; repeatable.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.PARAM=VALUE", help="Set a parameter of a method; repeatable."),
    ] = None,
    out: Annotated[
        Location | None,
        typer.Option(parser=parsed_location, metavar="DIR", help="Run folder, or its URL.  [default: runs/<suite>]"),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per worker process.  [default: 1]")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds per cell and per build.  [default: 1800]")
    ] = None,
    memory_gb: Annotated[
        float | None,
        typer.Option(metavar="GIB", help="GiB per cell and per build.  [default: a share of the free memory]"),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Run on the Dask cluster of this scheduler (docs/how-to/many-machines.md)."
        ),
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Seconds to wait for a cluster that has no workers.  [default: 300]"),
    ] = None,
    device: DeviceName = None,
    problems: Annotated[
        Location | None,
        typer.Option(
            parser=parsed_location,
            metavar="DIR",
            help="Run only the problems of the suite that are frozen in this folder or under this URL.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Recompute cells that are done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would run, and say why; run nothing.")] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Run methods on the problems of a suite; cells that the run folder already holds are not run again.

    The quick suite takes half a minute to two minutes on two cores.

    \b
    slicebench run
    slicebench run --method svm_directions --method domino --seed 0
    slicebench run --method domino --set domino.n_slices=10 \\
        --out runs/ten-slices
    slicebench run --suite my.toml --out runs/mine --jobs 4 --timeout 60
    slicebench run --suite my.toml --scheduler tcp://host:8786
    slicebench run --method lff --device cuda --jobs 1
    slicebench run --dry-run
    slicebench run --dry-run --verbose
    """
    from slicebench.runs.plan import Filters, plan, with_settings
    from slicebench.runs.suite import load_suite

    check_verbose(verbose=verbose, dry_run=dry_run)
    chosen = with_settings(load_suite(suite), setting or (), method or ())
    folder = out or Path("runs") / chosen.name
    cells = plan(chosen, Filters(tuple(method or ()), tuple(problem or ()), tuple(seed or ())))
    if problems is not None:
        cells = _on_shelf(cells, problems)
    if device is not None:
        _use(device, scheduler)
    limits = _limits(scheduler, jobs=jobs, threads=threads, timeout_s=timeout, memory_gb=memory_gb, wait_s=wait)
    if dry_run:
        _print_plan(cells, folder, force=force, verbose=verbose, as_json=as_json)
        return
    outcome = _run(chosen, cells, folder, limits, force=force, scheduler=scheduler, problems=problems)
    from slicebench.runs.store import entry_of

    found = {id(cell): record for cell, record in outcome.records}
    print_results(outcome.store, chosen, [(entry_of(cell), found.get(id(cell))) for cell in cells], as_json=as_json)
    _say_how_it_ended(outcome, suite, folder, setting or ())


def _on_shelf(cells: list[Cell], folder: Location) -> list[Cell]:
    """Return the cells whose problem is frozen in `folder`, and name the other problems on stderr."""
    from slicebench.problems.shelf import shelved
    from slicebench.runs.plan import shelved_cells

    shelf = shelved(folder)
    cells = shelved_cells(cells, shelf)
    kept = [cell for cell in cells if cell.problem.identity in shelf]
    left_out = dict.fromkeys(
        f"{cell.problem}{' (frozen from other files than those here)' * shelf.has_of_other_files(cell.problem)}"
        for cell in cells
        if cell.problem.identity not in shelf
    )
    if not kept:
        raise ConfigError(f"{folder} contains none of the suite's problems: {', '.join(left_out)}")
    if left_out:
        typer.echo(f"not in {folder}, left out: {', '.join(left_out)}", err=True)
    return kept


def _use(device: str, scheduler: str | None) -> None:
    from slicebench.models.devices import VARIABLE, use_device

    if scheduler is not None:
        raise ConfigError(
            f"--device is for local workers; start the Dask workers with {VARIABLE}={device} in the environment"
        )
    use_device(device)


def _limits(scheduler: str | None, **given: float | None) -> Limits:
    """Return the limits that the options give."""
    from slicebench.runs.tasks import Limits

    present: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if scheduler is not None and "jobs" in present:
        raise ConfigError("--jobs is for local workers; start as many Dask workers as you want (`dask worker ADDRESS`)")
    if scheduler is None and "wait_s" in present:
        raise ConfigError("--wait is for --scheduler; local workers are always available")
    return Limits(**present)


def _run(suite: Suite, cells: Sequence[Any], folder: Location, limits: Limits, **options: Any) -> RunOutcome:
    from slicebench.cli.console import ProgressReport
    from slicebench.runs.runner import run

    with ProgressReport() as report:
        return run(suite, list(cells), out=folder, limits=limits, on_progress=report, **options)


def _print_plan(cells: Sequence[Any], folder: Location, *, force: bool, verbose: bool, as_json: bool) -> None:
    from slicebench.runs.runner import plan_run
    from slicebench.runs.store import RunStore

    planned = plan_run(cells, RunStore(folder), force=force)
    if as_json:
        lines = [
            {**p.entry.model_dump(include={"problem", "seed", "method"}), "action": p.action, "why": p.why}
            for p in planned
        ]
        typer.echo(json.dumps(lines, indent=1))
        return
    from slicebench.cli.console import PlanLine, print_plan

    print_plan(
        [PlanLine(p.action, p.cell.problem.name, p.cell.method, str(p.cell), p.why) for p in planned],
        verbose=verbose,
    )


def _say_how_it_ended(outcome: RunOutcome, suite: str, folder: Location, settings: Sequence[str]) -> None:
    """Print failures and the commands that reproduce them on stderr, and set the exit code."""
    for cell, record in outcome.failed:
        again = f"--problem {cell.problem.name} --seed {cell.problem.seed} --method {shlex.quote(cell.method)}"
        own = [setting for setting in settings if setting.startswith(f"{cell.method}.")]
        again += "".join(f" --set {shlex.quote(setting)}" for setting in own)
        typer.echo(f"failed: {cell}: {record.reason}", err=True)
        typer.echo(
            f"  again: slicebench run --suite {shlex.quote(suite)} {again} --out {shlex.quote(str(folder))}", err=True
        )
    typer.echo(f"{outcome.computed} cells run, {len(outcome.failed)} failed; records in {folder}", err=True)
    if outcome.interrupted:
        typer.echo(
            f"interrupted: {outcome.missing} cells are missing; run the same command again to continue", err=True
        )
        raise typer.Exit(130)
    if outcome.failed:
        raise typer.Exit(1)


def report_command(
    run: Annotated[Location, typer.Argument(parser=parsed_location, help="Run folder, or its URL.", metavar="RUN")],
    html: Annotated[
        Location | None,
        typer.Option(parser=parsed_location, metavar="FILE", help="File to write.  [default: RUN/report.html]"),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=50, help="Hardest images to show per class; 0 for none.")] = 8,
) -> None:
    """Write a run as one HTML page: tables, curves, comparisons, captions and each class's hardest images.

    \b
    slicebench report runs/quick
    slicebench report runs/quick --html quick.html --examples 12
    """
    from slicebench.cli.console import ProgressReport
    from slicebench.files.atomic import write_text
    from slicebench.results.run_page import run_report
    from slicebench.runs.store import load_run

    found, path = load_run(run), html or run / "report.html"
    with ProgressReport() as progress:
        report = run_report(found, examples=examples, on_progress=progress.count)
    write_text(path, report.html)
    for problem, why in report.without_pictures.items():
        typer.echo(f"no pictures of {problem}: {why}", err=True)
    typer.echo(f"{path}: {len(report.html.encode()) / 1e6:.1f} MB", err=True)
