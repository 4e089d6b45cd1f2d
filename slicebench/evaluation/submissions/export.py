"""Export a problem without its truth as plain files, for other tools to score the test split."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slicebench.data.to_frame import split_columns
from slicebench.errors import DataError, StorageError
from slicebench.evaluation.markdown_text import code, in_cell, plain
from slicebench.evaluation.submissions.contents import VERSION
from slicebench.files import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from slicebench.data.problem import Problem
    from slicebench.data.split import Split


FIXED = {
    "id": "name of the example, by which a submission is joined",
    "label": "true class",
    "prediction": "class that the base model predicts",
    "correct": "whether the base model is right",
    "loss": "the base model's loss",
    "text": "the raw text",
    "embedding": "vector of the example",
}


def export_problem(problem: Problem, folder: Path, options: str = "--problem FOLDER") -> dict[str, int]:
    """Write the splits of `problem`, without the truth, to `folder`.

    There is a Parquet file per split, a README.md and a columns.json. The folder appears complete
    or not at all. `options` are the options for the README with which `slicebench evaluate` finds
    the problem, by default the folder of the frozen problem. Returns the number of examples by
    split.

    Raises
    ------
    StorageError
        if the folder exists already, or cannot be written.

    """
    present = problem.splits()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(f"{folder} already exists; give another folder, or delete it")
    try:
        with atomic.folder(folder) as building:
            _write(problem, present, building, options)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error}") from error
    return {name: split.n for name, split in present.items()}


def _write(problem: Problem, splits: dict[str, Split], folder: Path, options: str) -> None:
    columns: dict[str, str] = {}
    for name, split in splits.items():
        table = _table(split, problem.data.class_names)
        columns |= {column: _about(column) for column in table.column_names}
        _write_parquet(table, folder / f"{name}.parquet")
    said = {
        "problem": problem.name,
        "seed": problem.seed,
        "dataset": problem.dataset,
        "dataset_version": problem.dataset_version,
        "encoder": problem.encoder,
        "class_names": list(problem.data.class_names),
        "licence": problem.provenance.licence,
        "source": problem.provenance.source,
        "splits": {name: split.n for name, split in splits.items()},
        "columns": columns,
        "submission_version": VERSION,
    }
    (folder / "columns.json").write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / "README.md").write_text(_readme(problem, splits, columns, options), encoding="utf-8")


def _table(split: Split, class_names: tuple[str, ...]) -> Any:
    """Return a split as an Arrow table.

    Embeddings are one buffer, since a list for each of many examples would take minutes.
    """
    import pyarrow as pa

    columns = {name: pa.array(value) for name, value in split_columns(split, class_names).items()}
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(split.embeddings.ravel()), split.d)
    return pa.table({**columns, "embedding": vectors})


def _write_parquet(table: Any, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(table, path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"cannot write {path.name}: {error}") from error


def _about(column: str) -> str:
    if column in FIXED:
        return FIXED[column]
    if column.startswith("meta_"):
        return f"metadata {column.removeprefix('meta_')!r}"
    return f"the base model's probability of the class {column.removeprefix('p_')!r}"


def _readme(problem: Problem, splits: dict[str, Split], columns: dict[str, str], options: str) -> str:
    counts = "\n".join(f"| `{name}.parquet` | {split.n:,} |" for name, split in splits.items())
    shown = dict(list(columns.items())[:40])
    listed = "\n".join(f"| {in_cell(code(name))} | {plain(about)} |" for name, about in shown.items())
    more = (
        f"\n\n{len(columns) - len(shown)} more columns are described in columns.json."
        if len(columns) > len(shown)
        else ""
    )
    return _README.format(
        name=problem.name,
        seed=problem.seed,
        counts=counts,
        columns=listed + more,
        version=VERSION,
        options=options,
        licence=problem.provenance.licence,
        source=problem.provenance.source,
    )


_README = """# {name}, seed {seed}

A problem of slicebench without its truth. It contains a planted subgroup on which the base model fails. Learn from train
and val, and rate how hard each example of test is.

| file | examples |
| --- | --- |
{counts}

| column | |
| --- | --- |
{columns}

The embeddings are those that slicebench's own methods see. Raw images are not included.

## What to submit

A table (.parquet, .csv, .tsv, .jsonl, .arrow) with one of these, or both:

- scores: a row for each example of test, with `id` and `score` (higher = harder)
- slices: a row for each member, with `id`, `slice` and `rank` (1 = most typical)

For several methods, add a column `method`. Instead of a table, a JSON file may hold `{{"slice": ["id", ...]}}`. This is
version {version} of the format; docs/how-to/scores-from-elsewhere.md describes it.

    slicebench evaluate {options} --scores scores.parquet

Source of the data: {source}. Licence: {licence}.
"""
