"""Hugging Face `datasets`: a Dataset or DatasetDict as a DataFrame, and findings as columns of a Dataset.

Convention: a column's type says what it is. ClassLabel holds numbers whose names the feature knows, a list of numbers is a
vector, an Image is {"bytes", "path"}, of which the path is kept if there is such a file; the splits of a DatasetDict are train,
validation and test. The package is not imported here: what is passed in brings its own methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.discovery.interop.found import align
from slicebench.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


SPLITS = {
    "train": "train",
    "validation": "val",
    "valid": "val",
    "val": "val",
    "dev": "val",
    "test": "test",
    "pool": "pool",
}


def from_huggingface(dataset: Any, rename: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the DataFrame of a Dataset, or of all splits of a DatasetDict.

    The latter gets the column split.

    Parameters
    ----------
    dataset : Dataset, DatasetDict or {split: Dataset}
        Any columns.
    rename : mapping of column to name, optional
        For columns that slicebench looks for under other names: {"labels": "label", "img": "image"}.

    Classes become words, vectors arrays, images the path of their file, or their encoded bytes where there is none. Without a
    column id the examples are numbered, after the name of the split if there are several.

    Raises
    ------
    DataError
        for a class number without a name, an unknown split, and names of columns that are not there or not distinct.

    """
    import pandas as pd

    if not isinstance(dataset, Mapping):
        return _frame(dataset, rename or {}, "")
    parts = []
    for name, part in dataset.items():
        if name not in SPLITS:
            raise DataError(
                f"the dataset has a split {name!r}; {did_you_mean(str(name), list(SPLITS))}; leave it out or rename it"
            )
        frame = _frame(part, rename or {}, f"{name}-")
        frame["split"] = SPLITS[name]
        parts.append(frame)
    if not parts:
        raise DataError("the dataset has no splits")
    return pd.concat(parts, ignore_index=True)


def to_huggingface(dataset: Any, found: Any, *, id: str | None = None, method: str | None = None) -> Any:  # noqa: A002
    """Return the Dataset with the columns hardness, slices and memberships.

    Hardness is a float; slices are names, the strongest membership first.

    Parameters
    ----------
    dataset : Dataset
        None of these columns in it.
    found : Found, or the result of `slicebench.discover`
        What a method found.
    id : str, optional
        Column of ids; by default "id" if there is one, else the row numbers.
    method : str, optional
        Which of several methods.

    Raises
    ------
    DataError
        if the columns exist already, and for the same reasons as in
        `slicebench.discovery.interop.found.align`.

    """
    names = list(dataset.column_names)
    there = [name for name in ("hardness", "slices", "memberships") if name in names]
    if there:
        raise DataError(f"the dataset has the columns {', '.join(there)} already; remove them first")
    if id is not None and id not in names:
        raise DataError(f"the dataset has no column {id!r}; {did_you_mean(id, names)}")
    column = id or ("id" if "id" in names else None)
    ids = range(len(dataset)) if column is None else dataset[column]
    aligned = align(found, list(ids), method)
    of_rows = aligned.of_rows()
    hardness = [None if np.isnan(value) else value for value in aligned.hardness.tolist()]
    dataset = dataset.add_column("hardness", hardness)
    dataset = dataset.add_column("slices", [[name for name, _ in row] for row in of_rows])
    return dataset.add_column("memberships", [[value for _, value in row] for row in of_rows])


def _frame(dataset: Any, rename: Mapping[str, str], prefix: str) -> pd.DataFrame:
    import pandas as pd

    names = list(dataset.column_names)
    for name in rename:
        if name not in names:
            raise DataError(f"the dataset has no column {name!r}; {did_you_mean(name, names)}")
    new = [rename.get(name, name) for name in names]
    if len(set(new)) < len(new):
        raise DataError(f"two columns would have the same name after renaming: {', '.join(sorted(new))}")
    columns = {new_name: _column(dataset, name) for name, new_name in zip(names, new, strict=True)}
    frame = pd.DataFrame(columns, index=range(len(dataset)))
    if "id" not in frame:
        frame.insert(0, "id", [f"{prefix}{row}" for row in range(len(frame))])
    return frame


def _column(dataset: Any, name: str) -> Any:
    """Return the values of a column.

    Images stay encoded, since decoded ones may not fit into memory.
    """
    kind = type(dataset.features[name]).__name__
    table = dataset.with_format("arrow")[name]
    values = _cells(table)
    if kind == "ClassLabel":
        return [_class(value, dataset.features[name].names, name) for value in values]
    if kind == "Image":
        return [_image(cell) for cell in values]
    numbers = all(isinstance(cell, list) and all(isinstance(x, float | int) for x in cell) for cell in values[:1])
    return [np.asarray(cell) for cell in values] if values and numbers else values


def _cells(column: Any) -> list[Any]:
    """Return the Python values of an Arrow column.

    Newer versions of datasets return columns lazily.
    """
    whole = column if hasattr(column, "to_pylist") else column[:]
    cells: list[Any] = whole.to_pylist()
    return cells


def _class(value: int | None, names: list[str], column: str) -> str | None:
    if value is None:
        return None
    if not 0 <= value < len(names):
        raise DataError(
            f"column {column!r} holds the class number {value}; expected 0 to {len(names) - 1} (-1 is no label: drop those)"
        )
    return names[value]


def _image(cell: dict[str, Any] | None) -> Any:
    if cell is None:
        return None
    path = cell.get("path")
    return path if path and Path(path).is_file() else cell.get("bytes")
