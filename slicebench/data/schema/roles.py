"""Find the role of each column: by what the caller names, by the field's usual names, and by what the column holds.

To add a usual name, add it to `USUAL`.
"""

from __future__ import annotations

import json
import re
import shlex
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from slicebench.data.columns import AUTO, ROLES
from slicebench.data.schema.kinds import KINDS, numbers_in
from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import ArrayLike

    from slicebench.data.columns import Columns
    from slicebench.data.schema.user_table import UserTable


USUAL: dict[str, tuple[str, ...]] = {
    "label": (
        "label", "labels", "y_true", "true_label", "true_class", "target", "targets", "ground_truth", "gt", "gold", "gold_label",
        "truth", "actual", "y", "class_label",
    ),
    "prediction": (
        "prediction", "predictions", "pred", "preds", "predicted", "y_pred", "y_hat", "yhat", "predicted_label",
        "predicted_class", "pred_label", "pred_class", "model_prediction", "model_output",
    ),
    "probs": ("probs", "probabilities", "proba", "pred_probs", "predict_proba", "logits", "softmax"),
    "score": ("score", "scores", "y_score", "y_prob", "y_proba", "prob", "probability", "positive_score"),
    "loss": ("loss", "losses", "nll", "cross_entropy", "log_loss"),
    "correct": ("correct", "is_correct", "matched", "exact_match", "acc", "hit"),
    "id": ("id", "ids", "example_id", "sample_id", "row_id", "uid", "uuid", "guid", "doc_id"),
    "split": ("split", "subset", "partition", "fold"),
    "embedding": ("embedding", "embeddings", "emb", "vector", "vectors", "embed"),
    "image": ("image", "img", "image_path", "img_path", "photo", "picture"),
    "text": ("text", "texts", "sentence", "review", "comment", "document", "question", "prompt"),
}  # fmt: skip
"""Names by which a role is found, the usual one first; case, blanks, dots and hyphens do not matter."""
PREFIXES = ("p_", "prob_", "proba_", "probs_", "probability_")
"""Prefixes of probability columns that are found without being named."""
CONFIDENCE = ("confidence", "conf", "max_prob", "pred_prob", "prediction_confidence")
"""Names of the model's confidence in its prediction: an output of the model, so that no rule is made of it."""
UNHASHABLE = ("tags", "vectors", "structures", "images", "other objects")
"""Kinds whose values cannot be counted: they are no classes, and no ids."""
LEAST_DIMENSIONS = 16
"""Numbered columns of numbers, e0 to e15, from which on they are found to be an embedding."""
OPTIONS = {"class_names": "class-name"}
"""Options of the command line that are not called as their parameter."""
LISTS = ("features", "metadata", "ignore", "keep", "class_names")
"""Parameters that take a list in Python, and an option that is repeated on the command line."""
STANDS_FOR = {
    "embeddings": "FILE", "image_root": "FOLDER", "positive": "CLASS", "threshold": "NUMBER", "one_label": "LABEL",
}  # fmt: skip
"""Words that stand for the value of a parameter in messages, where that is not a column."""
PLACEHOLDERS = frozenset({"COLUMN", *STANDS_FOR.values()})
_ON_COMMAND_LINE: ContextVar[bool] = ContextVar("on_command_line", default=False)


@contextmanager
def on_command_line() -> Iterator[None]:
    """Let messages name options (--label) instead of parameters (label=...)."""
    token = _ON_COMMAND_LINE.set(True)
    try:
        yield
    finally:
        _ON_COMMAND_LINE.reset(token)


def parameter(name: str, *values: str) -> str:
    """Return a parameter as the caller writes it, with values or with the word that stands for one.

    >>> parameter("label"), parameter("group", "ward"), parameter("keep", "hour")
    ('label=COLUMN', 'group="ward"', 'keep=["hour"]')
    >>> with on_command_line():
    ...     parameter("threshold"), parameter("class_names", "cat", "sea lion")
    ('--threshold NUMBER', "--class-name cat --class-name 'sea lion'")
    """
    given = values or (STANDS_FOR.get(name, "COLUMN"),)
    if _ON_COMMAND_LINE.get():
        return " ".join(f"{_option(name)} {shlex.quote(value)}" for value in given)
    words = [value if value in PLACEHOLDERS and name not in LISTS else _quoted(value) for value in given]
    return f"{name}=[{', '.join(words)}]" if name in LISTS else f"{name}={words[0]}"


def declined(role: str) -> str:
    """Return how the caller says that no column has a role.

    >>> declined("label")
    'label=None'
    """
    return f"--no {role}" if _ON_COMMAND_LINE.get() else f"{role}=None"


def together(*parts: str) -> str:
    """Return several of `parameter` and `declined` as the caller writes them in one call."""
    return (" " if _ON_COMMAND_LINE.get() else ", ").join(parts)


def called(name: str) -> str:
    """Return the name of a parameter as the caller knows it: label, or --label."""
    return _option(name) if _ON_COMMAND_LINE.get() else name


def _option(name: str) -> str:
    return f"--{OPTIONS.get(name, name).replace('_', '-')}"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The columns of each role; None and () where no column has it. `found` names the roles that the caller did not."""

    label: str | None = None
    prediction: str | None = None
    probs: str | Sequence[str] | None = None
    class_names: Sequence[str] = ()
    score: str | None = None
    positive: str | float | None = None
    threshold: float | None = None
    loss: str | None = None
    correct: str | None = None
    id: str | None = None
    group: str | None = None
    split: str | None = None
    embedding: tuple[str, ...] = ()
    embeddings: ArrayLike | str | Path | None = None
    features: tuple[str, ...] | None = None
    image: str | ArrayLike | None = None
    image_root: str | Path | None = None
    text: str | None = None
    metadata: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    task: str | None = None
    error: str = "absolute"
    one_label: str | None = None
    found: frozenset[str] = frozenset()

    @property
    def has_probabilities(self) -> bool:
        """True if a column of probabilities or a score is named."""
        return self.probs is not None or self.score is not None

    def taken(self, table: UserTable) -> dict[str, str]:
        """Return the role of each column that has one, other than features and metadata."""
        single = ("label", "prediction", "score", "loss", "correct", "id", "group", "split", "text")
        out = {getattr(self, role): role for role in single if getattr(self, role) is not None}
        out |= dict.fromkeys(table.probability_columns(self.probs), "probs")
        out |= dict.fromkeys(self.embedding, "embedding")
        return out | ({self.image: "image"} if isinstance(self.image, str) else {})


def plain(name: object) -> str:
    """Return a column name for comparison: lower case, with "_" for everything that separates words.

    >>> plain("Predicted Label"), plain("yTrue")
    ('predicted_label', 'y_true')
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name).strip())
    return re.sub(r"[\s.\-_]+", "_", parted).lower()


def roles_of(columns: Columns, table: UserTable, kinds: Mapping[str, str], look_for: Collection[str] = ROLES) -> Roles:
    """Return the roles, those in `look_for` also where the caller does not name them.

    Raises
    ------
    ConfigError
        for columns that are named and not there, and parameters that cannot be given together.

    """
    given = {f.name: getattr(columns, f.name) for f in fields(columns)}
    named = {name: _listed(name, value) for name, value in given.items() if value is not AUTO}
    _check_named(named, table)
    ignored = set(named.get("ignore", ()))
    free = [name for name in table.columns if name not in ignored]
    finder = _Finder(table, kinds, free, named)
    for role in [name for name in given if given[name] is AUTO]:
        named[role] = finder.find(role) if role in look_for else _NONE.get(role)
    named["embedding"] = _dimensions(named["embedding"], table)
    return Roles(**named, found=frozenset(finder.found))


_NONE: dict[str, Any] = {"embedding": ()}
NOT_FOUND = ("group", "features", "metadata")
"""Roles that no column gets by its name: groups are never guessed, and `table_schema` chooses features and metadata."""


def _listed(name: str, value: Any) -> Any:
    """Return what a caller gave, names as text; what is empty counts as None."""
    if name in LISTS and value is not None:
        if isinstance(value, str):
            raise ConfigError(f"{name} is the text {value!r}; expected a list: {parameter(name, value)}")
        return tuple(map(str, value))
    if name in ROLES and isinstance(value, str | bool | tuple) and not value:
        return None
    if name in ROLES and isinstance(value, int):  # a column of pd.DataFrame(X)
        return str(value)
    return value


def _check_named(named: Mapping[str, Any], table: UserTable) -> None:
    """Raise `ConfigError` for columns that are named and not there."""
    for role in ("label", "prediction", "score", "loss", "correct", "id", "group", "split", "image", "text"):
        value = named.get(role)
        if isinstance(value, str) and value not in table.frame:
            near = did_you_mean(value, table.columns)
            raise ConfigError(f"the {table.name} has no column {value!r} (named as {called(role)}); {near}")
    for role in ("features", "metadata", "ignore", "keep"):
        for value in named.get(role) or ():
            _check_column(value, role, table)
    probs = named.get("probs")
    if isinstance(probs, str) and not table.probability_columns(probs):
        near = did_you_mean(probs, table.columns)
        raise ConfigError(
            f"the {table.name} has no column {probs!r} (named as {called('probs')}), and none that begins so; {near}"
        )
    _check_label(named)
    ways = [name for name in ("embedding", "embeddings", "features") if is_given(named.get(name))]
    if len(ways) > 1:
        raise ConfigError(
            f"{' and '.join(map(called, ways))} are given, which are two ways to say what an example looks like; "
            "leave out one of them"
            if len(ways) == 2
            else (
                f"{', '.join(map(called, ways))} are given, which are three ways to say what an example looks "
                "like; keep one"
            )
        )


def _check_label(named: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if the column of true classes is also that of what the model said."""
    label = named.get("label")
    for role in ("prediction", "score", "loss", "correct"):
        if isinstance(label, str) and named.get(role) == label:
            raise ConfigError(
                f"column {label!r} is named as {called('label')} and as {called(role)}; they are compared, so "
                "name two columns"
            )


def _check_column(name: str, role: str, table: UserTable) -> None:
    """Raise `ConfigError` if there is no such column among several that a role names."""
    if name not in table.frame:
        near = did_you_mean(name, table.columns)
        raise ConfigError(f"the {table.name} has no column {name!r} (named as {called(role)}); {near}")


def is_given(value: Any) -> bool:
    """Return True unless a role names nothing: None, or an empty list or text."""
    return value is not None and not (isinstance(value, tuple | list | str) and len(value) == 0)


class _Finder:
    """Looks for the columns of roles that the caller does not name."""

    def __init__(self, table: UserTable, kinds: Mapping[str, str], free: Sequence[str], named: dict[str, Any]) -> None:
        self.table, self.kinds, self.free, self.named = table, kinds, free, named
        self.by_plain_name = {plain(name): name for name in reversed(free)}
        self.found: set[str] = set()

    def find(self, role: str) -> Any:
        """Return the column or columns of a role, or its empty value."""
        if role in NOT_FOUND:
            return _NONE.get(role)
        finder = getattr(self, f"_{role}", None)
        value = finder() if finder is not None else self._usual(role)
        if value:
            self.found.add(role)
        return value or _NONE.get(role)

    def _usual(self, role: str, *kinds: str) -> str | None:
        taken = {value for value in self.named.values() if isinstance(value, str)}
        for name in USUAL[role]:
            column = self.by_plain_name.get(name)
            if column is not None and column not in taken and (not kinds or self.kinds[column] in kinds):
                return column
        return None

    def _probs(self) -> str | None:
        column = self._usual("probs", "vectors", "numbers", "whole numbers")
        if column is not None:
            return column
        label = self.named.get("label")
        if label is None or self.kinds[label] in UNHASHABLE:
            return None
        classes = set(self.table.words(label).dropna().unique())
        for prefix in PREFIXES:
            own = {name.removeprefix(prefix) for name in self.free if name.startswith(prefix)}
            if len(own) > 1 and classes <= own:
                return prefix
            if len(own) == 1 and len(classes) == 2 and own <= classes:
                return prefix + own.pop()
        return None

    def _score(self) -> str | None:
        judged = any(self.named.get(role) is not None for role in ("prediction", "probs", "correct"))
        column = self._usual("score", "numbers", "whole numbers")
        return None if judged or column is None or self.named.get("label") is None else column

    def _loss(self) -> str | None:
        return self._usual("loss", "numbers", "whole numbers")

    def _correct(self) -> str | None:
        return self._usual("correct", "yes or no", "whole numbers", "words")

    def _id(self) -> str | None:
        column = self._usual("id", *(kind for kind in KINDS if kind not in UNHASHABLE))
        return column if column is not None and self.table.frame[column].is_unique else None

    def _embedding(self) -> str | tuple[str, ...] | None:
        if self.named.get("embeddings") is not None or self.named.get("features"):
            return None
        column = self._usual("embedding", *(kind for kind in KINDS if kind not in ("numbers", "whole numbers")))
        vectors = [name for name in self.free if self.kinds[name] == "vectors" and name != self.named.get("probs")]
        if column is not None or len(vectors) == 1:
            return column or vectors[0]
        return numbered(self.free, self.kinds, self.table)

    def _image(self) -> str | None:
        column = self._usual("image", "images", "ids", "other objects")
        return column or next((name for name in self.free if self.kinds[name] == "images"), None)

    def _text(self) -> str | None:
        column = self._usual("text", "free text", "words", "ids")
        return column or next((name for name in self.free if self.kinds[name] == "free text"), None)


def numbered(names: Sequence[str], kinds: Mapping[str, str], table: UserTable) -> tuple[str, ...] | None:
    """Return columns that are called alike but for a number from 0 or 1 on, and hold numbers without gaps, if they are many.

    None if there are fewer than `LEAST_DIMENSIONS`.
    """
    stems: dict[str, dict[int, str]] = {}
    for name in names:
        found = re.fullmatch(r"(.*?)(\d+)", name)
        if found and kinds[name] in ("numbers", "whole numbers"):
            stems.setdefault(found[1], {})[int(found[2])] = name
    for own in sorted(stems.values(), key=len, reverse=True):
        first, count = min(own), len(own)
        whole = first in (0, 1) and max(own) == first + count - 1
        if whole and count >= LEAST_DIMENSIONS and not table.frame[[*own.values()]].isna().to_numpy().any():
            return tuple(own[i] for i in sorted(own))
    return None


def _dimensions(value: Any, table: UserTable) -> tuple[str, ...]:
    """Return the columns of an embedding: one of vectors, all with a prefix ("e" or "e*"), or those that are listed."""
    if value is None:
        return ()
    if not isinstance(value, str):
        listed = tuple(map(str, value))
        for name in listed:
            _check_column(name, "embedding", table)
        return listed
    if value in table.frame:
        return (value,)
    stem = value.removesuffix("*")
    own = [name for name in table.columns if re.fullmatch(rf"{re.escape(stem)}[._]?\d+", name)]
    if not own:
        near = did_you_mean(value, table.columns)
        raise ConfigError(
            f"the {table.name} has no column {value!r} (named as {called('embedding')}), and no numbered ones "
            f"that begin so; {near}"
        )
    return tuple(sorted(own, key=lambda name: int(re.findall(r"\d+$", name)[0])))


def check_roles(roles: Roles, table: UserTable, kinds: Mapping[str, str], look_for: Collection[str] = ROLES) -> None:
    """Raise `ConfigError` where nothing says what the model got wrong; the message names candidates and all columns.

    Right and wrong answers are asked for only if "correct" is in `look_for`.
    """
    if roles.text is not None and kinds[roles.text] == "empty":
        raise ConfigError(
            f"{table.where(roles.text)} has no text in any row; name another one, or none ({declined('text')})"
        )
    judged = roles.prediction is not None or roles.has_probabilities
    if roles.label is None and judged and roles.loss is None and roles.correct is None:
        raise ConfigError(
            f"the {table.name} has predictions, but which column holds the true classes? Name it "
            f"({parameter('label')}). {_candidates('label', roles, table, kinds)}"
        )
    if judged or roles.correct is not None or roles.loss is not None:
        return
    correct = f"right and wrong ({parameter('correct')}), " if "correct" in look_for else ""
    raise ConfigError(
        f"nothing in the {table.name} says where the model is wrong. Name one of these: predictions "
        f"({parameter('prediction')}), probabilities ({parameter('probs')}), the score of one of two classes "
        f"({parameter('score')}), {correct}or losses ({parameter('loss')}). "
        f"{_candidates('prediction', roles, table, kinds)}"
    )


MOST_COLUMNS = 30
"""Columns that a message lists."""


def _candidates(role: str, roles: Roles, table: UserTable, kinds: Mapping[str, str]) -> str:
    """Return sentences with the columns that may have a role, the likeliest first, and with all columns."""
    free = [name for name in table.columns if name not in roles.taken(table)]
    words = [name for name in free if kinds[name] in ("words", "whole numbers", "yes or no")]
    other = roles.label if role == "prediction" else roles.prediction
    fit = [] if role == "prediction" else words
    if other is not None and kinds[other] not in UNHASHABLE:
        classes = set(table.words(other).dropna().unique())
        values = {name: set(table.words(name).dropna().unique()) for name in words}
        fit = [name for name in words if values[name] <= classes or classes <= values[name]]
    if role == "prediction":
        fit += [name for name in free if kinds[name] == "numbers" and _is_share(table.frame[name])]
    guess = f"It may be {' or '.join(map(repr, fit[:8]))}. " if fit else ""
    more = f" and {len(table.columns) - MOST_COLUMNS} more" if len(table.columns) > MOST_COLUMNS else ""
    return f"{guess}The columns are: {', '.join(table.columns[:MOST_COLUMNS])}{more}"


def _is_share(column: pd.Series[Any]) -> bool:
    values = numbers_in(column)
    return bool(values.between(0, 1).all())
