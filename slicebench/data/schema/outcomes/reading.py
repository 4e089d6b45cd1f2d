"""Decide what task a table's columns describe, and read its outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.data.schema.classes import SHOWN, class_called
from slicebench.data.schema.outcomes.classification import classification, classification_like
from slicebench.data.schema.outcomes.label_sets import holds_sets
from slicebench.data.schema.outcomes.multi_label import multi_label
from slicebench.data.schema.outcomes.outcomes import Outcomes
from slicebench.data.schema.outcomes.regression import ERROR_NAMES, is_regression, regression
from slicebench.data.schema.roles import called
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable


TASKS = ("classification", "regression")
"""Values of the parameter `task`; by default the columns tell."""


def outcomes_of(table: UserTable, roles: Roles, like: Outcomes | None = None) -> Outcomes:
    """Read the outcomes of a table's rows.

    `like` are the outcomes of another table, whose classes and order of probabilities are taken over; labels may be missing
    then, and are -1.

    Raises
    ------
    ConfigError
        for roles that contradict one another.
    DataError
        naming column and row of what is missing or not finite, and both vocabularies where labels and predictions do not match.

    """
    if roles.error not in ERROR_NAMES:
        raise ConfigError(f"{called('error')} is {roles.error!r}; expected {', '.join(ERROR_NAMES)}")
    found = _read(table, roles, like)
    _check_positive(found, roles)
    if roles.correct is not None:
        found.correct = table.yes_or_no(roles.correct)
        _compare_correct(found, roles)
    if roles.loss is not None:
        found.losses = table.numbers(roles.loss)
    return found


def _read(table: UserTable, roles: Roles, like: Outcomes | None) -> Outcomes:
    if roles.task is not None and roles.task not in TASKS:
        raise ConfigError(f"{called('task')} is {roles.task!r}; expected {' or '.join(TASKS)}")
    if roles.one_label is not None and (roles.label is None or not holds_sets(table.frame[roles.label])):
        raise ConfigError(
            f"{called('one_label')} is for rows that have several labels, as lists; no column of the {table.name} "
            "holds such labels"
        )
    if like is not None and like.classes:
        return classification_like(table, roles, like)
    if roles.label is None:
        return Outcomes(task="right and wrong" if roles.correct is not None else "losses")
    if holds_sets(table.frame[roles.label]):
        return multi_label(table, roles)
    if is_regression(table, roles):
        return regression(table, roles)
    return classification(table, roles)


def _check_positive(found: Outcomes, roles: Roles) -> None:
    """Raise `ConfigError` if the positive class that the caller names is none of the classes."""
    if roles.positive is None or not found.classes or class_called(found.classes, roles.positive) is not None:
        return
    known = ", ".join(map(str, found.classes[:SHOWN])) + (", ..." if len(found.classes) > SHOWN else "")
    raise ConfigError(f"{called('positive')} is {roles.positive!r}; expected one of the classes {known}")


def _compare_correct(found: Outcomes, roles: Roles) -> None:
    """Add a note where the column of right and wrong contradicts labels and predictions."""
    if found.labels is None or found.predictions is None or found.correct is None:
        return
    other = int(((found.labels == found.predictions) != found.correct).sum())
    if other:
        found.notes.append(
            f"Column {roles.correct!r} contradicts label and prediction in {other:,} of {len(found.labels):,} rows. "
            f"{roles.correct!r} decides what counts as an error."
        )
