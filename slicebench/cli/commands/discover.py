"""`slicebench discover`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.columns import (
    ClassNames,
    Declined,
    Embedding,
    FeatureColumns,
    IdColumn,
    Ignored,
    Kept,
    Label,
    Positive,
    Prediction,
    Probs,
    Score,
    Threshold,
    column_of,
    one_or_listed,
    repeated,
    roles_given,
)
from slicebench.cli.options import AsJson, DeviceName, method_names
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.discovery import Findings
    from slicebench.plugins.method import SliceMethod


def discover_command(
    table: Annotated[
        Path,
        typer.Argument(
            help="Your predictions: .parquet or a folder of such files, .csv, .tsv, .json, .jsonl, .arrow or .xlsx, or a "
            "folder of images with a metadata.csv.",
            metavar="TABLE",
        ),
    ],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="What looks for slices: rules, regions, or a registered method; repeatable.  [default: rules and regions, as "
            "far as the table has columns and vectors for them]",
            autocompletion=method_names,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Parameter of a method, such as domino.n_slices=10; repeatable.", metavar="METHOD.NAME=VALUE"
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Report to write, an .html file with examples of each slice.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Table of each slice's ids to write: .parquet, .csv or .jsonl.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite --html and --out.")] = False,
    label: Label = None,
    prediction: Prediction = None,
    probs: Probs = None,
    class_name: ClassNames = None,
    score: Score = None,
    positive: Positive = None,
    threshold: Threshold = None,
    loss: Annotated[str | None, column_of("losses, for tasks without classes", "found by name, as loss")] = None,
    correct: Annotated[
        str | None, column_of("right and wrong, instead of predictions", "found by name, as correct")
    ] = None,
    id_column: IdColumn = None,
    group: Annotated[
        str | None, column_of("what belongs together, such as patients or videos; tests then count groups", "none")
    ] = None,
    embedding: Embedding = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="File of vectors, instead of --embedding: .npy or .safetensors, shape (n, d).", metavar="FILE"
        ),
    ] = None,
    features: FeatureColumns = None,
    image: Annotated[
        str | None, column_of("images: paths, bytes or Hugging Face images", "found by name or content")
    ] = None,
    image_root: Annotated[
        Path | None,
        typer.Option(help="Folder that the paths in --image are in.  [default: the folder of TABLE]", metavar="DIR"),
    ] = None,
    text: Annotated[str | None, column_of("texts", "found by name or content")] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder of images, texts and --captions; see `slicebench list encoders`.  [default: tfidf for texts, "
            "pixels-pca for images]",
            metavar="NAME",
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        repeated(
            "--metadata", "Column that rules may use; repeatable.  [default: all that are fit and have no other role]"
        ),
    ] = None,
    ignore: Ignored = None,
    keep: Kept = None,
    declined: Declined = None,
    task: Annotated[
        str | None,
        typer.Option(help="classification or regression.  [default: the columns tell]", metavar="TASK"),
    ] = None,
    error: Annotated[
        str, typer.Option(help="What is compared in a regression: absolute, squared, over or under.", metavar="ERROR")
    ] = "absolute",
    one_label: Annotated[
        str | None, typer.Option(help="With several labels a row: look at this one only.", metavar="LABEL")
    ] = None,
    measure: Annotated[
        str,
        typer.Option(
            help="What worse means: rate (errors), fpr, fnr (with --positive), loss, or a column of which higher is worse.",
            metavar="MEASURE",
        ),
    ] = "rate",
    captions: Annotated[
        Path | None, typer.Option(help="Text file of captions to describe slices with, one per line.", metavar="FILE")
    ] = None,
    split: Annotated[str | None, column_of("splits: train, val or test", "found by name, as split")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds and of the methods.")] = 0,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="Exit with 1 if a significant slice is that much worse, gap in percentage points, and that large: gap=10,n=50.",
            metavar="gap=GAP,n=SIZE",
        ),
    ] = None,
    device: DeviceName = None,
    as_json: AsJson = False,
) -> None:
    """Find the slices of your data on which your model does worse, and test each slice on held-out examples.

    The table has a row per example, with a label and a prediction (or probabilities, a score, a loss, or right and wrong). What
    an example looks like is said by a column of vectors, a file of embeddings, images, texts, or simply the other columns. Each
    column's role is found by name and content, and printed first; an option names it, `--no ROLE` says that no column has it.
    Use examples that the model was not trained on.

    \b
    slicebench discover predictions.parquet --html report.html
    slicebench discover predictions.csv --probs p_ --embeddings vectors.npy \\
        --method domino --method george
    slicebench discover reviews.jsonl --text review \\
        --encoder sentence-transformers:all-MiniLM-L6-v2 --out slices.csv
    slicebench discover photos.parquet --image path \\
        --encoder open_clip:ViT-B-32/openai --captions captions.txt \\
        --html report.html
    slicebench discover visits.csv --label outcome --prediction said \\
        --features age --features ward
    slicebench discover ratings.parquet --loss squared_error \\
        --embedding vector --method spotlight
    slicebench discover predictions.csv --fail-on gap=10,n=50
    """
    from slicebench.cli.console import print_findings, print_schema
    from slicebench.data.schema.roles import on_command_line
    from slicebench.discovery import discover
    from slicebench.files.tables import WRITTEN, check_out, write_frame
    from slicebench.models.devices import use_device

    limits = None if fail_on is None else _limits(fail_on)
    for option, path, endings in (("--out", out, WRITTEN), ("--html", html, (".html",))):
        if path is not None:
            check_out(option, path, endings, force=force)
    if device is not None:
        use_device(device)
    given = roles_given(
        declined,
        label=label,
        prediction=prediction,
        probs=one_or_listed(probs),
        class_names=class_name,
        score=score,
        positive=positive,
        threshold=threshold,
        loss=loss,
        correct=correct,
        id=id_column,
        group=group,
        split=split,
        embedding=one_or_listed(embedding),
        embeddings=embeddings,
        features=features,
        image=image,
        image_root=image_root,
        text=text,
        metadata=metadata,
        ignore=ignore,
        keep=keep,
        task=task,
        error=error,
        one_label=one_label,
    )
    with on_command_line():
        found = discover(
            table,
            method=_methods(method, settings or []),
            encoder=encoder,
            captions=captions,
            measure=measure,
            seed=seed,
            on_step=lambda step: typer.echo(f"{step} ...", err=True),
            on_schema=print_schema,
            **given,
        )
    if out is not None:
        write_frame(found.members, out)
    if html is not None:
        found.to_html(html)
    if as_json:
        typer.echo(json.dumps(_plain(found, out, html), indent=1, allow_nan=False))
    else:
        print_findings(found)
    for path in (out, html):
        if path is not None:
            typer.echo(f"written: {path}", err=True)
    if limits is not None and (too_bad := _beyond(found, *limits)):
        typer.echo(f"--fail-on {fail_on}: slice{'s'[: len(too_bad) > 1]} {', '.join(too_bad)} beyond it", err=True)
        raise typer.Exit(1)


def _limits(text: str) -> tuple[float, int]:
    """Read --fail-on: the least gap, and the least size."""
    parts = [part.partition("=")[::2] for part in text.replace(" ", "").split(",")]
    given = dict(parts)
    try:
        gap, size = float(given["gap"]), int(given.get("n", "0"))
    except (KeyError, ValueError):
        gap, size = -1.0, 0
    if not {"gap"} <= {*given} <= {"gap", "n"} or len(given) < len(parts) or not 0 <= gap < math.inf or size < 0:
        raise ConfigError(f"--fail-on {text!r}: expected a gap, and perhaps a size, such as gap=10,n=50")
    return gap, size


def _beyond(found: Findings, gap: float, size: int) -> list[str]:
    """Return the keys of significant slices with at least that gap (percentage points; for losses their unit) and size."""
    unit = 1 if found.examples.wrong is None else 100
    return [one.key for one in found.standing if unit * one.verdict.delta >= gap and one.size >= size]


def _methods(names: list[str] | None, settings: list[str]) -> dict[str, str | SliceMethod] | None:
    """Return the methods, with the parameters that --set gives them."""
    from slicebench.discovery.searches.methods import SEARCHES
    from slicebench.plugins.parameters import parse_settings, read_value
    from slicebench.plugins.registry import METHODS

    params: dict[str, dict[str, Any]] = {name: {} for name in names or []}
    for one in parse_settings(settings):
        if one.plugin not in params or one.plugin in SEARCHES or not one.name:
            known = ", ".join(params) or "none is given"
            raise one.refused(f"expected METHOD.NAME=VALUE, where --method names METHOD ({known})")
        params[one.plugin][one.name] = read_value(METHODS.load(one.plugin), one.plugin, one.name, one.text)
    return {name: name if name in SEARCHES else METHODS.load(name)(**given) for name, given in params.items()} or None


def _plain(found: Findings, out: Path | None, html: Path | None) -> dict[str, object]:
    """Return what --json prints."""
    written = {name: str(path) for name, path in (("out", out), ("html", html)) if path is not None}
    return {
        "verdict": found.verdict,
        "measure": found.measure,
        "facts": asdict(found.facts),
        "slices": json.loads(found.to_frame().to_json(orient="records", double_precision=15)),
        "methods": [
            {"name": m.name, "returned": m.returned, "tested": m.tested, "seconds": m.seconds, "notes": [*m.notes]}
            for m in found.methods
        ],
        "left_out": asdict(found.left_out),
        "notes": [*found.notes],
        "columns": [asdict(one) for one in found.columns],
        "written": written,
    }
