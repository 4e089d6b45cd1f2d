"""The command line: parses and prints. Results go to stdout, progress and errors to stderr.

Exit codes: 0 fine, 1 a cell or check failed, 2 usage, 130 interrupted. Heavy imports stand inside the functions, so that
`slicebench list` and `--help` answer at once.
"""

from __future__ import annotations

# ruff: noqa: FBT002 - typer reads flags from positional parameters with a default
import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench import __version__
from slicebench.errors import ConfigError, SlicebenchError
from slicebench.logs import speak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.method import SliceMethod
    from slicebench.record import Record
    from slicebench.runner import Limits, RunOutcome
    from slicebench.store import Entry, RunStore
    from slicebench.suite import Suite

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Kind(StrEnum):
    """What `slicebench list` can list."""

    methods = "methods"
    datasets = "datasets"
    encoders = "encoders"
    decoders = "decoders"
    suites = "suites"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def main() -> None:
    """Entry point; an error that the user can mend is one message on stderr and exit code 2."""
    speak()
    try:
        app()
    except SlicebenchError as error:
        typer.echo(f"slicebench: {error}", err=True)
        sys.exit(2)


def _version(value: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if value:
        typer.echo(f"slicebench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which slice-discovery method can be trusted? A benchmark with planted subgroups.

    \b
    slicebench run                           the quick suite: about two minutes on two cores
    slicebench run --method domino           one method on it
    slicebench show runs/quick               the table again
    slicebench captions --problem scenes-correlation    a close look at a method's captions
    slicebench list                          methods, datasets, encoders, decoders and suites
    slicebench check-method mine:MyMethod    does a new method keep the contract?
    """  # noqa: D301 - click's mark for text that is not to be wrapped


@app.command("run")
def run_command(
    suite: Annotated[str, typer.Option(help="Packaged suite, or path of a .toml file.")] = "quick",
    method: Annotated[list[str] | None, typer.Option(help="Run this registered method; repeatable.")] = None,
    problem: Annotated[list[str] | None, typer.Option(help="Run this problem of the suite; repeatable.")] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Run this seed; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.  [default: runs/<suite>]")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: all cores]")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per worker process.  [default: 1]")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds per cell and per build.  [default: 1800]")] = None,
    memory_gb: Annotated[
        float | None, typer.Option(help="GiB per cell and per build.  [default: a share of the free memory]")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on a Dask cluster that sees the same cache folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Recompute cells that are done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and why; run nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a suite; what the run folder holds already is not run again.

    \b
    slicebench run
    slicebench run --method svm_directions --method domino --seed 0
    slicebench run --suite my.toml --out runs/mine --jobs 4 --timeout 60
    slicebench run --dry-run
    """  # noqa: D301
    from slicebench.suite import Filters, load_suite, plan

    chosen = load_suite(suite)
    folder = out or Path("runs") / chosen.name
    cells = plan(chosen, Filters(tuple(method or ()), tuple(problem or ()), tuple(seed or ())))
    limits = _limits(scheduler, jobs=jobs, threads=threads, timeout_s=timeout, memory_gb=memory_gb)
    if dry_run:
        _print_plan(cells, folder, force=force, as_json=as_json)
        return
    outcome = _run(chosen, cells, folder, limits, force=force, scheduler=scheduler)
    from slicebench.store import entry_of

    found = {id(cell): record for cell, record in outcome.records}
    _print_results(outcome.store, [(entry_of(cell), found.get(id(cell))) for cell in cells], as_json=as_json)
    _say_how_it_ended(outcome, suite, folder)


@app.command("list")
def list_command(
    kind: Annotated[Kind | None, typer.Argument(help="Only these.")] = None, as_json: AsJson = False
) -> None:
    """List methods, datasets, encoders, decoders and suites, with the state of each plugin.

    \b
    slicebench list
    slicebench list methods --json
    """  # noqa: D301
    kinds = list(Kind) if kind is None else [kind]
    listed = {k: _listed(k) for k in kinds}
    if as_json:
        typer.echo(json.dumps([{"kind": k.value, **item} for k, items in listed.items() for item in items], indent=1))
        return
    for k, items in listed.items():
        typer.echo(f"{k.value}:")
        width = max((len(item["name"]) for item in items), default=0)
        for item in items:
            state = "" if item["status"] == "ok" else f"  {item['status']}"
            about = item.get("description") or item.get("argument") or ", ".join(item["requires"])
            typer.echo(f"  {item['name']:<{width}}  {item['distribution']}  {about}{state}".rstrip())


@app.command("show")
def show_command(
    run: Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN")], as_json: AsJson = False
) -> None:
    """Print the tables of a run folder: every cell asked for so far.

    \b
    slicebench show runs/quick
    """  # noqa: D301
    from slicebench.store import load_run

    found = load_run(run)
    _print_results(found.store, [(e, found.records.get(e.slot)) for e in found.entries], as_json=as_json)


@app.command("captions")
def captions_command(
    problem: Annotated[str, typer.Option(help="Problem of the suite.")],
    method: Annotated[str, typer.Option(help="Registered method.")] = "svm_directions",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the problem.")] = 0,
    suite: Annotated[str, typer.Option(help="Packaged suite, or path of a .toml file.")] = "quick",
    encoder: Annotated[
        list[str] | None, typer.Option(help="Judge the captions in this encoder too; repeatable.")
    ] = None,
    other_seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Hold them against a base model of this seed too; repeatable.")
    ] = None,
    other_arch: Annotated[
        list[str] | None, typer.Option(help="... and of this architecture, such as mlp; repeatable.")
    ] = None,
    decoder: Annotated[
        str | None, typer.Option(help="Make images along the directions: scenes, retrieval, unclip:FOLDER.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder.  [default: runs/captions/<problem>.s<seed>/<method>]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look closely at a method's captions: hits, easy-hard gaps before several judges, pictures.

    \b
    slicebench captions --problem scenes-correlation
    slicebench captions --problem scenes-correlation --method domino --encoder nano-clip:second --other-seed 1
    slicebench captions --problem scenes-correlation --decoder scenes --out runs/look
    """  # noqa: D301
    from slicebench.caption_report import write_report
    from slicebench.frozen import load_problem
    from slicebench.inspection import inspect_captions
    from slicebench.registry import METHODS
    from slicebench.runner import frozen_folder, prepare_problem
    from slicebench.suite import Filters, load_suite, plan

    cell = plan(load_suite(suite), Filters((method,), (problem,), (seed,)))[0]
    built = frozen_folder(cell.problem)
    prepare_problem(cell.problem, built)
    inspection = inspect_captions(
        load_problem(built),
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
    from slicebench.console import print_captions

    print_captions(report)
    typer.echo(f"captions, curves and pictures in {folder}", err=True)


@app.command("check-method")
def check_method_command(
    method: Annotated[str, typer.Argument(help="Registered name, or module:Class.", metavar="METHOD")],
    as_json: AsJson = False,
) -> None:
    """Check a method against the contract; exit code 1 if a check fails.

    \b
    slicebench check-method confidence
    slicebench check-method my_module:MyMethod
    """  # noqa: D301
    from dataclasses import asdict

    from slicebench.testing import check_method

    results = check_method(_method_class(method))
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        for result in results:
            typer.echo(f"{result.status:<8}{result.name}" + (f": {result.message}" if result.message else ""))
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _limits(scheduler: str | None, **given: float | None) -> Limits:
    """Limits from the options given; Dask's workers have limits of their own."""
    from slicebench.runner import Limits

    present: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if scheduler is not None and present:
        raise ConfigError(
            "--jobs, --threads, --timeout and --memory-gb are for local workers; with --scheduler set them on the Dask workers "
            "(`dask worker --nworkers N --memory-limit M`)"
        )
    return Limits(**present)


def _run(
    suite: Suite, cells: Sequence[Any], folder: Path, limits: Limits, *, force: bool, scheduler: str | None
) -> RunOutcome:
    from slicebench.console import ProgressReport
    from slicebench.runner import run

    with ProgressReport() as report:
        return run(suite, list(cells), out=folder, limits=limits, force=force, scheduler=scheduler, on_progress=report)


def _print_plan(cells: Sequence[Any], folder: Path, *, force: bool, as_json: bool) -> None:
    from slicebench.runner import plan_run
    from slicebench.store import RunStore

    planned = plan_run(cells, RunStore(folder), force=force)
    if as_json:
        lines = [
            {**p.entry.model_dump(include={"problem", "seed", "method"}), "action": p.action, "why": p.why}
            for p in planned
        ]
        typer.echo(json.dumps(lines, indent=1))
        return
    from slicebench.console import print_plan

    print_plan(planned)


def _print_results(store: RunStore, cells: Sequence[tuple[Entry, Record | None]], *, as_json: bool) -> None:
    """Print tables, or {"records": [...], "summary": [...]}."""
    from slicebench.summary import summarise

    summary = summarise(store, cells)
    if as_json:
        records = [json.loads(record.model_dump_json()) for _, record in cells if record is not None]
        typer.echo(json.dumps({"records": records, "summary": summary.as_dicts()}, indent=1, allow_nan=False))
        return
    from slicebench.console import print_summary

    print_summary(summary)


def _say_how_it_ended(outcome: RunOutcome, suite: str, folder: Path) -> None:
    """Failures with the commands that reproduce them, on stderr, and the exit code."""
    for cell, record in outcome.failed:
        again = f"--problem {cell.problem.name} --seed {cell.problem.seed} --method {shlex.quote(cell.method)}"
        typer.echo(f"failed: {cell}: {record.reason}", err=True)
        typer.echo(
            f"  again: slicebench run --suite {shlex.quote(suite)} {again} --out {shlex.quote(str(folder))}", err=True
        )
    typer.echo(f"{outcome.computed} cells run, {len(outcome.failed)} failed; records in {folder}", err=True)
    if outcome.interrupted:
        typer.echo(f"interrupted: {outcome.missing} cells are missing; the same command goes on from here", err=True)
        raise typer.Exit(130)
    if outcome.failed:
        raise typer.Exit(1)


def _listed(kind: Kind) -> list[dict[str, Any]]:
    from slicebench.decoding import DECODERS
    from slicebench.encoders import ENCODERS
    from slicebench.registry import DATASETS, METHODS

    registries = {Kind.methods: METHODS, Kind.datasets: DATASETS, Kind.encoders: ENCODERS, Kind.decoders: DECODERS}
    if kind in registries:
        return [info.as_dict() for info in registries[kind].describe()]
    from slicebench.suite import load_suite, suite_names

    described = {name: load_suite(name).description for name in suite_names()}
    shared = {"distribution": "slicebench", "requires": [], "status": "ok"}
    return [{"name": name, **shared, "description": text} for name, text in described.items()]


def _method_class(name: str) -> type[SliceMethod]:
    """Class of a registered name, or of module:Class, also from the current folder."""
    from importlib import import_module

    from slicebench.method import SliceMethod
    from slicebench.registry import METHODS

    if ":" not in name:
        return METHODS.load(name)
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cannot import {name!r}: {error}; expected module:Class") from error
    if not (isinstance(found, type) and issubclass(found, SliceMethod)):
        raise ConfigError(f"{name!r} is not a subclass of slicebench.SliceMethod")
    return found


if __name__ == "__main__":
    main()
