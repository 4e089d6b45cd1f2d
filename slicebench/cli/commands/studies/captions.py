"""`slicebench captions`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from slicebench.cli.options import AsJson, SuiteName, method_names


def captions_command(
    problem: Annotated[str, typer.Option(help="Problem of the suite.")],
    method: Annotated[str, typer.Option(help="Registered method.", autocompletion=method_names)] = "svm_directions",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the problem.")] = 0,
    suite: SuiteName = "standard",
    encoder: Annotated[
        list[str] | None, typer.Option(help="Also judge the captions in this encoder; repeatable.")
    ] = None,
    other_seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Also judge them by a base model trained with this seed; repeatable."),
    ] = None,
    other_arch: Annotated[
        list[str] | None,
        typer.Option(help="Also judge them by a base model of this architecture, such as mlp; repeatable."),
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(help="Make images along the directions with this decoder: scenes, retrieval or unclip:FOLDER."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Output folder.  [default: runs/captions/<problem>.s<seed>/<method>]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Inspect a method's captions on one problem, and judge them by other encoders and base models.

    \b
    slicebench captions --problem scenes-correlation
    slicebench captions --problem scenes-correlation --method domino \\
        --encoder nano-clip:second --other-seed 1
    slicebench captions --problem scenes-correlation --decoder scenes \\
        --out runs/look
    """
    from slicebench.plugins.registry import METHODS
    from slicebench.problems.cache import built_problem
    from slicebench.runs.plan import Filters, plan
    from slicebench.runs.suite import load_suite
    from slicebench.studies.captions.inspection import inspect_captions
    from slicebench.studies.captions.output import write_report

    cell = plan(load_suite(suite), Filters((method,), (problem,), (seed,)))[0]
    inspection = inspect_captions(
        built_problem(cell.problem),
        METHODS.load(method)(**cell.method_params),
        encoders=encoder or (),
        seeds=other_seed or (),
        archs=other_arch or (),
    )
    folder = out or Path("runs") / "captions" / f"{problem}.s{seed}" / method
    report = write_report(inspection, folder, decoder)
    if as_json:
        typer.echo(json.dumps(report, indent=1, allow_nan=False))
        return
    from slicebench.cli.console import print_captions

    print_captions(report)
    typer.echo(f"captions, curves and pictures in {folder}", err=True)
