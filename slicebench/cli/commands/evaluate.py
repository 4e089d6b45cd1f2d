"""`slicebench evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import AsJson
from slicebench.cli.problems import ProblemSeed, ProblemSuite, chosen_problem

if TYPE_CHECKING:
    from slicebench.evaluation.submissions import Evaluation


def evaluate_command(
    problem: Annotated[str, typer.Option(help="Problem of the suite, or the folder of a frozen one.", metavar="NAME")],
    scores: Annotated[
        list[Path],
        typer.Option(
            help="Submission: .parquet (also a folder of such files), .csv, .tsv, .json, .jsonl (also as .gz), .arrow or .xlsx; "
            "repeatable.",
            metavar="FILE",
        ),
    ],
    suite: ProblemSuite = None,
    seed: ProblemSeed = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write what --json prints to this file.", metavar="FILE")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score the results of other tools with the metrics of `slicebench run`, next to chance and a random ranking.

    A submission gives each test example a score (higher is harder), or lists the members of slices,
    or both. `slicebench data export` writes the examples without the truth; docs/how-to/scores-from-elsewhere.md
    describes the format. Columns that are not used are listed first.

    \b
    slicebench data export scenes-correlation --out scenes
    slicebench evaluate --problem scenes-correlation --scores scores.parquet
    slicebench evaluate --problem scenes-correlation --seed 1 \\
        --scores mine.csv --scores theirs.json --out records.json
    slicebench evaluate --problem leaderboard/problems/uci-sentiment.s0 \\
        --scores slices.json
    """
    from slicebench.evaluation.submissions import evaluate_submissions, read_submissions
    from slicebench.files.atomic import write_text
    from slicebench.files.tables import check_out

    if out is not None:
        check_out("--out", out, (".json",), force=force)
    submissions = [
        one for path in scores for one in read_submissions(path)
    ]  # before a problem is built, which may take minutes
    for line in dict.fromkeys(f"{one.where}: {note}" for one in submissions for note in one.notes):
        typer.echo(line, err=True)
    found = evaluate_submissions(submissions, chosen_problem(problem, suite, seed))
    said = json.dumps(_plain(found), indent=1, allow_nan=False, ensure_ascii=False)
    if out is not None:
        write_text(out, said)
    if as_json:
        typer.echo(said)
    else:
        from slicebench.cli.console import print_evaluation

        print_evaluation(found)
    if out is not None:
        typer.echo(f"records in {out}", err=True)


def _plain(found: Evaluation) -> dict[str, Any]:
    """Return records as `slicebench run` writes them, and the interval of each nAMF."""
    rows = [
        {
            "record": row.record.model_dump(mode="json"),
            "namf": None if row.namf is None else row.namf.model_dump(mode="json"),
        }
        for row in found.rows
    ]
    kinds = [row.reference for row in found.rows]
    return {
        "problem": found.problem,
        "seed": found.seed,
        "n_test": found.n_test,
        "submissions": [row for row, reference in zip(rows, kinds, strict=True) if not reference],
        "reference": next(row for row, reference in zip(rows, kinds, strict=True) if reference),
    }
