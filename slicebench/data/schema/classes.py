"""Match the classes of labels, predictions and probabilities, however each is written.

Values are matched only where there is one way to do so; otherwise an error shows both vocabularies.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.roles import called, parameter
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.user_table import UserTable

    Classes = Sequence[str | int]


SHOWN = 6
"""Values of a column that a message shows."""
YES, NO = ("true", "yes", "y", "t", "1", "positive", "pos"), ("false", "no", "n", "f", "0", "negative", "neg")
FOREIGN = 0.5
"""Share of predictions that no label has, from which on the two columns are taken for different things."""


@dataclass(frozen=True)
class Matched:
    """Words of labels and predictions in one vocabulary, and how they were matched in a sentence, if at all."""

    labels: pd.Series[Any]
    predictions: pd.Series[Any]
    note: str | None


def tidy(words: pd.Series[Any]) -> pd.Series[Any]:
    """Return class names without blanks at the ends, in Unicode's composed form (NFC), one space between words."""
    import pandas as pd

    codes, distinct = pd.factorize(words)
    changed = [" ".join(unicodedata.normalize("NFC", str(word)).split()) for word in distinct]
    return pd.Series(pd.array([*changed, None], dtype="string").take(codes), index=words.index)


def matched(
    labels: pd.Series[Any], predictions: pd.Series[Any], names: tuple[str, str], *, strict: bool = True
) -> Matched:
    """Write labels and predictions in one vocabulary; `names` are those of the columns.

    Tried in this order, each for all predicted classes that no label has: whole numbers ("01" is 1), yes and no
    (True is 1), and upper and lower case where no two classes of a column differ by it alone.

    Raises
    ------
    DataError
        if more than half of the predictions are still of no class that a label has, and `strict`. Labels whose classes
        are all predicted are no such case: they have the same vocabulary.

    """
    known = set(labels.dropna().unique())
    for said, rewrite in _REWRITES:
        foreign = set(predictions.dropna().unique()) - known
        if not foreign:
            break
        both = _rewritten(labels, predictions, rewrite)
        if both is not None and _foreign_share(*both) < min(FOREIGN, _foreign_share(labels, predictions)):
            examples = _difference(labels, predictions, known, both)
            return Matched(
                *both,
                f"Columns {names[0]!r} and {names[1]!r} write the classes differently, and are matched {said}: "
                f"{examples}.",
            )
    share = _foreign_share(labels, predictions)
    if share <= FOREIGN or not strict:
        return Matched(labels, predictions, None)
    held = predictions.dropna().unique().tolist()
    if not known <= {*held} or _fractions(held):
        raise DataError(_apart(labels, predictions, names))
    return Matched(
        labels,
        predictions,
        f"{share:.0%} of the predictions are classes that no row has as label "
        f"({listed(predictions[~predictions.isin(known)])}); they count as errors.",
    )


def _foreign_share(labels: pd.Series[Any], predictions: pd.Series[Any]) -> float:
    """Return the share of predictions that no label has."""
    return float((~predictions.isin([*labels.dropna().unique()])).mean())


def _difference(
    labels: pd.Series[Any], predictions: pd.Series[Any], known: set[Any], both: tuple[pd.Series[Any], pd.Series[Any]]
) -> str:
    row = int(np.argmax((~predictions.isin([*known]) & predictions.notna()).to_numpy(dtype=bool)))
    pairs = labels[both[0] == both[1].iloc[row]]
    label = pairs.iloc[0] if len(pairs) else labels.iloc[0]
    return f"label {label!r} is the class that is predicted as {predictions.iloc[row]!r}"


def _rewritten(
    labels: pd.Series[Any], predictions: pd.Series[Any], rewrite: Callable[[str], str]
) -> tuple[pd.Series[Any], pd.Series[Any]] | None:
    """Return both columns with each class rewritten; None if two classes of a column would become one.

    A rewritten class is shown as the labels have it.
    """
    own, other = ({word: rewrite(word) for word in column.dropna().unique()} for column in (labels, predictions))
    if len(set(own.values())) < len(own) or len(set(other.values())) < len(other):
        return None
    shown = {new: word for word, new in own.items()}
    return labels, predictions.map({word: shown.get(new, word) for word, new in other.items()}).astype("string")


def whole_number(word: str) -> str:
    """Return a whole number as it is usually written; any other word as it is.

    >>> whole_number("007"), whole_number("7.0"), whole_number("a7")
    ('7', '7', 'a7')
    """
    found = re.fullmatch(r"([+-]?)0*(\d+)(\.0*)?", word)
    return f"{found[1].replace('+', '')}{found[2]}" if found else word


def _yes_or_no(word: str) -> str:
    plain = whole_number(word).casefold()
    return "yes" if plain in YES else "no" if plain in NO else word


_REWRITES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("as whole numbers", whole_number),
    ("as yes and no", _yes_or_no),
    ("without regard to upper and lower case", lambda word: word.casefold()),
)


def _apart(labels: pd.Series[Any], predictions: pd.Series[Any], names: tuple[str, str]) -> str:
    """Return the message for two vocabularies that do not match, with both."""
    label, prediction = names
    return (
        f"labels and predictions have different classes: column {label!r} holds {listed(labels)}; column "
        f"{prediction!r} holds {listed(predictions)}. "
        f"{_remedy(in_order(labels.dropna().unique()), predictions.dropna().unique().tolist())}"
    )


def _remedy(classes: Classes, said: Sequence[Any]) -> str:
    """Return what to do about predictions `said` of which most are none of the `classes` of the labels."""
    words = not any(isinstance(c, int) for c in classes)
    if words and all(re.fullmatch(r"\d+", str(word)) for word in said):
        if any(int(word) >= len(classes) for word in said):
            return "The predictions are class numbers: replace them by the names of the classes"
        names = [str(c) for c in classes]
        return (
            "The predictions are class numbers: give the names in the order of the numbers, from 0 on "
            f"({parameter('class_names', *names)}, if 0 is {names[0]!r})"
        )
    if _fractions(said) and len(classes) == 2:
        return f"The predictions are no classes: if they are a score, say so ({parameter('score')})"
    if _fractions(said) and not words:
        return (
            f"The predictions are measured numbers: say that this is a regression ({parameter('task', 'regression')})"
        )
    return f"Write them alike, or name other columns ({parameter('label')}, {parameter('prediction')})"


def _fractions(words: Iterable[Any]) -> bool:
    found = [re.fullmatch(r"-?\d*\.\d+([eE][+-]?\d+)?", str(word)) for word in words]
    return any(found) and sum(map(bool, found)) > 0.5 * len(found)


def listed(words: pd.Series[Any]) -> str:
    """Return the distinct values of a column for a message, the most frequent ones."""
    counts = words.value_counts()
    shown = sorted(_short(str(word)) for word in counts.index[:SHOWN])
    return ", ".join(map(repr, shown)) + (f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else "")


def _short(word: str) -> str:
    """Return a word of a message, of a fraction four digits.

    >>> _short("0.123456789"), _short("cat")
    ('0.1235', 'cat')
    """
    return f"{float(word):.4g}" if re.fullmatch(r"-?\d*\.\d{5,}", word) else word[:60]


def in_order(words: Iterable[str]) -> tuple[str | int, ...]:
    """Return classes sorted: whole numbers by size if all are that, others by the alphabet.

    >>> in_order({"10", "9"}), in_order({"cat", "ant"})
    ((9, 10), ('ant', 'cat'))
    """
    distinct = {*words}
    if distinct and all(re.fullmatch(r"0|-?[1-9]\d*", word) for word in distinct):
        return tuple(sorted(map(int, distinct)))
    return tuple(sorted(distinct))


def by_number(classes: Classes) -> tuple[str | int, ...] | None:
    """Return classes in the order of the one whole number that each name ends in; None unless all have one, and a common stem.

    >>> by_number(["class_10", "class_9"])
    ('class_9', 'class_10')
    """
    found = [re.fullmatch(r"(.*?)(\d+)", str(name)) for name in classes]
    if not all(found) or len({one[1] for one in found if one}) != 1:
        return None
    numbers = [int(one[2]) for one in found if one]
    return tuple(classes[i] for i in np.argsort(numbers)) if len({*numbers}) == len(numbers) else None


def named_order(columns: Sequence[str], classes: Classes) -> tuple[int, ...] | None:
    """Return for each class the position of its column, where columns are called after classes: p_cat, p_dog.

    None if a class has no column that ends in its name, or more than one.

    >>> named_order(["p_dog", "p_cat"], ["cat", "dog"])
    (1, 0)
    """
    stem = _stem(columns)
    own = {name.removeprefix(stem): i for i, name in enumerate(columns)}
    at = [own.get(str(c), -1) for c in classes]
    return tuple(at) if len(own) == len(columns) and min(at, default=-1) >= 0 else None


def _stem(columns: Sequence[str]) -> str:
    """Return the longest common beginning that ends in a separator, or nothing."""
    first = min(columns, default="")
    for end in range(len(first), 0, -1):
        if not first[end - 1].isalnum() and all(name.startswith(first[:end]) for name in columns):
            return first[:end]
    return ""


def order_from_predictions(probs: NDArray[Any], predicted: NDArray[Any], n_classes: int) -> tuple[int, ...] | None:
    """Return for each class the column of `probs` (n, C) that is largest where it is predicted; `predicted` are numbers.

    None unless this is one-to-one and holds for 99% of the rows.
    """
    largest = probs.argmax(axis=1)
    table = np.zeros((n_classes, probs.shape[1]), dtype=np.int64)
    np.add.at(table, (predicted, largest), 1)
    best = table.argmax(axis=1)
    kept = int(table[np.arange(n_classes), best].sum())
    if probs.shape[1] != n_classes or len({*best.tolist()}) < n_classes or kept < 0.99 * len(largest):
        return None
    return tuple(best.tolist())


def class_called(classes: Classes, given: str | float) -> int | None:
    """Return the number of the class that a caller names; None if there is no such class, or several.

    1, 1.0, "1.0" and True all name the class "1", and True also names "yes".

    >>> class_called([0, 1], True), class_called(["no", "yes"], 1), class_called(["cat", "dog"], "Dog")
    (1, 1, 1)
    """
    words, said = [str(c) for c in classes], str(given)
    if said in words:
        return words.index(said)
    if re.fullmatch(r"-?\d+\.0+", said):
        said = said.partition(".")[0]
    same = [word for word in words if word.casefold() == said.casefold()]
    for meaning in (YES, NO):
        if not same and said.casefold() in meaning:
            same = [word for word in words if word.casefold() in meaning]
    return words.index(same[0]) if len(same) == 1 else None


def positive_class(classes: Classes, given: str | float | None, where: str) -> int:
    """Return the number of the class that a binary score is about.

    Raises
    ------
    DataError
        for other than two classes, an unknown class, and two words of which none means yes.

    """
    words = [str(c) for c in classes]
    if len(words) != 2:
        raise DataError(
            f"{where} is one score, which is enough for two classes; the labels have {len(words)} "
            f"({', '.join(words[:SHOWN])}{', ...' if len(words) > SHOWN else ''}): name a column of probabilities "
            f"for each class ({parameter('probs')})"
        )
    if given is not None:
        named = class_called(classes, given)
        if named is None:
            raise DataError(
                f"the positive class ({called('positive')}) is {given!r}; expected one of the two labels, "
                f"{' or '.join(words)}"
            )
        return named
    yes = [i for i, word in enumerate(words) if word.casefold() in YES]
    if len(yes) == 1:
        return yes[0]
    if all(isinstance(c, int) for c in classes):
        return 1
    raise DataError(
        f"{where} is the score of one class, and nothing says whether that is {words[0]} or {words[1]}: name the positive "
        f"class ({parameter('positive')})"
    )


def class_numbers(words: pd.Series[Any], classes: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the class number of each word; -1 where it is missing or unknown."""
    return np.asarray(words.map(classes).fillna(-1), dtype=np.int64)


def numbers_of(
    table: UserTable, column: str, words: pd.Series[Any], classes: Mapping[str, int], *, named: bool = False
) -> NDArray[np.int64]:
    """Return the class number of each word of a column; `named` says that the caller named the classes.

    Raises
    ------
    DataError
        naming the first row whose word is no class.

    """
    numbers = class_numbers(words, classes)
    table.refuse(column, numbers < 0, expected(classes, named=named))
    return numbers


def expected(classes: Mapping[str, int], *, named: bool = False) -> str:
    """Return the classes as the end of a message; `named` says that the caller named them."""
    known = f"expected one of the classes {', '.join([*classes][:10])}" + (", ..." if len(classes) > 10 else "")
    return f"{known}; name all classes in {called('class_names')}" if named else known
