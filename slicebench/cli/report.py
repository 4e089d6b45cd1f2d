"""`slicebench report`."""

from __future__ import annotations

from typing import Annotated

import typer

from slicebench.cli.options import Location, parsed_location


def report_command(
    run: Annotated[Location, typer.Argument(parser=parsed_location, help="Run folder, or its URL.", metavar="RUN")],
    html: Annotated[
        Location | None,
        typer.Option(parser=parsed_location, metavar="FILE", help="File to write.  [default: RUN/report.html]"),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=50, help="Hardest images shown of each class; 0 for none.")] = 8,
) -> None:
    """Write a run as one page: tables, curves, comparison, captions, and the hardest images with the planted ones marked.

    \b
    slicebench report runs/quick
    slicebench report runs/quick --html quick.html --examples 12
    """
    from slicebench.cache import write_text
    from slicebench.console import ProgressReport
    from slicebench.report import run_report
    from slicebench.store import load_run

    found, path = load_run(run), html or run / "report.html"
    with ProgressReport() as progress:
        report = run_report(found, examples=examples, on_progress=progress.count)
    write_text(path, report.html)
    for problem, why in report.without_pictures.items():
        typer.echo(f"no pictures of {problem}: {why}", err=True)
    typer.echo(f"{path}: {len(report.html.encode()) / 1e6:.1f} MB", err=True)
