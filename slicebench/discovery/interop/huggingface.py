"""Hugging Face `datasets`: read a Dataset or DatasetDict, and write findings as columns of a Dataset.

The type of a column decides how it is read. A ClassLabel holds numbers, and its feature has their
names. A list of numbers is a vector. An Image is {"bytes", "path"}; the path is kept if there is such
a file. The splits of a DatasetDict are train, validation and test. The package is not imported here:
only methods of the given objects are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.frames import names_in_lists
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
    """Return a DataFrame of a Dataset, or of all splits of a DatasetDict.

    A DatasetDict gets the column `split`. Classes become words, vectors become arrays, and images
    become the paths of their files, or their encoded bytes if there is no file. Without a column
    `id`, examples are numbered, with the name of the split in front if there are several.

    Parameters
    ----------
    dataset : Dataset, DatasetDict or {split: Dataset}
        Its columns may have any names.
    rename : mapping of column to name, optional
        New names for columns that slicebench expects under other names: {"labels": "label", "img": "image"}.

    Raises
    ------
    DataError
        if a class number has no name, a split is unknown, a renamed column does not exist, or two
        columns would have one name.

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
        Must not have any of these columns.
    found : Found, or the result of `slicebench.discover`
        What a method found.
    id : str, optional
        Column of ids; by default "id" if there is one, else the row numbers.
    method : str, optional
        The method to use; needed if there are several.

    Raises
    ------
    DataError
        if the dataset has one of these columns, or no column `id`. Raises the same errors as
        `slicebench.discovery.interop.found.align`, too.

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
    if (names := names_in_lists(dataset.features[name])) is not None:
        return [None if cell is None else [_class(value, names, name) for value in cell] for cell in values]
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
            f"column {column!r} holds the class number {value}; expected 0 to {len(names) - 1} (-1 means no label: "
            "drop such rows)"
        )
    return names[value]


def _image(cell: dict[str, Any] | None) -> Any:
    if cell is None:
        return None
    path = cell.get("path")
    return path if path and Path(path).is_file() else cell.get("bytes")
