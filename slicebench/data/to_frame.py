"""Convert a split or a problem to a DataFrame with one row per example, and back.

The columns are those that `from_frame`, `slicebench.discover` and `slicebench select` look for: id,
split, label and prediction as words, p_<class> for each class, loss, embedding (a vector in each
cell) and text. There are also correct, meta_<name> for metadata and, if asked for, group_<name> for
planted groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import probs_of
from slicebench.data.schema.classes import in_order, numbers_of
from slicebench.data.schema.user_table import UserTable, if_named
from slicebench.data.split import Split, cross_entropy
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem


META, GROUP, PROBS = "meta_", "group_", "p_"


def split_to_frame(split: Split, class_names: Sequence[str] = ()) -> pd.DataFrame:
    """Return a split as a DataFrame of n rows.

    `class_names` are the words for its labels, by default their numbers.
    """
    import pandas as pd

    columns = split_columns(split, class_names)
    return pd.DataFrame({**columns, "embedding": list(split.embeddings)})


def problem_to_frame(problem: Problem, *, groups: bool = False) -> pd.DataFrame:
    """Return all splits as a DataFrame with the column split.

    The problem's captions and trainer are left out. `groups` adds the planted truth, one column of
    booleans per group; do not show that to a method.
    """
    import pandas as pd

    parts = []
    for name, split in problem.splits().items():
        frame = split_to_frame(split, problem.data.class_names)
        frame.insert(1, "split", name)
        if groups:
            planted = problem.truth.groups_of(split.ids)
            frame = frame.assign(**{f"{GROUP}{g}": planted[:, i] for i, g in enumerate(problem.truth.group_names)})
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def problem_columns(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the arguments with which `from_frame` reads a frame made by `problem_to_frame`.

    >>> import pandas as pd
    >>> problem_columns(pd.DataFrame(columns=["id", "label", "p_cat", "p_dog", "embedding", "group_wet"]))
    {'id': 'id', 'label': 'label', 'embedding': 'embedding', 'probs': 'p_', 'groups': {'wet': ('group_wet', True)}}
    """
    names = [str(name) for name in frame.columns]
    said: dict[str, Any] = {
        word: word for word in ("id", "split", "label", "prediction", "loss", "embedding", "text") if word in names
    }
    if any(name.startswith(PROBS) for name in names):
        said["probs"] = PROBS
    if metadata := [name for name in names if name.startswith(META)]:
        said["metadata"] = metadata
    if groups := {name.removeprefix(GROUP): (name, True) for name in names if name.startswith(GROUP)}:
        said["groups"] = groups
    return said


def frame_to_split(
    frame: pd.DataFrame, class_names: Sequence[str] = (), *, loss: str | None = None, metadata: Sequence[str] = ()
) -> Split:
    """Read a split from a DataFrame with the columns of this module.

    It needs embedding, and either loss or both label and p_<class>.

    Parameters
    ----------
    frame : DataFrame
        Without missing values in the columns used.
    class_names : C strings, optional
        The order of the classes; by default sorted.
    loss : str, optional
        Column of losses; by default "loss" if there is one, else the cross-entropy of the label.
    metadata : list of str, optional
        Columns that methods may see, by default all that start with "meta_".

    Raises
    ------
    DataError
        naming the column, the first offending row and what was expected.

    """
    table = UserTable(frame, "table")
    label, key, text, correct = (name if name in table.frame else None for name in ("label", "id", "text", "correct"))
    loss = loss or ("loss" if "loss" in table.frame else None)
    words = None if label is None else table.all_words(label)
    names = tuple(map(str, class_names or (() if words is None else in_order(words))))
    numbers = {name: number for number, name in enumerate(names)}
    labels = None if words is None else numbers_of(table, "label", words, numbers)
    probs = _probabilities(table, names) if names and table.probability_columns(PROBS) else None
    losses: NDArray[np.float32]
    if loss is not None:
        losses = table.numbers(loss).astype(np.float32)
    elif labels is not None and probs is not None:
        losses = cross_entropy(probs, labels)
    else:
        raise DataError("the table does not say where the model errs: it has neither loss nor both label and p_<class>")
    chosen = list(metadata) or [name for name in map(str, table.frame) if name.startswith(META)]
    return Split(
        ids=np.arange(len(frame)).astype(str) if key is None else table.ids(key),
        embeddings=table.vectors("embedding"),
        losses=losses,
        labels=labels,
        probs=probs,
        correct=if_named(table.booleans, correct),
        inputs=if_named(table.texts, text),
        metadata=table.metadata(chosen) if chosen else None,
    )


def split_columns(split: Split, class_names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the columns of a split except its embeddings, as arrays and lists of length n."""
    columns: dict[str, Any] = {"id": split.ids.tolist()}
    names = _words(split, class_names)
    if split.labels is not None:
        columns["label"] = names[split.labels].tolist()
    if (said := _predicted(split)) is not None:
        columns["prediction"] = names[said].tolist()
    if split.correct is not None:
        columns["correct"] = split.correct
    columns["loss"] = split.losses
    if split.probs is not None:
        columns |= {f"{PROBS}{name}": split.probs[:, c] for c, name in enumerate(names)}
    if isinstance(split.inputs, list | tuple) and all(isinstance(text, str) for text in split.inputs):
        columns["text"] = list(split.inputs)
    if split.metadata is not None:
        columns |= {f"{META}{name}": split.metadata[name].to_numpy() for name in split.metadata}
    return columns


def _probabilities(table: UserTable, names: Sequence[str]) -> NDArray[np.float32]:
    values = np.stack([table.numbers(f"{PROBS}{name}") for name in names], axis=1)
    return probs_of(f"probs of the {table.name}", values, len(values))


def _words(split: Split, class_names: Sequence[str]) -> NDArray[Any]:
    """Return the words for the classes of a split: their names, or their numbers."""
    C = 0 if split.labels is None else int(split.labels.max()) + 1
    C = max(C, 0 if split.probs is None else split.probs.shape[1])
    if class_names and len(class_names) < C:
        raise DataError(f"class_names has {len(class_names)} names for {C} classes")
    names = [*class_names] or [str(c) for c in range(C)]
    if len(set(names)) < len(names):
        raise DataError(f"class_names repeats a name: {', '.join(names[:10])}; columns need distinct names")
    return np.array(names, dtype=object)


def _predicted(split: Split) -> NDArray[np.int64] | None:
    """Return the predicted class.

    It is the most probable class. If `correct` follows another rule, such as a threshold, it is a
    class that agrees with `correct`.
    """
    if split.probs is None:
        return None
    said: NDArray[np.int64] = split.probs.argmax(axis=1)
    if split.labels is None or split.correct is None:
        return said
    rows = np.arange(split.n)
    others = split.probs.copy()
    others[rows, split.labels] = -1
    agreed: NDArray[np.int64] = np.where(split.correct, split.labels, others.argmax(axis=1))
    return agreed
