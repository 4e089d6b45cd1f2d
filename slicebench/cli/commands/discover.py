"""`slicebench discover`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import AsJson, DeviceName, FeatureColumns, IdColumn, column_of, method_names, one_or_listed

if TYPE_CHECKING:
    from slicebench.discovery import Findings
    from slicebench.plugins.method import SliceMethod


def discover_command(
    table: Annotated[
        Path, typer.Argument(help="Your predictions: .parquet, .csv, .tsv, .jsonl or .arrow.", metavar="TABLE")
    ],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Registered method; repeatable.  [default: kmeans_errors, tree_rules; for losses spotlight]",
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
    label: Annotated[str | None, column_of("true classes", "label, if there is one")] = None,
    prediction: Annotated[str | None, column_of("predicted classes", "prediction, if there is one")] = None,
    probs: Annotated[
        list[str] | None,
        typer.Option(
            help="Class probabilities: a column of vectors, a prefix (p_ for p_<class>), or one column per class "
            "(repeat the option).  [default: probs, or the prefix p_ or prob_, if there is one]",
            metavar="COLUMN",
        ),
    ] = None,
    class_name: Annotated[
        list[str] | None, typer.Option(help="Names of the classes in the order of --probs; repeatable.", metavar="NAME")
    ] = None,
    loss: Annotated[str | None, column_of("losses, for tasks without classes", "loss, if there is one")] = None,
    correct: Annotated[
        str | None, column_of("right and wrong, instead of predictions", "correct, if there is one")
    ] = None,
    id_column: IdColumn = None,
    embedding: Annotated[str | None, column_of("vectors", "embedding, if there is one")] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="File of vectors, instead of --embedding: .npy or .safetensors, shape (n, d).", metavar="FILE"
        ),
    ] = None,
    features: FeatureColumns = None,
    image: Annotated[
        str | None, column_of("images: paths, bytes or Hugging Face images", "image, if there is one")
    ] = None,
    image_root: Annotated[
        Path | None,
        typer.Option(help="Folder that the paths in --image are in.  [default: the folder of TABLE]", metavar="DIR"),
    ] = None,
    text: Annotated[str | None, column_of("texts", "text, if there is one")] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Encoder of images, texts and --captions; see `slicebench list encoders`.", metavar="NAME"),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            help="Column that rules may use; repeatable.  [default: all other columns of numbers or of few words]",
            metavar="COLUMN",
        ),
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="Text file of captions to describe slices with, one per line.", metavar="FILE")
    ] = None,
    split: Annotated[str | None, column_of("splits: train, val or test", "split, if there is one")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random split and of the methods.")] = 0,
    device: DeviceName = None,
    as_json: AsJson = False,
) -> None:
    """Find the slices of your data on which your model does worse, and test each slice on held-out examples.

    The table has a row per example, with a label and a prediction (or probabilities, a loss, or
    right and wrong). It also needs a description of each example: a column of vectors, a file of
    embeddings, columns that describe it, or images or texts and an encoder. Use examples that the
    model was not trained on.

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
    """
    from slicebench.cli.console import print_findings
    from slicebench.discovery import discover
    from slicebench.files.tables import WRITTEN, check_out, write_frame
    from slicebench.models.devices import use_device

    for option, path, endings in (("--out", out, WRITTEN), ("--html", html, (".html",))):
        if path is not None:
            check_out(option, path, endings, force=force)
    if device is not None:
        use_device(device)
    found = discover(
        table,
        method=_methods(method, settings or []),
        encoder=encoder,
        captions=captions,
        seed=seed,
        on_step=lambda step: typer.echo(f"{step} ...", err=True),
        label=label,
        prediction=prediction,
        probs=one_or_listed(probs),
        class_names=class_name or (),
        loss=loss,
        correct=correct,
        id=id_column,
        split=split,
        embedding=embedding,
        embeddings=embeddings,
        features=features or (),
        image=image,
        image_root=image_root,
        text=text,
        metadata=metadata,
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


def _methods(names: list[str] | None, settings: list[str]) -> dict[str, SliceMethod] | None:
    """Return the methods, with the parameters that --set gives them."""
    from slicebench.plugins.parameters import parse_settings, read_value
    from slicebench.plugins.registry import METHODS

    params: dict[str, dict[str, Any]] = {name: {} for name in names or []}
    for one in parse_settings(settings):
        if one.plugin not in params or not one.name:
            known = ", ".join(params) or "none is given"
            raise one.refused(f"expected METHOD.NAME=VALUE, where --method names METHOD ({known})")
        params[one.plugin][one.name] = read_value(METHODS.load(one.plugin), one.plugin, one.name, one.text)
    return {name: METHODS.load(name)(**given) for name, given in params.items()} or None


def _plain(found: Findings, out: Path | None, html: Path | None) -> dict[str, object]:
    """Return what --json prints."""
    written = {name: str(path) for name, path in (("out", out), ("html", html)) if path is not None}
    return {
        "verdict": found.verdict,
        "measure": found.measure,
        "slices": json.loads(found.to_frame().to_json(orient="records", double_precision=15)),
        "methods": [
            {"name": m.name, "returned": m.returned, "tested": m.tested, "seconds": m.seconds, "notes": [*m.notes]}
            for m in found.methods
        ],
        "notes": [*found.notes],
        "written": written,
    }
