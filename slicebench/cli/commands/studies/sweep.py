"""`slicebench sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import AsJson, Location, SuiteName, dataset_names, method_names, parsed_location
from slicebench.cli.process import told_if_interrupted
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.studies.sweep import Sweep, SweepOutcome, SweepReport


def sweep_command(
    param: Annotated[
        str, typer.Option(metavar="NAME=V1,V2,...", help="Numeric parameter of the dataset, and its values.")
    ],
    dataset: Annotated[str | None, typer.Option(help="Registered dataset.", autocompletion=dataset_names)] = None,
    problem: Annotated[str | None, typer.Option(help="Problem of the suite, instead of --dataset.")] = None,
    suite: SuiteName = "standard",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Fix another parameter of the dataset; repeatable."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Registered method; repeatable.  [default: svm_directions, confidence]", autocompletion=method_names
        ),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Seed; repeatable.  [default: 0, 1, 2]")] = None,
    metric: Annotated[str, typer.Option(help="Ranking metric to show.")] = "namf",
    permutations: Annotated[
        int, typer.Option(min=0, help="Permutations that test each strength, one fit each, such as 199; 0 for no test.")
    ] = 0,
    out: Annotated[
        Location | None,
        typer.Option(
            parser=parsed_location,
            metavar="DIR",
            help="Run folder, or its URL.  [default: runs/sweep-<dataset>-<param>]",
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds per cell, build and test.  [default: 1800]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Recompute finished cells.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw the sweep to this .png file (needs matplotlib).")] = None,
    as_json: AsJson = False,
) -> None:
    """Vary one parameter of a problem, and show how metric and strength respond.

    \b
    slicebench sweep --dataset scenes --param ratio=1,2,4,8
    slicebench sweep --problem scenes-rare --param keep=0.1,0.25,0.5,1 \\
        --permutations 199
    slicebench sweep --dataset gaussian --set plant=label_noise \\
        --param flip=0.1,0.2,0.4 --method confidence --picture flip.png
    """
    from slicebench.results.plots import check_picture
    from slicebench.studies.sweep.picture import draw_sweep
    from slicebench.studies.sweep.summary import checked_metric, sweep_report

    checked_metric(metric)
    if picture is not None:
        check_picture(picture)
    sweep = _sweep(dataset, problem, suite, param, setting or (), methods=tuple(method or ()), seeds=tuple(seed or ()))
    folder = out or Path("runs") / sweep.name
    given: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout}
    present = {name: value for name, value in given.items() if value is not None}
    outcome = _run(sweep, folder, present, permutations=permutations, force=force)
    report = sweep_report(outcome, metric, permutations)
    _print(report, as_json=as_json)
    if picture is not None:
        draw_sweep(report, picture)
        typer.echo(f"picture in {picture}", err=True)
    _say_how_it_ended(outcome, folder)


def _sweep(dataset: str | None, problem: str | None, suite: str, param: str, settings: Any, **chosen: Any) -> Sweep:
    from slicebench.runs.suite import load_suite
    from slicebench.studies.sweep import sweep_of_dataset, sweep_of_problem

    chosen = {name: tuple(dict.fromkeys(values)) for name, values in chosen.items() if values}
    if (dataset is None) == (problem is None):
        raise ConfigError("expected either --dataset NAME or --problem NAME (of --suite)")
    if dataset is not None:
        return sweep_of_dataset(dataset, param, settings, **chosen)
    return sweep_of_problem(load_suite(suite), str(problem), param, settings, **chosen)


def _run(sweep: Sweep, folder: Location, limits: dict[str, Any], **options: Any) -> SweepOutcome:
    from slicebench.cli.console import ProgressReport
    from slicebench.runs.tasks import Limits
    from slicebench.studies.sweep import run_sweep

    with told_if_interrupted(), ProgressReport() as report:
        return run_sweep(
            sweep, out=folder, limits=Limits(**limits), on_progress=report, on_test=report.count, **options
        )


def _print(report: SweepReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
        return
    from slicebench.cli.console import print_sweep

    print_sweep(report)


def _say_how_it_ended(outcome: SweepOutcome, folder: Location) -> None:
    """Print what failed on stderr, and set the exit code."""
    failures = [f"{cell}: {record.reason}" for cell, record in outcome.run.failed] + list(outcome.failures)
    for line in failures:
        typer.echo(f"failed: {line}", err=True)
    typer.echo(f"{outcome.run.computed} cells run, {len(outcome.run.failed)} failed; records in {folder}", err=True)
    if outcome.run.interrupted:
        typer.echo(
            f"interrupted: {outcome.run.missing} cells are missing; run the same command again to continue", err=True
        )
        raise typer.Exit(130)
    if failures:
        raise typer.Exit(1)
