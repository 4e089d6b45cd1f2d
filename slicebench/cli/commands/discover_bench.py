"""`slicebench discover-bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.cli.options import method_names
from slicebench.cli.process import told_if_interrupted
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.discovery.benchmark.bench import BenchRow


def discover_bench_command(
    set_name: Annotated[
        str, typer.Option("--set", help="Set of tables: report, or tuning to choose settings.")
    ] = "report",
    finder: Annotated[
        list[str] | None,
        typer.Option(
            help="Finder to run: discover, error_tree, or a peer such as sliceline; repeatable.  [default: discover]"
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Run discover with this registered method; repeatable.", autocompletion=method_names),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of tables, such as tabular or null.  [default: all]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the tables.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Only the first table of each generator.")] = False,
    slow: Annotated[bool, typer.Option("--slow", help="Also the large tables.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="File of the results; rows that it holds are not run again."),
    ] = None,
) -> None:
    """Measure how well slices are found in tables whose causes of errors are known.

    Each table has 1 to 4 planted causes, or none. A finder reports slices, which are compared with
    the causes. Finders are discover itself, discover with another method, a plain error tree, and
    other tools. Environments of other tools are looked for in the folder SLICEBENCH_PEERS.

    \b
    slicebench discover-bench --quick
    slicebench discover-bench --finder discover --finder sliceline --out bench.json
    slicebench discover-bench --set tuning --method domino --kind embedding
    slicebench discover-bench --set tuning --finder sliceline@3
    """
    names = [*(finder or ()), *(f"discover:{name}" for name in method or ())] or ["discover"]
    if out is not None and out.suffix != ".json":
        raise ConfigError(f"--out {out}: the results are JSON; name a file that ends in .json")
    rows = _run(set_name, [*dict.fromkeys(names)], kind=kind, seed=seed, quick=quick, slow=slow, out=out)
    _print(set_name, rows)
    unfinished = [row for row in rows if row.status != "done"]
    for row in unfinished:
        typer.echo(f"{row.status}: {row.finder} on {row.table}: {row.reason}", err=True)
    if any(row.status == "failed" for row in unfinished):
        raise typer.Exit(1)


def _run(
    set_name: str, finders: list[str], *, kind: str | None, seed: int, quick: bool, slow: bool, out: Path | None
) -> list[BenchRow]:
    from slicebench.cli.console import ProgressReport
    from slicebench.discovery.benchmark.bench import run_benchmark

    with told_if_interrupted(kept=out is not None), ProgressReport() as report:
        return run_benchmark(
            set_name, finders, kind=kind, seed=seed, quick=quick, slow=slow, out=out, on_progress=report.count
        )


def _print(set_name: str, rows: list[BenchRow]) -> None:
    from slicebench.cli.console import print_discover_bench
    from slicebench.discovery.benchmark.bench import by_kind, summed_up

    tables = len({row.table for row in rows})
    print_discover_bench(f"Discovery on {tables} tables of the set {set_name}", summed_up(rows), by_kind(rows))
