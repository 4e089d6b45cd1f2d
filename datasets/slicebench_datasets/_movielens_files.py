"""MovieLens's three tables joined, and conditions on users and films."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from slicebench.errors import ConfigError, StorageError, did_you_mean
from slicebench.files.locations import read_bytes
from slicebench_datasets._tables import coded, distinct, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]

# fmt: off
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
OCCUPATIONS = (
    "administrator", "artist", "doctor", "educator", "engineer", "entertainment", "executive", "healthcare", "homemaker",
    "lawyer", "librarian", "marketing", "none", "other", "programmer", "retired", "salesman", "scientist", "student",
    "technician", "writer",
)
# fmt: on
VALUES = {"gender": ("F", "M"), "occupation": OCCUPATIONS, "genre": GENRES}
COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}


class Condition(NamedTuple):
    """Condition on an attribute."""

    attribute: str
    sign: str
    value: str


class Ratings(NamedTuple):
    """N ratings: user, film and stars, with the user's attributes (N rows) and the film's genres (N, 19)."""

    ids: NDArray[np.str_]
    user: Rows
    item: Rows
    stars: NDArray[np.int64]
    n_users: int
    n_items: int
    of_user: pd.DataFrame
    genres: NDArray[np.bool_]

    def holds(self, condition: Condition) -> NDArray[np.bool_]:
        """Return for which ratings the condition holds, shape (N,)."""
        if condition.attribute == "genre":
            return self.genres[:, GENRES.index(condition.value)]
        values = self.of_user[condition.attribute].to_numpy()
        wanted = int(condition.value) if condition.attribute == "age" else condition.value
        found: NDArray[np.bool_] = np.asarray(COMPARE[condition.sign](values, wanted), dtype=bool)
        return found


def read_condition(text: str) -> Condition:
    """Read "gender=F" or "age>=50".

    >>> read_condition("age>=50")
    Condition(attribute='age', sign='>=', value='50')
    """
    match = re.fullmatch(r"\s*([\w-]+)\s*(<=|>=|<|>|=)\s*(.+?)\s*", text)
    if match is None:
        raise ConfigError(f"movielens: groups holds {text!r}; expected a condition such as 'gender=F' or 'age<18'")
    condition = Condition(*match.groups())
    where, known = f"movielens: groups holds {text!r}; ", VALUES.get(condition.attribute)
    if condition.attribute == "age":
        if not condition.value.isdecimal():
            raise ConfigError(f"{where}expected a whole number of years")
        return condition
    if known is None:
        raise ConfigError(
            f"{where}no attribute {condition.attribute!r}; {did_you_mean(condition.attribute, ['age', *VALUES])}"
        )
    if condition.sign != "=":
        raise ConfigError(f"{where}{condition.attribute} can only be compared by '='")
    if condition.value not in known:
        raise ConfigError(
            f"{where}no {condition.attribute} {condition.value!r}; {did_you_mean(condition.value, [*known])}"
        )
    return condition


def read_ratings(data: Path, user: Path, item: Path) -> Ratings:
    """Read ratings joined with users and films; a `StorageError` names file and row."""
    import pandas as pd

    ratings = _fields(data, "\t", ("user", "item", "rating", "timestamp"))
    users = _fields(user, "|", ("id", "age", "gender", "occupation", "zip"))
    items = _fields(item, "|", ("id", "title", "released", "video", "url", *GENRES))
    coded(user, users["gender"], {"F": 0, "M": 1})
    users["age"] = whole_numbers(user, users["age"], 1, 120)
    flags = np.stack([whole_numbers(item, items[genre], 0, 1) for genre in GENRES], axis=1).astype(bool)
    who, what = (
        _positions(data, ratings["user"], user, users["id"]),
        _positions(data, ratings["item"], item, items["id"]),
    )
    pairs = pd.Series("u" + ratings["user"] + "-i" + ratings["item"], name="user-item")
    return Ratings(
        ids=distinct(data, pairs),
        user=who,
        item=what,
        stars=whole_numbers(data, ratings["rating"], 1, 5),
        n_users=len(users),
        n_items=len(items),
        of_user=users.iloc[who].reset_index(drop=True),
        genres=flags[what],
    )


def _fields(path: Path, mark: str, names: Sequence[str]) -> pd.DataFrame:
    """Read a file without header as text; raise `StorageError` for a row with another number of fields."""
    import pandas as pd

    try:
        lines = read_bytes(path).decode("latin-1").rstrip("\n").split("\n")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}") from error
    rows = [line.rstrip("\r").split(mark) for line in lines]
    for row, fields in enumerate(rows):
        if len(fields) != len(names):
            raise StorageError(f"{path} has {len(fields)} fields at row {row}; expected {len(names)}. Fetch it again.")
    return pd.DataFrame(rows, columns=[*names], dtype=str)


def _positions(path: Path, keys: pd.Series[Any], table: Path, known: pd.Series[Any]) -> Rows:
    """Find the row in `table` of each key in `path`."""
    import pandas as pd

    found: Rows = pd.Index(distinct(table, known)).get_indexer(pd.Index(keys))
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        raise StorageError(f"{path}: {keys.name} is {keys.iloc[row]!r} at row {row}, which {table.name} does not have")
    return found
