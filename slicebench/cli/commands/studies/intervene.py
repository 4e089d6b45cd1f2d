"""`slicebench intervene`."""

from __future__ import annotations

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
from slicebench.cli.process import told_if_interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.studies.interventions.design import Arm
    from slicebench.studies.interventions.run import InterventionsOutcome


BOARD = "interventions.json"


def intervene_command(
    suite: SuiteName = "interventions",
    problem: Annotated[list[str] | None, typer.Option(help="Only this problem of the suite; repeatable.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Only this seed of the problems; repeatable.")] = None,
    intervention: Annotated[
        list[str] | None,
        typer.Option(
            help="Intervention to apply; repeatable.  [default: upweight, filter; see `slicebench list interventions`]"
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Method whose findings are used; repeatable.  [default: those of the suite]",
            autocompletion=method_names,
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME.PARAM=VALUE",
            help="Parameter of an intervention; values separated by commas are tried in turn.",
        ),
    ] = None,
    retrain: Annotated[int, typer.Option(min=1, help="Models trained per arm; all arms use the same seeds.")] = 5,
    out: Annotated[
        Location, typer.Option(parser=parsed_location, metavar="DIR", help="Run folder, or its URL.")
    ] = Path("runs/interventions"),
    problems: Annotated[
        Location | None,
        typer.Option(
            parser=parsed_location,
            metavar="DIR",
            help="Folder or URL of frozen problems, used instead of building them.",
        ),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the effects to this .png file (needs matplotlib).")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds per build and per arm.  [default: 1800]")
    ] = None,
    device: DeviceName = None,
    force: Annotated[bool, typer.Option("--force", help="Recompute finished arms.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would run, and run nothing.")] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Repair a model with what methods find, and measure the effect on the planted subgroup at equal budget.

    All arms are trained from the same seeds. `random`, `oracle` and retraining without intervention
    are always included. You can stop a run at any time; the same command continues it. The run
    folder holds a record per arm and `interventions.json`.

    \b
    slicebench intervene
    slicebench intervene --problem scenes-rare --intervention filter \\
        --set filter.k=25,50,75,100 --picture filter.png
    slicebench intervene --intervention upweight \\
        --set upweight.rule=factor,balanced,soft --method svm_directions
    slicebench intervene --problem scenes-correlation \\
        --intervention synthesise --set synthesise.prompt=hard,easy,reference
    slicebench intervene --intervention dcd \\
        --set dcd.selection=nearest,random,complete
    """
    from slicebench.models.devices import use_device
    from slicebench.results.plots import check_picture
    from slicebench.runs.plan import Filters
    from slicebench.runs.suite import load_suite
    from slicebench.studies.interventions.design import plan_arms

    check_verbose(verbose=verbose, dry_run=dry_run)
    if device is not None:
        use_device(device)
    if picture is not None:
        check_picture(picture)
    filters = Filters(methods=tuple(method or ()), problems=tuple(problem or ()), seeds=tuple(seed or ()))
    loaded = load_suite(suite)
    arms = plan_arms(loaded, interventions=intervention or (), settings=setting or (), filters=filters, retrain=retrain)
    if dry_run:
        _show_plan(arms, out, problems, verbose=verbose)
        return
    given: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout}
    limits = {name: value for name, value in given.items() if value is not None}
    outcome = _run(arms, limits, out=out, force=force, problems=problems)
    _finish(outcome, loaded.name, picture, as_json=as_json)


def _show_plan(arms: Sequence[Arm], out: Location, problems: Location | None, *, verbose: bool) -> None:
    """Print how many arms have a record and how many would run, or a line per arm."""
    from slicebench.cli.console import PlanLine, print_plan
    from slicebench.files.locations import bytes_if_there
    from slicebench.problems.shelf import shelved
    from slicebench.studies.interventions.run import shelved_arms

    if problems is not None:
        arms = shelved_arms(arms, shelved(problems))
    done = [bytes_if_there(out / f"{arm.file}.json") is not None for arm in arms]
    print_plan(
        [
            PlanLine("done" if there else "run", arm.problem.name, arm.method or "no method", str(arm))
            for arm, there in zip(arms, done, strict=True)
        ],
        verbose=verbose,
    )
    typer.echo(f"{len(arms) - sum(done)} of {len(arms)} arms would run, {len(arms[0].seeds)} models each", err=True)


def _run(arms: Sequence[Arm], limits: dict[str, Any], **options: Any) -> InterventionsOutcome:
    from slicebench.cli.console import ProgressReport
    from slicebench.runs.tasks import Limits
    from slicebench.studies.interventions.run import run_arms

    with told_if_interrupted(), ProgressReport() as report:
        return run_arms(arms, limits=Limits(**limits), on_progress=report.count, **options)


def _finish(outcome: InterventionsOutcome, suite: str, picture: Path | None, *, as_json: bool) -> None:
    """Write the board to the run folder and the terminal; exit with code 1 if an arm failed."""
    from slicebench.cli.console import print_interventions
    from slicebench.files.json_models import save_model
    from slicebench.studies.interventions.effects import intervention_board
    from slicebench.studies.interventions.picture import draw_interventions

    board = intervention_board(outcome, suite)
    save_model(outcome.folder / BOARD, board)
    if as_json:
        typer.echo(board.model_dump_json(indent=1))
    else:
        print_interventions(board)
    if picture is not None:
        draw_interventions(board, picture)
    typer.echo(f"{outcome.computed} arms run; records and {BOARD} in {outcome.folder}", err=True)
    for arm, record in outcome.failed.items():
        typer.echo(f"failed: {arm}: {record.reason}", err=True)
    if outcome.failed:
        raise typer.Exit(1)
