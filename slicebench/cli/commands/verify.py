"""`slicebench verify`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import AsJson, Location, SuiteName, method_names, parsed_location
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.runs.runner import RunOutcome
    from slicebench.studies.verification import Design, Verification


def verify_command(
    method: Annotated[str, typer.Argument(help="Registered method.", metavar="METHOD", autocompletion=method_names)],
    suite: SuiteName = "golden",
    problem: Annotated[list[str] | None, typer.Option(help="Verify on this problem of the suite; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds to draw now.")] = 3,
    fresh_seeds: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Use these seeds, such as those of an earlier verification.")
    ] = None,
    leaderboard: Annotated[Path, typer.Option(metavar="DIR", help="Leaderboard with the published rows.")] = Path(
        "leaderboard"
    ),
    against: Annotated[
        Location | None,
        typer.Option(parser=parsed_location, metavar="RUN", help="Run folder with the published rows, or its URL."),
    ] = None,
    out: Annotated[
        Location | None,
        typer.Option(
            parser=parsed_location, metavar="DIR", help="Run folder, or its URL.  [default: runs/verify-<method>]"
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds per cell and per build.  [default: 1800]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a method at seeds drawn now, and compare it with its published rows; exit code 1 if it is lower.

    A method that draws public problems again from their seeds scores well only at published seeds.
    Problems whose data are files are left out: no seed builds them anew.

    \b
    slicebench verify domino
    slicebench verify domino --suite standard-1 --seeds 5
    slicebench verify my_method --suite my.toml --against runs/mine
    slicebench verify domino --fresh-seeds 123,456     repeat it
    """
    from slicebench.runs.runner import run
    from slicebench.runs.suite import load_suite
    from slicebench.runs.tasks import Limits
    from slicebench.studies.verification import fresh_seeds as drawn
    from slicebench.studies.verification import published_records, verification_design, verify

    chosen = load_suite(suite)
    numbers = drawn(seeds) if fresh_seeds is None else _numbers(fresh_seeds)
    design = verification_design(chosen, method, problem or (), numbers, published_records(leaderboard, against))
    given: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout}
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    folder = out or Path("runs") / f"verify-{method}"
    typer.echo(f"fresh seeds: {', '.join(map(str, numbers))}", err=True)
    from slicebench.cli.console import ProgressReport, print_verification

    with ProgressReport() as report:
        outcome = run(chosen, design.cells, out=folder, limits=limits, on_progress=report)
    found = verify(design, [record for _, record in outcome.records])
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        print_verification(found)
    _say_how_it_ended(outcome, found, folder, _again(design, suite, problem or (), leaderboard, against))


def _numbers(text: str) -> tuple[int, ...]:
    """Read seeds separated by commas."""
    parts = [part.strip() for part in text.split(",")]
    wrong = next((part for part in parts if not (part.isascii() and part.isdigit()) or int(part) >= 2**32), None)
    if wrong is not None:
        raise ConfigError(f"--fresh-seeds {text}: {wrong!r} is no seed; expected whole numbers below 2^32, as 123,456")
    return tuple(dict.fromkeys(map(int, parts)))


def _again(
    design: Design, suite: str, problems: tuple[str, ...] | list[str], leaderboard: Path, against: Location | None
) -> str:
    """Return the command that repeats a verification."""
    parts = ["slicebench", "verify", design.method, "--fresh-seeds", ",".join(map(str, design.seeds))]
    parts += ["--suite", suite] if suite != "golden" else []
    parts += [part for name in problems for part in ("--problem", name)]
    parts += ["--against", str(against)] if against is not None else []
    parts += ["--leaderboard", str(leaderboard)] if leaderboard != Path("leaderboard") else []
    return shlex.join(parts)


def _say_how_it_ended(outcome: RunOutcome, found: Verification, folder: Location, again: str) -> None:
    """Print failures and the command that repeats the verification on stderr, and set the exit code."""
    for cell, record in outcome.failed:
        typer.echo(f"failed: {cell}: {record.reason}", err=True)
    typer.echo(f"{outcome.computed} cells run, {len(outcome.failed)} failed; records in {folder}", err=True)
    typer.echo(f"again: {again}", err=True)
    if outcome.interrupted:
        raise typer.Exit(130)
    if outcome.failed or found.verdict == "lower than published":
        raise typer.Exit(1)
