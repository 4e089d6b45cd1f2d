"""`slicebench data check`, `slicebench data export` and `slicebench freeze`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from slicebench.cli.options import AsJson, Location, SuiteName, parsed_location
from slicebench.cli.problems import ProblemSeed, ProblemSuite, chosen_problem, options_of


def check_data_command(
    name: Annotated[str, typer.Argument(help="Registered dataset.", metavar="NAME")],
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the data.  [default: where it is expected]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which files of a dataset are there or missing, and how to get them; exit code 1 if it cannot be used.

    \b
    slicebench data check celeba --root ~/data/celeba
    slicebench data check cifar100_superclass --json
    """
    from slicebench.plugins.dataset_status import report_data

    report = report_data(name, root)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=1))
    else:
        from slicebench.cli.console import print_data_report

        print_data_report(report)
    if not report.usable:
        raise typer.Exit(1)


def card_command(
    name: Annotated[str, typer.Argument(help="Registered dataset.", metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Show a dataset's card: what it holds, its groups, where it comes from, its licence, how to cite it.

    With --json, the card is printed in Croissant 1.0 (MLCommons).

    \b
    slicebench data card adult
    slicebench data card glyphs --json > croissant.json
    """
    from slicebench.plugins.dataset_status import card_of, croissant_of

    if as_json:
        typer.echo(json.dumps(croissant_of(name), indent=1, ensure_ascii=False))
        return
    from slicebench.cli.console import print_card

    print_card(name, *card_of(name))


def export_command(
    problem: Annotated[
        str, typer.Argument(help="Problem of the suite, or the folder of a frozen one.", metavar="PROBLEM")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to create.")],
    suite: ProblemSuite = None,
    seed: ProblemSeed = None,
    as_json: AsJson = False,
) -> None:
    """Export a problem without its truth, one Parquet file per split, for use with other tools.

    \b
    slicebench data export scenes-correlation --out scenes
    slicebench data export leaderboard/problems/uci-sentiment.s0 --out reviews
    slicebench evaluate --problem scenes-correlation --scores scores.parquet
    """
    from slicebench.evaluation.submissions import export_problem

    counts = export_problem(chosen_problem(problem, suite, seed), out, options_of(problem, suite, seed))
    if as_json:
        typer.echo(json.dumps({"path": str(out), "splits": counts}, indent=1))
        return
    for name, n in counts.items():
        typer.echo(f"{out / name}.parquet  {n:,} examples")
    typer.echo(f"{out / 'README.md'} describes the columns and what to submit", err=True)


def freeze_command(
    suite: SuiteName = "real",
    out: Annotated[
        Location, typer.Option(parser=parsed_location, metavar="DIR", help="Folder or URL to save the problems to.")
    ] = Path("leaderboard/problems"),
    problem: Annotated[list[str] | None, typer.Option(help="Freeze this problem of the suite; repeatable.")] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Freeze this seed; repeatable.")] = None,
) -> None:
    """Build a suite's problems and save their embeddings, predictions and groups, to run them without the raw data.

    \b
    slicebench freeze --suite real
    slicebench freeze --suite my.toml --problem mine --seed 0 --out problems
    slicebench run --suite real --problems leaderboard/problems
    slicebench freeze --suite real --out s3://bucket/problems
    """
    from slicebench.problems.shelf import freeze
    from slicebench.runs.plan import Filters, plan
    from slicebench.runs.suite import load_suite

    cells = plan(load_suite(suite), Filters(problems=tuple(problem or ()), seeds=tuple(seed or ())))
    planned = {cell.problem.identity: cell.problem for cell in cells}
    total = 0
    for one in planned.values():
        kept = freeze(one, out)
        total += kept.size
        typer.echo(f"{kept.folder}  {kept.size / 1e6:.1f} MB{'' if kept.written else '  (there already)'}")
    typer.echo(f"{len(planned)} problem{'s' * (len(planned) != 1)}, {total / 1e6:.1f} MB", err=True)
