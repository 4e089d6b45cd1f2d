"""`slicebench leaderboard build` and `slicebench check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.cli.options import AsJson, Location, method_names, parsed_location
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.results.leaderboard.gate import GateVerdict, LeftOut
    from slicebench.results.leaderboard.settings import Tolerances
    from slicebench.runs.store import Run


def build_command(
    root: Annotated[Path, typer.Argument(help="Folder of the leaderboard.", metavar="DIR")] = Path("leaderboard"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with code 1 if a file differs from what would be built."),
    ] = False,
) -> None:
    """Generate README.md and index.html from the committed records.

    \b
    slicebench leaderboard build
    slicebench leaderboard build --check          in CI
    """
    from slicebench.files.atomic import write_text
    from slicebench.results.leaderboard.build import build, differing

    built = build(root)
    changed = differing(root, built)
    if check:
        for name in changed:
            typer.echo(
                f"{root / name} differs from what the records give; run `slicebench leaderboard build`", err=True
            )
        raise typer.Exit(1 if changed else 0)
    for name, text in built.items():
        write_text(root / name, text)
        typer.echo(f"{root / name}: {len(text.encode()):,} bytes{'' if name in changed else ', unchanged'}", err=True)


def check_command(
    run: Annotated[
        Location | None,
        typer.Argument(
            parser=parsed_location,
            help="Run folder to check, or its URL.  [default: run the golden problems now]",
            metavar="RUN",
        ),
    ] = None,
    leaderboard: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the baseline.")] = Path("leaderboard"),
    method: Annotated[
        list[str] | None, typer.Option(help="Check this method only; repeatable.", autocompletion=method_names)
    ] = None,
    controls: Annotated[
        Location | None,
        typer.Option(
            parser=parsed_location, metavar="FILE", help="Also check this controls.json of `slicebench controls`."
        ),
    ] = None,
    timings: Annotated[
        Path | None, typer.Option(help="Also check this JSON of `pytest tests/bench/test_gate.py`.")
    ] = None,
    out: Annotated[
        Location,
        typer.Option(parser=parsed_location, metavar="DIR", help="Run folder of the golden problems, or its URL."),
    ] = Path("runs/check"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    update: Annotated[bool, typer.Option("--update", help="Make this the baseline; needs --reason.")] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why the baseline changes; written to updates.jsonl.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare results with the committed leaderboard; exit code 1 if a method got worse.

    Without RUN, the golden problems are run with the current code, those that are frozen. Exact
    methods must repeat their order. Any other method fails if it certainly loses more nAMF than
    `tolerances.toml` allows, and gets a warning if it may, or if it really loses less. Problems
    that cannot be compared are named, with the reason.

    \b
    slicebench check                                    golden problems
    slicebench check --method svm_directions
    slicebench check runs/standard                      a finished run of a suite
    slicebench check runs/standard --update \\
        --reason "Domino starts from k-means"
    """
    from slicebench.results.leaderboard import check
    from slicebench.results.leaderboard.settings import load_tolerances

    if update and not (reason and reason.strip()):
        raise ConfigError("--update rewrites the baseline; say why with --reason")
    tolerances = load_tolerances(leaderboard)
    found = None
    apart: list[LeftOut] = []
    if run is not None or (controls is None and timings is None):
        if run is None and not update:
            # raises if there is no baseline, before minutes of work
            check.baseline(leaderboard, check.golden_suite(leaderboard, tolerances))
        methods = tuple(method or ())
        if run is not None:
            found = check.loaded(run, methods)
        else:
            found, apart = _golden(leaderboard, tolerances, methods, out, jobs, freezing=update)
    if update:
        check.update(leaderboard, tolerances, found, controls, timings, str(reason))
        typer.echo(f"{leaderboard} updated: {reason}", err=True)
        return
    verdicts, changed = check.verdicts(leaderboard, tolerances, found, controls, timings)
    _show(verdicts, [*apart, *changed], as_json=as_json)
    failed = [v for v in verdicts if v.status == "fail"]
    for verdict in failed:
        typer.echo(f"failed: {verdict.method}: {verdict.why}\n  again: {_again(verdict, run, leaderboard)}", err=True)
    raise typer.Exit(1 if failed else 0)


def _golden(
    root: Path, tolerances: Tolerances, methods: Sequence[str], out: Location, jobs: int | None, *, freezing: bool
) -> tuple[Run, list[LeftOut]]:
    """Run the golden problems that are frozen, after `freezing` those that are missing; name the others.

    Raises `typer.Exit` if the run was interrupted.
    """
    from slicebench.cli.console import ProgressReport
    from slicebench.results.leaderboard import check

    for folder in check.freeze_golden(root, tolerances) if freezing else ():
        typer.echo(f"{folder} frozen; commit it with the baseline", err=True)
    suite, cells, apart = check.golden_cells(root, tolerances, methods)
    found = check.golden_run(suite, cells, root / tolerances.golden.problems, out, jobs, ProgressReport())
    if found is None:
        raise typer.Exit(130)
    return found, apart


def _show(verdicts: Sequence[GateVerdict], apart: Sequence[LeftOut], *, as_json: bool) -> None:
    """Print the verdicts, and to standard error the problems that are left out."""
    if as_json:
        typer.echo(json.dumps([_plain(v) for v in verdicts], indent=1, allow_nan=False))
    else:
        from slicebench.cli.console import print_verdicts

        print_verdicts(verdicts)
    for one in apart:
        typer.echo(f"left out: {one.problem} s{one.seed}: {one.why}", err=True)


def _again(verdict: GateVerdict, run: Location | None, root: Path) -> str:
    """Return the command that repeats a check."""
    where = "" if root == Path("leaderboard") else f" --leaderboard {root}"
    if verdict.check == "time":
        return "pytest tests/bench/test_gate.py --benchmark-enable --benchmark-json=b.json && slicebench check --timings b.json"
    if verdict.check == "false alarms":
        return f"slicebench controls --method {verdict.method} --control C0"
    return f"slicebench check{'' if run is None else f' {run}'} --method {verdict.method}{where}"


def _plain(verdict: GateVerdict) -> dict[str, object]:
    estimates = {"difference": verdict.difference.model_dump() if verdict.difference else None}
    moved = [{"problem": m.problem, "difference": m.difference.model_dump()} for m in verdict.moved]
    return {k: v for k, v in vars(verdict).items() if k not in ("difference", "moved")} | estimates | {"moved": moved}
