"""Read class probabilities, logits and scores of one class, and find which class each number is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.schema import classes as vocabulary
from slicebench.data.schema.roles import called, parameter
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.data.schema.outcomes.outcomes import Outcomes
    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable

    Floats = NDArray[np.float64]


AGREEING = 0.9
"""Share of rows in which the most probable class should be the predicted one; a lower share is reported."""


def read_probs(found: Outcomes, table: UserTable, roles: Roles) -> None:
    """Read class probabilities and bring them into the order of the classes."""
    assert roles.probs is not None
    columns = table.probability_columns(roles.probs)
    if not columns:
        raise DataError(f"the {table.name} has no columns that begin with {roles.probs!r} (named as {called('probs')})")
    one = columns[0]
    if len(columns) == 1 and table.holds_numbers(one):
        read_score(found, table, roles, one)
        return
    if len(columns) == 1:
        values, where = table.vectors(one).astype(np.float64), table.where(one)
        found.order = found.order or _order_of_vectors(found, roles, values, where)
    else:
        values, where = np.stack([table.numbers(name) for name in columns], axis=1), _several(table, columns)
        found.order = found.order or _order_of_columns(found, roles, columns, values, where)
    _check_width(found, values[:, : max(found.order) + 1], where)
    found.probs = _as_probabilities(found, values[:, list(found.order)], where)
    _compare_predictions(found)


def _several(table: UserTable, columns: Sequence[str]) -> str:
    """Return how messages name several columns."""
    return f"columns {', '.join(columns[:4])}{', ...' if len(columns) > 4 else ''} of the {table.name}"


def _order_of_columns(
    found: Outcomes, roles: Roles, columns: Sequence[str], values: Floats, where: str
) -> tuple[int, ...]:
    named = vocabulary.named_order(columns, found.classes)
    if named is None and isinstance(roles.probs, str):  # the whole prefix was named: "p_" for p_1
        named = vocabulary.named_order([name.removeprefix(roles.probs) for name in columns], found.classes)
    if named is not None:
        return named
    _check_width(found, values, where)
    return _checked_order(found, roles, values, where, "in the order in which the columns are listed")


def _order_of_vectors(found: Outcomes, roles: Roles, values: Floats, where: str) -> tuple[int, ...]:
    _check_width(found, values, where)
    in_place = tuple(range(len(found.classes)))
    if roles.class_names or all(isinstance(c, int) for c in found.classes):
        return in_place
    numbered = vocabulary.by_number(found.classes)
    if numbered is not None:
        found.notes.append(
            f"The numbers in {where} are taken in the order of the numbers in the class names: {numbered[0]}, "
            f"{numbered[1]} ..."
        )
        at = {name: i for i, name in enumerate(numbered)}
        return tuple(at[c] for c in found.classes)
    return _checked_order(found, roles, values, where, "in alphabetical order")


def _checked_order(found: Outcomes, roles: Roles, values: Floats, where: str, how: str) -> tuple[int, ...]:
    """Return the order of the predictions where they tell it; else the given one if the labels agree with it best.

    Raises `DataError` if nothing tells the order.
    """
    from scipy.optimize import linear_sum_assignment

    C = len(found.classes)
    if found.predictions is not None:
        told = vocabulary.order_from_predictions(values, found.predictions, C)
        if told is not None:
            if told != tuple(range(C)):
                found.notes.append(
                    f"The order of the classes in {where} is taken from the predictions; {called('class_names')} "
                    "sets another one."
                )
            return told
    if roles.class_names:
        return tuple(range(C))
    assert found.labels is not None
    agree = np.zeros((C, C), dtype=np.int64)
    np.add.at(agree, (found.labels, values.argmax(axis=1)), 1)
    rows, places = linear_sum_assignment(agree, maximize=True)
    best = agree[rows, places].sum()
    if np.trace(agree) < best:
        names = [found.class_names[row] for row in np.argsort(places)]
        raise DataError(
            f"nothing says which class each number of {where} belongs to. If the classes are {how}, the most "
            f"probable one is right in {np.trace(agree) / agree.sum():.0%} of the rows; in the order "
            f"{_shown(names)} it is right in {best / agree.sum():.0%}. Give all class names in the order of the "
            f"numbers ({_in_order(names)})"
        )
    found.notes.append(
        f"The classes of {where} are taken {how}, which agrees with the labels; {called('class_names')} sets "
        "another order."
    )
    return tuple(range(C))


def _check_width(found: Outcomes, values: Floats, where: str) -> None:
    if values.shape[1] != len(found.classes):
        raise ConfigError(
            f"{where}: each row has {values.shape[1]} numbers, but there are {len(found.classes)} classes "
            f"({_shown(found.class_names)}); name a class for each number, in the order of the numbers "
            f"({called('class_names')})"
        )


def _shown(names: Sequence[str]) -> str:
    """Return the first names of several."""
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _in_order(names: Sequence[str]) -> str:
    """Return the parameter that gives class names, with these if they are few."""
    return parameter("class_names", *names) if len(names) <= 10 else called("class_names")


def _as_probabilities(found: Outcomes, values: Floats, where: str) -> NDArray[np.float32]:
    """Return probabilities; numbers outside [0, 1] are logits, and go through softmax."""
    from scipy.special import softmax

    from slicebench.data.checks import probs_of

    if not found.logits and _are_percentages(values):
        found.logits = False
        found.notes.append(f"{_capital(where)}: the numbers are percentages; they are divided by 100.")
        values = values / values.sum(axis=1, keepdims=True)
    if found.logits is None:
        found.logits = bool(values.min() < 0 or values.max() > 1 + 1e-3)
    if found.logits:
        found.notes.append(
            f"{_capital(where)}: the numbers are not all from 0 to 1, so they are taken as logits; softmax turns "
            "them into probabilities."
        )
        values = softmax(values, axis=1)
    return probs_of(where, values, len(values))


def _are_percentages(values: Floats) -> bool:
    """Return True for numbers from 0 that sum to 100 in each row, up to rounding."""
    return bool(values.min() >= 0 and (np.abs(values.sum(axis=1) - 100) <= 1).all())


def read_score(found: Outcomes, table: UserTable, roles: Roles, name: str) -> None:
    """Read the score of the positive class of two; without predictions a threshold decides."""
    from scipy.special import expit

    values, where = table.numbers(name), table.where(name)
    given = values
    if found.logits is None:
        found.logits = bool(values.min() < 0 or values.max() > 1)
        _check_threshold(found, roles, values, where)
    threshold = (0.0 if found.logits else 0.5) if roles.threshold is None else roles.threshold
    if found.logits:
        found.notes.append(
            f"{_capital(where)} has numbers outside 0 to 1, so they are taken as logits; the logistic function "
            "turns them into probabilities."
        )
        values = expit(values)
    elif values.min() < 0 or values.max() > 1:
        raise DataError(
            f"{where} has numbers from {values.min():.4g} to {values.max():.4g}; expected probabilities, from 0 to 1"
        )
    positive = found.positive = (
        _positive(found, roles, name, values, where) if found.positive is None else found.positive
    )
    found.probs = np.empty((len(values), 2), dtype=np.float32)
    found.probs[:, positive], found.probs[:, 1 - positive] = values, 1 - values
    if found.predictions is None:
        found.predictions = np.where(given >= threshold, positive, 1 - positive).astype(np.int64)
        found.notes.append(
            f"{_capital(where)} is taken as the score of {found.class_names[positive]!r}, which is predicted "
            f"where the score is {threshold:.3g} or more; {called('positive')} and {called('threshold')} change that."
        )
    else:
        _compare_predictions(found)


def _check_threshold(found: Outcomes, roles: Roles, values: Floats, where: str) -> None:
    """Raise an error where the threshold would make one class of all rows."""
    low, high, cut = float(values.min()), float(values.max()), roles.threshold
    if not found.logits and cut is not None and not 0 <= cut <= 1:
        raise ConfigError(
            f"{called('threshold')} is {cut:g}, but {where} holds probabilities, from {low:.3g} to {high:.3g}; "
            "expected a number from 0 to 1"
        )
    if found.logits and low >= 0 and cut is None and found.predictions is None:
        raise DataError(
            f"{where} has numbers from {low:.3g} to {high:.3g}, which are no probabilities (0 to 1), and no "
            "logits (some of which are negative); say from which number on the positive class is predicted "
            f"({parameter('threshold')})"
        )


def _positive(found: Outcomes, roles: Roles, name: str, values: Floats, where: str) -> int:
    """Return the class that a score is about; its name (p_cat) tells it, or predictions where the classes' names do not."""
    said = found.predictions
    own = [i for i, c in enumerate(found.class_names) if re.fullmatch(rf".*[_.\- ]{re.escape(c)}", name)]
    if roles.positive is None and len(found.classes) == 2 and len(own) == 1:
        return own[0]
    try:
        return vocabulary.positive_class(found.classes, roles.positive, where)
    except DataError:
        if roles.positive is not None or len(found.classes) != 2 or said is None or len(np.unique(said)) < 2:
            raise
    return int(values[said == 1].mean() > values[said == 0].mean())


def _capital(where: str) -> str:
    """Return a place as the beginning of a sentence."""
    return f"{where[0].upper()}{where[1:]}"


def _compare_predictions(found: Outcomes) -> None:
    """Add a note where the most probable class is often another than the predicted one."""
    if found.predictions is None or found.probs is None:
        return
    share = float((found.probs.argmax(axis=1) == found.predictions).mean())
    if share < AGREEING:
        found.notes.append(
            f"The most probable class is the predicted one in only {share:.0%} of the rows. The column of "
            "predictions decides what counts as an error. Check the order of the probabilities "
            f"({called('class_names')})."
        )
