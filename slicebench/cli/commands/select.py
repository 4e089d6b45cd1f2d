"""`slicebench select`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    roles_given,
)
from slicebench.cli.options import AsJson, method_names
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from slicebench.discovery.selection import Selection


def select_command(
    pool: Annotated[
        Path,
        typer.Option(
            help="Table of the candidates: .parquet, .csv, .tsv, .json, .jsonl, .arrow or .xlsx, or a folder of images with a "
            "metadata.csv.",
            metavar="FILE",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Table of labelled examples; without it, --split marks them in the table of --pool.",
            metavar="FILE",
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="Registered method.", autocompletion=method_names)] = "svm_directions",
    k: Annotated[int, typer.Option(min=1, help="Examples to choose per class.")] = 100,
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .parquet or .jsonl.")] = Path("selected.csv"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite --out.")] = False,
    label: Label = None,
    prediction: Prediction = None,
    probs: Probs = None,
    class_name: ClassNames = None,
    score: Score = None,
    positive: Positive = None,
    threshold: Threshold = None,
    embedding: Embedding = None,
    features: FeatureColumns = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Embeddings of --data in an .npy file, shape (n, d), instead of --embedding.", metavar="FILE"
        ),
    ] = None,
    pool_embeddings: Annotated[
        Path | None, typer.Option(help="Embeddings of --pool in an .npy file, instead of --embedding.", metavar="FILE")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder of images, where tables are folders of images.  [default: pixels-pca]", metavar="NAME"
        ),
    ] = None,
    id_column: IdColumn = None,
    loss: Annotated[str | None, column_of("losses", "none")] = None,
    text: Annotated[str | None, column_of("raw texts, for methods that read them", "none")] = None,
    ignore: Ignored = None,
    keep: Kept = None,
    declined: Declined = None,
    split: Annotated[
        str, typer.Option(help="Column that says train, val, pool or test; only without --data.", metavar="COLUMN")
    ] = "split",
    seed: Annotated[int, typer.Option(min=0, help="Seed that splits --data into train and val, and breaks ties.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Choose the examples of a pool to add or relabel next: each class's hardest, by any method.

    The method is fitted on labelled examples that the model was not trained on. In the pool, labels and losses may be
    missing; the model's prediction is then used as the label.

    \b
    slicebench select --data labelled.parquet --pool pool.parquet \\
        --method svm_directions --k 100
    slicebench select --pool everything.parquet --k 50   one table, its split
    slicebench select --data seen.csv --pool new.csv --label outcome \\
        --probs p_ --features age --features ward
    slicebench select --data seen.csv --pool new.csv --embeddings seen.npy \\
        --pool-embeddings new.npy --out next.jsonl
    """
    from slicebench.data.schema.roles import on_command_line
    from slicebench.discovery.selection import select
    from slicebench.files.tables import WRITTEN, check_out, write_frame

    check_out("--out", out, WRITTEN, force=force)
    if embeddings is not None and data is None:
        raise ConfigError("--embeddings needs --data; with --pool alone, give --pool-embeddings")
    if (embeddings or pool_embeddings) and (embedding or features):
        raise ConfigError("embeddings come from .npy files, from --embedding or from --features; choose one of them")
    if data is not None and (embeddings is None) != (pool_embeddings is None):
        raise ConfigError("--embeddings and --pool-embeddings belong together: give both")
    known = None if data is None else _read(data, embeddings)
    candidates = _read(pool, pool_embeddings)
    typer.echo(f"fitting {method}: {_size(known, candidates)}", err=True)
    given = roles_given(
        declined,
        label=label,
        prediction=prediction,
        probs=one_or_listed(probs),
        class_names=class_name,
        score=score,
        positive=positive,
        threshold=threshold,
        embedding=one_or_listed(embedding),
        features=features,
        id=id_column,
        loss=loss,
        text=text,
        ignore=ignore,
        keep=keep,
    )
    with on_command_line():
        chosen = select(known, candidates, method=method, k=k, seed=seed, split=split, encoder=encoder, **given)
    write_frame(chosen.table, out)
    for note in chosen.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(json.dumps(_plain(chosen, out), indent=1, allow_nan=False) if as_json else _summary(chosen, out))


def _read(path: Path, embeddings: Path | None) -> pd.DataFrame:
    """Read a table, with the vectors of an .npy file as its column "embedding"."""
    from slicebench.data.schema.frames import as_frame
    from slicebench.files.untrusted import mapped_npy

    frame = as_frame(path)
    if embeddings is None:
        return frame
    vectors = mapped_npy(embeddings)
    if vectors.ndim != 2 or len(vectors) != len(frame):
        raise DataError(f"{embeddings} has shape {vectors.shape}; expected ({len(frame)}, d), a row for each of {path}")
    return frame.assign(embedding=list(vectors))


def _size(known: pd.DataFrame | None, pool: pd.DataFrame) -> str:
    if known is None:
        return f"{len(pool):,} rows of all splits"
    return f"{len(known):,} examples of known truth, {len(pool):,} candidates"


def _plain(chosen: Selection, out: Path) -> dict[str, object]:
    """Return what --json prints: the table's path, and each class's summary and ids, hardest first."""
    from dataclasses import asdict

    ids = {name: group["id"].tolist() for name, group in chosen.table.groupby("class")}
    classes = [asdict(one) | {"ids": ids.get(one.name, [])} for one in chosen.classes]
    return {"path": str(out), "classes": classes, "notes": list(chosen.notes)}


def _summary(chosen: Selection, out: Path) -> str:
    head = ("class", "candidates", "no label", "flagged", "strength", "chosen")
    rows = [
        (
            str(one.name),
            f"{one.candidates:,}",
            f"{one.weak:,}",
            "-" if one.flagged is None else f"{one.flagged:,}",
            "-" if one.strength is None else f"{one.strength:.2f}",
            f"{one.chosen:,}",
        )
        for one in chosen.classes
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        f"{row[0]:<{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in (head, *rows)
    ]
    return "\n".join([*lines, f"{len(chosen.table):,} examples in {out}"])
