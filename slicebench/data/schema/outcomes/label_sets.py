"""Read several labels a row: lists of labels, or a 0 or 1 for each label (multi-hot)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.frames import CLASS_NAMES
from slicebench.data.schema.roles import called, parameter
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable


LISTS = (list, tuple, set, frozenset, np.ndarray)
THRESHOLD = 0.5


@dataclass(frozen=True)
class LabelSets:
    """The true and predicted labels of each row, and sentences on how they were read."""

    truth: list[set[str]]
    said: list[set[str]]
    notes: tuple[str, ...]


def holds_sets(column: pd.Series[Any]) -> bool:
    """Return True for a column of lists."""
    known = column.dropna()
    return bool(len(known)) and isinstance(known.iloc[0], LISTS)


def label_sets(table: UserTable, label: str, prediction: str, roles: Roles) -> LabelSets:
    """Return the sets of labels; where labels are multi-hot, predictions may be that or a probability for each label.

    Labels that are multi-hot are called by `class_names`, or by their positions from 0.

    Raises
    ------
    DataError
        for a row without a list, and for vectors of two lengths.

    """
    truth = _multi_hot(_lists(table, label))
    if truth is None:
        known = table.frame.attrs.get(CLASS_NAMES, {}).get(label, ())
        return LabelSets(_words(table, label), _by_name(_words(table, prediction), known), ())
    said = _vectors(table, prediction, truth.shape[1], label)
    names = [*map(str, roles.class_names or range(truth.shape[1]))]
    if len(names) != truth.shape[1]:
        raise DataError(
            f"{table.where(label)} has {truth.shape[1]} numbers a row; expected {len(names)}, one for each class name "
            f"({called('class_names')})"
        )
    threshold = THRESHOLD if roles.threshold is None else roles.threshold
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    notes = [f"Column {label!r} has a 0 or 1 for each of {len(names)} labels ({listed})."]
    if not np.isin(said, (0, 1)).all():
        how = parameter("threshold")
        notes.append(f"Column {prediction!r} has a number for each label, predicted from {threshold:.3g} on ({how}).")
    return LabelSets(_named(truth == 1, names), _named(said >= threshold, names), tuple(notes))


def _lists(table: UserTable, name: str) -> list[Any]:
    cells = table.column(name).tolist()
    bad = np.array([not isinstance(cell, LISTS) for cell in cells])
    table.refuse(name, bad, "expected a list of labels in each row")
    return cells


def _words(table: UserTable, name: str) -> list[set[str]]:
    return [{str(one).strip() for one in cell} for cell in _lists(table, name)]


def _by_name(sets: list[set[str]], names: Sequence[str]) -> list[set[str]]:
    """Return predicted class numbers as the names of a Hugging Face Dataset's labels, if none is predicted by name."""
    said = set().union(*sets)
    numbers = {str(number): name for number, name in enumerate(names)}
    if said & {*names} or not said <= {*numbers}:
        return sets
    return [{numbers[one] for one in own} for own in sets]


def _multi_hot(cells: list[Any]) -> NDArray[np.float64] | None:
    """Return vectors of 0 and 1 as an array (n, labels); None for lists of labels.

    A list of labels has no label twice, so [0, 1] in every row is a list of labels.
    """
    if any(isinstance(cell, set | frozenset) for cell in cells) or len({len(cell) for cell in cells}) != 1:
        return None
    values = np.array([[*cell] for cell in cells])
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        return None
    return values.astype(np.float64) if values.shape[1] > 2 or (values[:, 0] == values[:, -1]).any() else None


def _vectors(table: UserTable, name: str, width: int, label: str) -> NDArray[np.float64]:
    """Return a number in [0, 1] for each label of each row, shape (n, width)."""
    cells = _lists(table, name)
    advice = f"expected {width} numbers from 0 to 1 in each row, one for each label of column {label!r}"
    table.refuse(name, np.array([len(cell) != width for cell in cells]), advice)
    try:
        values = np.array([[*cell] for cell in cells], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{table.where(name)} holds {cells[0]!r:.80}; {advice}") from error
    table.refuse(name, np.asarray(((values < 0) | (values > 1) | np.isnan(values)).any(axis=1)), advice)
    return values


def _named(having: NDArray[np.bool_], names: Sequence[str]) -> list[set[str]]:
    return [{names[i] for i in np.flatnonzero(row).tolist()} for row in having]
