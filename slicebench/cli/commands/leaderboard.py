"""`slicebench leaderboard build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.cli.options import AsJson, Location, method_names, parsed_location
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.results.board import ControlBoard
    from slicebench.results.leaderboard.gate import Verdict
    from slicebench.results.leaderboard.settings import Tolerances
    from slicebench.results.leaderboard.store import LeaderboardStore
    from slicebench.runs.store import Run
    from slicebench.runs.suite import Suite


def build_command(
    root: Annotated[Path, typer.Argument(help="Folder of the leaderboard.", metavar="DIR")] = Path("leaderboard"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with 1 if what is there differs from what would be built."),
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
            typer.echo(f"{root / name} is not what `slicebench leaderboard build` makes of the records", err=True)
        raise typer.Exit(1 if changed else 0)
    for name, text in built.items():
        write_text(root / name, text)
        typer.echo(f"{root / name}: {len(text.encode()):,} bytes{'' if name in changed else ', unchanged'}", err=True)


def check_command(
    run: Annotated[
        Location | None,
        typer.Argument(
            parser=parsed_location,
            help="Run folder to judge, or its URL.  [default: run the golden problems now]",
            metavar="[RUN]",
        ),
    ] = None,
    leaderboard: Annotated[Path, typer.Option(help="Folder of the baseline.")] = Path("leaderboard"),
    method: Annotated[
        list[str] | None, typer.Option(help="Check this method only; repeatable.", autocompletion=method_names)
    ] = None,
    controls: Annotated[
        Location | None,
        typer.Option(
            parser=parsed_location, metavar="FILE", help="controls.json of `slicebench controls`, to judge too."
        ),
    ] = None,
    timings: Annotated[
        Path | None, typer.Option(help="JSON of `pytest tests/bench/test_gate.py`, to judge too.")
    ] = None,
    out: Annotated[
        Location,
        typer.Option(parser=parsed_location, metavar="DIR", help="Run folder of the golden problems, or its URL."),
    ] = Path("runs/check"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    update: Annotated[bool, typer.Option("--update", help="Make this the baseline; needs --reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why the baseline changes; goes into updates.jsonl.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare results with the committed leaderboard; exit code 1 if a method got worse.

    Without RUN the golden problems are run with the code as it is now. Exact methods must repeat their scores; the others
    fail when they certainly lose more nAMF than `tolerances.toml` allows, and are warned of when they may.

    \b
    slicebench check                                    golden problems, this code
    slicebench check --method svm_directions
    slicebench check runs/standard                      a finished run of a suite
    slicebench check runs/standard --update --reason "Domino starts from k-means"
    """
    from slicebench.results.leaderboard.settings import load_tolerances

    if update and not (reason and reason.strip()):
        raise ConfigError("--update rewrites the baseline; say why with --reason")
    tolerances = load_tolerances(leaderboard)
    found = None
    if run is not None or (controls is None and timings is None):
        if run is None and not update:
            _baseline(leaderboard, _golden_suite(leaderboard, tolerances))  # there is none: said before a minute's work
        found = _loaded(run, tuple(method or ())) if run else _golden(leaderboard, tolerances, method, out, jobs)
    if update:
        _update(leaderboard, tolerances, found, controls, timings, str(reason))
        return
    verdicts = _verdicts(leaderboard, tolerances, found, controls, timings)
    if as_json:
        typer.echo(json.dumps([_plain(v) for v in verdicts], indent=1, allow_nan=False))
    else:
        from slicebench.cli.console import print_verdicts

        print_verdicts(verdicts)
    failed = [v for v in verdicts if v.status == "fail"]
    for verdict in failed:
        typer.echo(f"failed: {verdict.method}: {verdict.why}\n  again: {_again(verdict, run, leaderboard)}", err=True)
    raise typer.Exit(1 if failed else 0)


def _loaded(folder: Location, methods: tuple[str, ...]) -> Run:
    from dataclasses import replace

    from slicebench.runs.store import load_run

    found = load_run(folder)
    kept = tuple(entry for entry in found.entries if not methods or entry.method in methods)
    if not kept:
        raise ConfigError(f"{folder} holds no cell of {', '.join(methods)}; it has {', '.join(found.suite.methods)}")
    return replace(found, entries=kept)


def _golden(root: Path, tolerances: Tolerances, method: list[str] | None, out: Location, jobs: int | None) -> Run:
    """Run the golden problems with the code as it is: nothing is resumed, and no model comes from the cache."""
    import os
    import tempfile

    from slicebench.cli.console import ProgressReport
    from slicebench.runs.plan import Filters, plan, ready
    from slicebench.runs.runner import run
    from slicebench.runs.tasks import Limits

    suite, shelf = _golden_suite(root, tolerances), root / tolerances.golden.problems
    cells = ready(plan(suite, Filters(methods=tuple(method or ()))), shelf)
    limits = Limits() if jobs is None else Limits(jobs=jobs)
    with tempfile.TemporaryDirectory() as cache, ProgressReport() as report:
        kept, os.environ["SLICEBENCH_CACHE"] = os.environ.get("SLICEBENCH_CACHE"), cache
        try:
            there = shelf if shelf.is_dir() else None
            outcome = run(suite, cells, out=out, limits=limits, force=True, problems=there, on_progress=report)
        finally:
            del os.environ["SLICEBENCH_CACHE"]
            if kept is not None:
                os.environ["SLICEBENCH_CACHE"] = kept
    if outcome.interrupted:
        raise typer.Exit(130)
    return _loaded(out, tuple({cell.method for cell in cells}))


def _golden_suite(root: Path, tolerances: Tolerances) -> Suite:
    """A packaged suite, or a file beside the tolerances."""
    from slicebench.runs.suite import load_suite

    asked = tolerances.golden.suite
    return load_suite(str(root / asked) if asked.endswith(".toml") else asked)


def _baseline(root: Path, suite: Suite) -> LeaderboardStore:
    from slicebench.results.leaderboard.store import LeaderboardStore

    return LeaderboardStore(root / suite.name)


def _verdicts(
    root: Path, tolerances: Tolerances, found: Run | None, controls: Location | None, timings: Path | None
) -> list[Verdict]:
    from slicebench.results.leaderboard.gate import check_controls, check_scores, check_times
    from slicebench.results.leaderboard.timing import load_ratios
    from slicebench.runs.outcomes import RunOutcomes

    verdicts: list[Verdict] = []
    if found is not None:
        verdicts += check_scores(RunOutcomes(found.store, found.cells), _baseline(root, found.suite), tolerances)
    if controls is not None:
        verdicts += check_controls(_read_controls(controls), tolerances)
    if timings is not None:
        verdicts += check_times(load_ratios(timings), load_ratios(root / "timings.json"), tolerances)
    return verdicts


def _read_controls(path: Location) -> ControlBoard:
    from slicebench.results.leaderboard.settings import load_controls

    found = load_controls(path)
    if found is None:
        raise ConfigError(f"there is no {path}; `slicebench controls` writes it")
    return found


def _update(
    root: Path, tolerances: Tolerances, found: Run | None, controls: Location | None, timings: Path | None, reason: str
) -> None:
    """Rewrite what was given, note why, and generate the leaderboard again."""
    from datetime import UTC, datetime

    from slicebench.files.atomic import write_text
    from slicebench.files.json_models import save_model
    from slicebench.results.leaderboard.settings import Update, note_update
    from slicebench.results.leaderboard.store import write_outcomes
    from slicebench.results.leaderboard.timing import load_ratios, save_ratios
    from slicebench.runs.outcomes import RunOutcomes

    today = datetime.now(UTC).date().isoformat()
    if found is not None:
        methods = tuple(dict.fromkeys(entry.method for entry in found.entries))
        golden = found.suite.name == _golden_suite(root, tolerances).name
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
        from slicebench.results.leaderboard.build import build

        for name, text in build(root).items():
            write_text(root / name, text)
    typer.echo(f"{root} updated: {reason}", err=True)


def _again(verdict: Verdict, run: Location | None, root: Path) -> str:
    """Command that shows the same again."""
    where = "" if root == Path("leaderboard") else f" --leaderboard {root}"
    if verdict.check == "time":
        return "pytest tests/bench/test_gate.py --benchmark-enable --benchmark-json=b.json && slicebench check --timings b.json"
    if verdict.check == "false alarms":
        return f"slicebench controls --method {verdict.method} --control C0"
    return f"slicebench check{'' if run is None else f' {run}'} --method {verdict.method}{where}"


def _plain(verdict: Verdict) -> dict[str, object]:
    estimates = {"difference": verdict.difference.model_dump() if verdict.difference else None}
    moved = [{"problem": m.problem, "difference": m.difference.model_dump()} for m in verdict.moved]
    return {k: v for k, v in vars(verdict).items() if k not in ("difference", "moved")} | estimates | {"moved": moved}
