"""Read what the model said of each example and whether it was right: classes, probabilities, scores, numbers, losses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema import classes as vocabulary
from slicebench.data.schema.classes import in_order, listed, matched, tidy
from slicebench.data.schema.frames import CLASS_NAMES
from slicebench.data.schema.kinds import FEW, SAMPLE, numbers_in
from slicebench.data.schema.roles import parameter
from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.roles import Roles
    from slicebench.data.user_table import UserTable

    Classes = Sequence[str | int]
    Floats = NDArray[np.float64]


TASKS = ("classification", "regression")
"""Values of the parameter `task`; by default the columns tell."""
AGREEING = 0.9
"""Share of rows in which the most probable class should be the predicted one; a lower share is reported."""


@dataclass(eq=False, kw_only=True)
class Outcomes:
    """Truth and predictions of n examples, as `from_arrays` takes them; None for what is not known.

    `classes` are as the columns hold them (whole numbers where they are that) and `class_names` the same as text, by class
    number. `errors` (n,) are prediction minus truth in a regression. `order` has the column of probabilities of each class,
    `positive` the class of a binary score, and `logits` says whether they were logits. `notes` are sentences on what was matched
    or assumed.
    """

    task: str
    classes: Classes = ()
    class_names: tuple[str, ...] = ()
    labels: NDArray[np.int64] | None = None
    predictions: NDArray[np.int64] | None = None
    probs: NDArray[np.float32] | None = None
    losses: Floats | None = None
    correct: NDArray[np.bool_] | None = None
    errors: Floats | None = None
    order: tuple[int, ...] = ()
    positive: int | None = None
    logits: bool | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def predicted(self) -> NDArray[np.int64] | None:
        """Predicted class of each example: as given, else the most probable one."""
        if self.predictions is not None or self.probs is None:
            return self.predictions
        most: NDArray[np.int64] = self.probs.argmax(axis=1)
        return most

    def arrays(self) -> dict[str, Any]:
        """Return what `from_arrays` takes of them."""
        return {name: getattr(self, name) for name in ("labels", "predictions", "probs", "losses", "correct")}


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
    found = _read(table, roles, like)
    if roles.correct is not None:
        found.correct = table.yes_or_no(roles.correct)
        _compare_correct(found, roles)
    if roles.loss is not None:
        found.losses = table.numbers(roles.loss)
    return found


def _read(table: UserTable, roles: Roles, like: Outcomes | None) -> Outcomes:
    if roles.task is not None and roles.task not in TASKS:
        raise ConfigError(f"task is {roles.task!r}; expected {' or '.join(TASKS)}")
    if like is not None and like.classes:
        return _classification_like(table, roles, like)
    if roles.label is None:
        return Outcomes(task="right and wrong" if roles.correct is not None else "losses")
    if _holds_sets(table.frame[roles.label]):
        return _multi_label(table, roles)
    if is_regression(table, roles):
        return _regression(table, roles)
    return _classification(table, roles)


def is_regression(table: UserTable, roles: Roles) -> bool:
    """Return True if labels and predictions are measured numbers: fractions, or more than `FEW` different ones.

    Labels of few whole numbers, such as 1 to 5 stars, are classes unless `task` says "regression".
    """
    if roles.task is not None:
        return roles.task == "regression"
    if roles.label is None or roles.prediction is None or roles.has_probabilities:
        return False
    truth, said = (_numbers_or_none(table.frame[name]) for name in (roles.label, roles.prediction))
    if truth is None or said is None:
        return False
    fractions = [bool((np.floor(values) != values).mean() > 0.1) for values in (truth, said)]
    many = len(np.unique(truth)) > FEW
    return many and (any(fractions) or (len(np.unique(said)) > FEW and not _mostly_equal(truth, said)))


def _mostly_equal(truth: Floats, said: Floats) -> bool:
    """Return True if a third of the predictions are exactly right, as those of classes are."""
    return bool((truth == said).mean() > 1 / 3)


def _numbers_or_none(column: pd.Series[Any]) -> Floats | None:
    if column.dtype.kind == "b":
        return None
    known = column.dropna()
    try:
        if numbers_in(known.iloc[:SAMPLE]).isna().any():
            return None
        numbers = numbers_in(known)
    except TypeError:
        return None
    values: Floats = numbers.to_numpy()
    return values if len(values) and np.isfinite(values).all() else None


def _regression(table: UserTable, roles: Roles) -> Outcomes:
    if roles.prediction is None or roles.label is None:
        raise ConfigError("a regression needs the true numbers (label) and the predicted ones (prediction)")
    errors = table.numbers(roles.prediction) - table.numbers(roles.label)
    measures = {"absolute": np.abs(errors), "squared": errors**2, "over": errors, "under": -errors}
    if roles.error not in measures:
        raise ConfigError(f"error is {roles.error!r}; expected {', '.join(measures)}")
    note = (
        f"Columns {roles.label!r} and {roles.prediction!r} hold measured numbers, so this is a regression; "
        "slices are compared by "
        f"the mean {ERROR_NAMES[roles.error]}. For classes say task classification."
    )
    return Outcomes(task="regression", losses=measures[roles.error], errors=errors, notes=[note])


ERROR_NAMES = {
    "absolute": "absolute error",
    "squared": "squared error",
    "over": "error (prediction minus truth)",
    "under": "error (truth minus prediction)",
}
"""What `error` may be, in words."""


def _holds_sets(column: pd.Series[Any]) -> bool:
    known = column.dropna()
    return bool(len(known)) and isinstance(known.iloc[0], list | tuple | set | frozenset | np.ndarray)


def _multi_label(table: UserTable, roles: Roles) -> Outcomes:
    """Compare sets of labels: all of them at once, or the presence of one (`one_label`)."""
    if roles.prediction is None or roles.label is None:
        raise ConfigError(
            f"{table.where(str(roles.label))} holds lists of labels; name a column of predicted lists (prediction)"
        )
    truth, said = (_sets(table, name) for name in (roles.label, roles.prediction))
    every = sorted(set().union(*truth, *said))
    if roles.one_label is not None:
        if roles.one_label not in every:
            raise ConfigError(
                f"no row has the label {roles.one_label!r} ({parameter('one_label', 'LABEL')}); known: {', '.join(every[:20])}"
            )
        own = [np.array([roles.one_label in held for held in sets], dtype=np.int64) for sets in (truth, said)]
        names = (f"no {roles.one_label}", roles.one_label)
        return Outcomes(task="multi-label", classes=names, class_names=names, labels=own[0], predictions=own[1])
    wrong = [held ^ other for held, other in zip(truth, said, strict=True)]
    counts = {label: sum(label in sets for sets in wrong) for label in every}
    most = sorted(every, key=lambda label: -counts[label])[:5]
    note = (
        f"Each row has several labels, {len(every)} in all: a row is right if all of them are. Most often wrong: "
        f"{', '.join(f'{label} ({counts[label]:,})' for label in most)}. To look at one: {parameter('one_label', 'LABEL')}."
    )
    return Outcomes(
        task="multi-label",
        correct=np.array([not one for one in wrong]),
        losses=np.array([len(one) for one in wrong], dtype=np.float64),
        notes=[note],
    )


def _sets(table: UserTable, name: str) -> list[set[str]]:
    cells = table.column(name).tolist()
    bad = np.array([not isinstance(cell, list | tuple | set | frozenset | np.ndarray) for cell in cells])
    table.refuse(name, bad, "expected a list of labels in each row")
    return [{str(one).strip() for one in cell} for cell in cells]


def _classification(table: UserTable, roles: Roles) -> Outcomes:
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
    numbers = {str(c): i for i, c in enumerate(found.classes)}
    found.labels = _numbered(table, roles.label, labels, numbers)
    if predictions is not None and roles.prediction is not None:
        found.predictions = _numbered(table, roles.prediction, predictions, numbers)
    roles = replace(roles, class_names=given)
    if score is not None:
        _read_score(found, table, roles, score)
    elif roles.score is not None:
        _read_score(found, table, roles, roles.score)
    elif roles.probs is not None:
        _read_probs(found, table, roles)
    return found


def _classification_like(table: UserTable, roles: Roles, like: Outcomes) -> Outcomes:
    """Read a classification with the classes of another table; -1 is a missing label."""
    import pandas as pd

    found = Outcomes(task=like.task, classes=like.classes, class_names=like.class_names)
    found.order, found.positive, found.logits = like.order, like.positive, like.logits
    names = pd.Series([str(c) for c in like.classes], dtype="string")
    numbers = {name: i for i, name in enumerate(names)}

    def numbered(column: str, words: pd.Series[Any]) -> NDArray[np.int64]:
        words = _named(words, names, _given_names(table, roles))
        own = vocabulary.class_numbers(matched(names, tidy(words), (column, column), strict=False).predictions, numbers)
        table.refuse(column, (own < 0) & words.notna().to_numpy(dtype=bool), _expected(numbers))
        return own

    if roles.label is not None:
        found.labels = numbered(roles.label, table.words(roles.label))
    if roles.prediction is not None:
        found.predictions = numbered(roles.prediction, table.all_words(roles.prediction))
    if roles.score is not None:
        _read_score(found, table, roles, roles.score)
    elif roles.probs is not None:
        _read_probs(found, table, roles)
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


def _numbered(table: UserTable, name: str, words: pd.Series[Any], numbers: dict[str, int]) -> NDArray[np.int64]:
    own = vocabulary.class_numbers(words, numbers)
    table.refuse(name, own < 0, _expected(numbers))
    return own


def _expected(numbers: dict[str, int]) -> str:
    return f"expected one of the classes {', '.join([*numbers][:10])}" + (", ..." if len(numbers) > 10 else "")


def _refuse_ids(table: UserTable, name: str, labels: pd.Series[Any]) -> None:
    """Raise `DataError` where nearly every row has a label of its own."""
    distinct = int(labels.nunique())
    if distinct > max(FEW, len(labels) // 2):
        raise DataError(
            f"{table.where(name)} has {distinct:,} different values in {len(labels):,} rows, as "
            f"{listed(labels.iloc[:3])}: these are no "
            f"classes. Name another column as label; for a regression name label and prediction, both numbers "
            f"({parameter('task', 'regression')})"
        )


def _prediction_that_is_a_score(table: UserTable, roles: Roles, labels: pd.Series[Any]) -> str | None:
    """Return the column of predictions if it holds fractions between 0 and 1 and there are two classes."""
    if roles.prediction is None or roles.has_probabilities or labels.nunique() != 2:
        return None
    said = _numbers_or_none(table.frame[roles.prediction])
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


def _read_probs(found: Outcomes, table: UserTable, roles: Roles) -> None:
    """Read class probabilities and bring them into the order of the classes."""
    assert roles.probs is not None
    columns = table.probability_columns(roles.probs)
    if not columns:
        raise DataError(f"the {table.name} has no columns that begin with {roles.probs!r} (probs)")
    one = columns[0]
    if len(columns) == 1 and table.holds_numbers(one):
        _read_score(found, table, roles, one)
        return
    if len(columns) == 1:
        values, where = table.vectors(one).astype(np.float64), table.where(one)
        found.order = found.order or _order_of_vectors(found, roles, values, where)
    else:
        values, where = np.stack([table.numbers(name) for name in columns], axis=1), f"probs of the {table.name}"
        found.order = found.order or _order_of_columns(found, roles, columns, values, where)
    _check_width(found, values[:, : max(found.order) + 1], where)
    found.probs = _as_probabilities(found, values[:, list(found.order)], where)
    _compare_predictions(found)


def _order_of_columns(
    found: Outcomes, roles: Roles, columns: Sequence[str], values: Floats, where: str
) -> tuple[int, ...]:
    named = vocabulary.named_order(columns, found.classes)
    if named is None and isinstance(roles.probs, str):  # the whole prefix was named: "p_" for p_1
        named = vocabulary.named_order([name.removeprefix(roles.probs) for name in columns], found.classes)
    if named is not None:
        return named
    _check_width(found, values, where)
    return _checked_order(found, roles, values, where, "as they are listed")


def _order_of_vectors(found: Outcomes, roles: Roles, values: Floats, where: str) -> tuple[int, ...]:
    _check_width(found, values, where)
    in_place = tuple(range(len(found.classes)))
    if roles.class_names or all(isinstance(c, int) for c in found.classes):
        return in_place
    numbered = vocabulary.by_number(found.classes)
    if numbered is not None:
        found.notes.append(
            f"The numbers in {where} are taken in the order of the classes' numbers: {numbered[0]}, {numbered[1]} ..."
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
                    f"The order of the classes in {where} is taken from the predictions; class_names sets another."
                )
            return told
    if roles.class_names:
        return tuple(range(C))
    assert found.labels is not None
    agree = np.zeros((C, C), dtype=np.int64)
    np.add.at(agree, (found.labels, values.argmax(axis=1)), 1)
    best = agree[linear_sum_assignment(agree, maximize=True)].sum()
    if np.trace(agree) < best:
        raise DataError(
            f"nothing says which class each number of {where} belongs to: taken {how}, the most probable class is right in "
            f"{np.trace(agree) / agree.sum():.0%} of the rows, in another order in {best / agree.sum():.0%}; give "
            "the class names in "
            f"the order of the probabilities ({parameter('class_names', 'NAMES')})"
        )
    found.notes.append(
        f"The classes in {where} are taken {how}, which agrees with the labels; class_names sets another order."
    )
    return tuple(range(C))


def _check_width(found: Outcomes, values: Floats, where: str) -> None:
    if values.shape[1] != len(found.classes):
        raise ConfigError(
            f"{where} has {values.shape[1]} numbers for {len(found.classes)} classes "
            f"({', '.join(found.class_names[:10])}); say which class each number belongs to ({parameter('class_names', 'NAMES')})"
        )


def _as_probabilities(found: Outcomes, values: Floats, where: str) -> NDArray[np.float32]:
    """Return probabilities; numbers outside [0, 1] are logits, and go through softmax."""
    from scipy.special import softmax

    from slicebench.data.checks import probs_of

    if found.logits is None:
        found.logits = bool(values.min() < 0 or values.max() > 1 + 1e-3)
    if found.logits:
        found.notes.append(f"{_capital(where)} holds logits, not probabilities: softmax makes them probabilities.")
        values = softmax(values, axis=1)
    return probs_of(where, values, len(values))


def _read_score(found: Outcomes, table: UserTable, roles: Roles, name: str) -> None:
    """Read the score of the positive class of two; without predictions a threshold decides."""
    from scipy.special import expit

    values, where = table.numbers(name), table.where(name)
    threshold = 0.5 if roles.threshold is None else roles.threshold
    if found.logits is None:
        found.logits = bool(values.min() < 0 or values.max() > 1)
    if found.logits:
        found.notes.append(f"{_capital(where)} holds logits, not probabilities: the logistic function makes them that.")
        values = expit(values)
        threshold = 0.5 if roles.threshold is None else float(expit(roles.threshold))
    elif values.min() < 0 or values.max() > 1:
        raise DataError(
            f"{where} has numbers from {values.min():.4g} to {values.max():.4g}; expected probabilities, in [0, 1]"
        )
    positive = found.positive = (
        _positive(found, roles, name, values, where) if found.positive is None else found.positive
    )
    found.probs = np.empty((len(values), 2), dtype=np.float32)
    found.probs[:, positive], found.probs[:, 1 - positive] = values, 1 - values
    if found.predictions is None:
        found.predictions = np.where(values >= threshold, positive, 1 - positive).astype(np.int64)
        found.notes.append(
            f"{_capital(where)} is the score of {found.class_names[positive]!r}, predicted from {threshold:.3g} on "
            f"({parameter('positive', 'CLASS')}, {parameter('threshold', 'NUMBER')})."
        )
    else:
        _compare_predictions(found)


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
            f"The most probable class is the predicted one in only {share:.0%} of the rows. Predictions say what "
            "is wrong; check the "
            f"order of the probabilities ({parameter('class_names', 'NAMES')})."
        )


def _compare_correct(found: Outcomes, roles: Roles) -> None:
    """Add a note where the column of right and wrong contradicts labels and predictions."""
    if found.labels is None or found.predictions is None or found.correct is None:
        return
    other = int(((found.labels == found.predictions) != found.correct).sum())
    if other:
        found.notes.append(
            f"Column {roles.correct!r} contradicts label and prediction in {other:,} of {len(found.labels):,} "
            f"rows; {roles.correct!r} "
            "is what counts."
        )
