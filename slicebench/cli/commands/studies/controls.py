"""`slicebench controls`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import AsJson, Location, method_names, parsed_location, suite_names
from slicebench.cli.process import told_if_interrupted

if TYPE_CHECKING:
    from slicebench.results.board import ControlBoard
    from slicebench.studies.controls import ControlsOutcome


def controls_command(
    method: Annotated[
        list[str] | None, typer.Option(help="Run this registered method; repeatable.", autocompletion=method_names)
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="Take methods and their parameters from this suite.  [default: all methods, with default parameters]",
            autocompletion=suite_names,
        ),
    ] = None,
    control: Annotated[list[str] | None, typer.Option(help="Run this control (C0 ... C5, power); repeatable.")] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Random re-splits per method and control.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the re-splits and permutations.")] = 0,
    out: Annotated[
        Location, typer.Option(parser=parsed_location, metavar="DIR", help="Folder of the results, or its URL.")
    ] = Path("runs/controls"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds per build and per 25 replicates.  [default: 1800]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Recompute finished results.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how often a method declares a slice where there is none.

    A method declares a slice if the slice's error rate on held-out data is significantly higher
    than in the rest of its class. The test is Fisher's exact test, Holm-corrected over the slices
    returned; the effect and the support must be large enough too.

    By default, all methods but the oracle run on all controls. Replicates that the folder already
    holds are not run again. `controls.json` in the folder covers the last request.

    \b
    slicebench controls
    slicebench controls --suite standard
    slicebench controls --method domino --control C0 --control power
    slicebench controls --replicates 1000 --control C0 --out runs/false-alarms
    """
    from slicebench.runs.suite import load_suite
    from slicebench.runs.tasks import Limits

    given: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout}
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    outcome = _run(
        out,
        methods=tuple(method or ()),
        suite=load_suite(suite) if suite else None,
        controls=tuple(control or ()),
        replicates=replicates,
        seed=seed,
        limits=limits,
        force=force,
    )
    _print(outcome.board, as_json=as_json)
    for line in outcome.failures:
        typer.echo(f"failed: {line}", err=True)
    typer.echo(f"{outcome.computed} chunks of replicates run; results in {out}", err=True)
    if outcome.failures:
        raise typer.Exit(1)


def _run(out: Location, **options: Any) -> ControlsOutcome:
    from slicebench.cli.console import ProgressReport
    from slicebench.studies.controls import run_controls

    with told_if_interrupted(), ProgressReport() as report:
        return run_controls(out=out, on_progress=report.count, **options)


def _print(board: ControlBoard, *, as_json: bool) -> None:
    if as_json:
        typer.echo(board.model_dump_json(indent=1))
        return
    from slicebench.cli.console import print_controls

    print_controls(board)
