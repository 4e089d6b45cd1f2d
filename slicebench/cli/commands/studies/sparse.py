"""`slicebench sparse`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from slicebench.cli.options import AsJson, SuiteName


def sparse_command(
    problem: Annotated[str, typer.Option(help="Problem of the suite.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the problem.")] = 0,
    suite: SuiteName = "standard",
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder of the features, instead of the problem's own; own-latent is the base model's last layer."
        ),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(metavar="ENCODER", help="Describe image features by captions in this encoder's space."),
    ] = None,
    drop: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Accuracy that the layer may lose against the best of the path.  [default: 0.02]"
        ),
    ] = None,
    per_class: Annotated[
        float | None,
        typer.Option(
            "--features",
            min=0,
            help="Choose the best layer with at most this many features per class, instead of --drop.",
        ),
    ] = None,
    grouped: Annotated[bool, typer.Option("--grouped", help="Use a feature for all classes or for none.")] = False,
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            help="Also show the layer without this feature (a number) or the features that a word describes; repeatable."
        ),
    ] = None,
    words: Annotated[int, typer.Option(min=1, help="Number of words or captions that describe a feature.")] = 5,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Output folder.  [default: runs/sparse/<problem>.s<seed>]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a sparse decision layer to a problem's features, and show what its few features are and what each one does.

    \b
    slicebench sparse --problem scenes-correlation --encoder own-latent \\
        --captions nano-clip
    slicebench sparse --problem scenes-correlation --features 3 --ablate red
    slicebench sparse --suite real --problem bias-madlibs --drop 0 \\
        --ablate gay --ablate lesbian
    """
    from slicebench.cli.console import ProgressReport, print_sparse
    from slicebench.problems.cache import built_problem
    from slicebench.runs.plan import problem_of
    from slicebench.runs.suite import load_suite
    from slicebench.studies.sparse.inspection import class_features, features_named, study
    from slicebench.studies.sparse.output import write_report

    chosen = load_suite(suite)
    built = built_problem(problem_of(chosen, problem, seed, encoder))
    captioned = None if captions is None else built_problem(problem_of(chosen, problem, seed, captions))
    with ProgressReport() as bar:
        shown = bar.count if bar.terminal else None
        studied = study(built, drop=drop, features=per_class, grouped=grouped, on_progress=shown)
    found = class_features(studied, words=words, captioned=captioned)
    folder = out or Path("runs") / "sparse" / f"{problem}.s{seed}"
    report = write_report(studied, found, features_named(found, ablate or ()), folder)
    if as_json:
        typer.echo(json.dumps(report, indent=1, allow_nan=False))
        return
    print_sparse(report)
    typer.echo(f"path, features and pictures in {folder}", err=True)
