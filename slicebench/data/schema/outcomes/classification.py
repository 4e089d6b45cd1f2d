"""Read a classification: the classes of labels and predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema import classes as vocabulary
from slicebench.data.schema.classes import in_order, listed, matched, tidy
from slicebench.data.schema.frames import CLASS_NAMES
from slicebench.data.schema.kinds import FEW
from slicebench.data.schema.outcomes.outcomes import Outcomes
from slicebench.data.schema.outcomes.probabilities import read_probs, read_score
from slicebench.data.schema.outcomes.regression import numbers_or_none
from slicebench.data.schema.roles import parameter, together
from slicebench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable


def classification(table: UserTable, roles: Roles) -> Outcomes:
    """Read labels, and the predictions or probabilities that are named.

    Raises `DataError` for labels that are no classes, and for predictions that do not match them.
    """
    assert roles.label is not None
    found = Outcomes(task="classification")
    labels = tidy(table.all_words(roles.label))
    _refuse_ids(table, roles.label, labels)
    given = _given_names(table, roles)
    score = _prediction_that_is_a_score(table, roles, labels)
    predictions = None
    if roles.prediction is not None and score is None:
        predictions = tidy(table.all_words(roles.prediction))
        labels, predictions = _named(labels, predictions, given), _named(predictions, labels, given)
        if not roles.class_names:
            both = matched(labels, predictions, (roles.label, roles.prediction))
            labels, predictions = both.labels, both.predictions
            found.notes += [both.note] if both.note else []
    _name_classes(found, table, roles, labels, predictions, given)
    numbers, named = {str(c): i for i, c in enumerate(found.classes)}, bool(roles.class_names)
    found.labels = vocabulary.numbers_of(table, roles.label, labels, numbers, named=named)
    if predictions is not None and roles.prediction is not None:
        found.predictions = vocabulary.numbers_of(table, roles.prediction, predictions, numbers, named=named)
    roles = replace(roles, class_names=given)
    if score is not None:
        read_score(found, table, roles, score)
    elif roles.score is not None:
        read_score(found, table, roles, roles.score)
    elif roles.probs is not None:
        read_probs(found, table, roles)
    return found


def classification_like(table: UserTable, roles: Roles, like: Outcomes) -> Outcomes:
    """Read a classification with the classes of another table; -1 is a missing label."""
    import pandas as pd

    found = Outcomes(task=like.task, classes=like.classes, class_names=like.class_names)
    found.order, found.positive, found.logits = like.order, like.positive, like.logits
    names = pd.Series([str(c) for c in like.classes], dtype="string")
    numbers = {name: i for i, name in enumerate(names)}
    expected = vocabulary.expected(numbers, named=bool(roles.class_names))

    def numbered(column: str, words: pd.Series[Any]) -> NDArray[np.int64]:
        words = _named(words, names, _given_names(table, roles))
        own = vocabulary.class_numbers(matched(names, tidy(words), (column, column), strict=False).predictions, numbers)
        table.refuse(column, (own < 0) & words.notna().to_numpy(dtype=bool), expected)
        return own

    if roles.label is not None:
        found.labels = numbered(roles.label, table.words(roles.label))
    if roles.prediction is not None:
        found.predictions = numbered(roles.prediction, table.all_words(roles.prediction))
    if roles.score is not None:
        read_score(found, table, roles, roles.score)
    elif roles.probs is not None:
        read_probs(found, table, roles)
    found.notes.clear()  # those of the other table say the same
    return found


def _given_names(table: UserTable, roles: Roles) -> tuple[str, ...]:
    """Return the names of classes in the order of their numbers, as the caller or a Hugging Face Dataset gives them."""
    known = table.frame.attrs.get(CLASS_NAMES, {})
    return tuple(map(str, roles.class_names or known.get(roles.label, ())))


def _named(words: pd.Series[Any], others: pd.Series[Any], given: tuple[str, ...]) -> pd.Series[Any]:
    """Return class numbers as the names `given`, if the other column holds names."""
    if not others.isin(given).any() or words.isin(given).any():
        return words
    return words.map({str(number): name for number, name in enumerate(given)}).fillna(words).astype("string")


def _refuse_ids(table: UserTable, name: str, labels: pd.Series[Any]) -> None:
    """Raise `DataError` where nearly every row has a label of its own."""
    distinct = int(labels.nunique())
    if distinct > max(FEW, len(labels) // 2):
        remedy = f"Name another column as label ({parameter('label')})"
        if numbers_or_none(table.frame[name]) is not None:
            both = together(parameter("prediction"), parameter("task", "regression"))
            remedy += f"; or, if they are measured numbers, name the predicted numbers and the task ({both})"
        raise DataError(
            f"{table.where(name)} has {distinct:,} different values in {len(labels):,} rows, such as "
            f"{listed(labels.iloc[:3])}: these are no classes. {remedy}"
        )


def _prediction_that_is_a_score(table: UserTable, roles: Roles, labels: pd.Series[Any]) -> str | None:
    """Return the column of predictions if it holds fractions between 0 and 1 and there are two classes."""
    if roles.prediction is None or roles.has_probabilities or labels.nunique() != 2:
        return None
    said = numbers_or_none(table.frame[roles.prediction])
    if said is None or not (np.floor(said) != said).mean() > 0.5 or said.min() < 0 or said.max() > 1:
        return None
    return roles.prediction


def _name_classes(
    found: Outcomes,
    table: UserTable,
    roles: Roles,
    labels: pd.Series[Any],
    predictions: pd.Series[Any] | None,
    given: tuple[str, ...],
) -> None:
    held = set(labels.unique()) | (set() if predictions is None else set(predictions.unique()))
    if given:
        numbers = in_order(held)
        by_number = isinstance(numbers[0], int) and not held <= set(given)
        found.classes = range(len(given)) if by_number else given
        found.class_names = given
        return
    found.classes = in_order(held | _only_in_columns(table, roles))
    found.class_names = tuple(map(str, found.classes))


def _only_in_columns(table: UserTable, roles: Roles) -> set[str]:
    """Return the classes that columns of probabilities name, p_<class>, and labels may lack."""
    if not isinstance(roles.probs, str) or roles.probs in table.frame:
        return set()
    return {name.removeprefix(roles.probs) for name in table.probability_columns(roles.probs)}
