"""The parameters by which a caller says what the columns of a table are.

`data.schema` finds the columns that are not named, and reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike


class _Unnamed(Enum):
    AUTO = "found by its usual names and its content"

    def __repr__(self) -> str:
        return "AUTO"


AUTO: Final = _Unnamed.AUTO
"""Value of a role that is not named: a column is looked for. None says that no column has the role."""
Auto = _Unnamed


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The roles of a table's columns: label, prediction, embedding and so on.

    A role that is not given is looked for, by the usual names and by what columns hold. None declines it: no column has that
    role. `discover` uses all of these, `select` and `from_frame` some.

    Parameters
    ----------
    label, prediction : str, optional
        True and predicted classes; in a regression true and predicted numbers; with several labels a row, lists of them.
    probs : str or list of str, optional
        Class probabilities or logits: a column of vectors, a prefix of one column per class ("p_" for p_<class>), or the
        columns one by one.
    class_names : list of str, optional
        In the order of `probs`; needed where labels are words and nothing tells their order.
    score : str, optional
        Instead of `probs`, for two classes: one column, the probability (or logit) of the positive class.
    positive : str, number or bool, optional
        The class that `score` is about; by default 1, True, yes or positive.
    threshold : float, optional
        Score from which on the positive class is predicted, where no predictions are named; by default 0.5.
    loss : str, optional
        Losses, for tasks without classes.
    correct : str, optional
        Right or wrong, instead of predictions.
    id : str, optional
        A value of its own for each row; by default rows are numbered.
    group : str, optional
        Rows with one value belong together (frames of a video, visits of a patient): they are dealt together, and tests count
        groups, not rows.
    split : str, optional
        Says train, val or test of each row; otherwise rows are dealt at random within each class.
    embedding : str or list of str, optional
        A column of vectors, or one column per dimension: a prefix, or a list.
    embeddings : array (n, d) or path of a .npy or .safetensors file, optional
        Instead.
    features : list of str, optional
        Instead: columns that describe an example. By default all that are fit, if there is no vector, image or text.
    image : str or array (n, H, W) or (n, H, W, 3) of uint8, optional
        Column of paths, of encoded images, or of Hugging Face's {"bytes", "path"}.
    image_root : path, optional
        Folder that paths in `image` are relative to; by default that of the table, or the current one.
    text : str, optional
        Column of texts.
    metadata : list of str, optional
        Columns of which rules may be made; by default all that are fit and have no other role.
    ignore : list of str, optional
        Columns that are not used for anything.
    keep : list of str, optional
        Columns to use although they seem to be made from the predictions.
    task : "classification" or "regression", optional
        Where the columns do not tell.
    error : "absolute", "squared", "over" or "under"
        What is compared in a regression.
    one_label : str, optional
        With several labels a row: look at this one only.

    """

    label: str | Auto | None = AUTO
    prediction: str | Auto | None = AUTO
    probs: str | Sequence[str] | Auto | None = AUTO
    class_names: Sequence[str] = ()
    score: str | Auto | None = AUTO
    positive: str | float | None = None
    threshold: float | None = None
    loss: str | Auto | None = AUTO
    correct: str | Auto | None = AUTO
    id: str | Auto | None = AUTO
    group: str | Auto | None = AUTO
    split: str | Auto | None = AUTO
    embedding: str | Sequence[str] | Auto | None = AUTO
    embeddings: ArrayLike | str | Path | None = None
    features: Sequence[str] | Auto | None = AUTO
    image: str | ArrayLike | Auto | None = AUTO
    image_root: str | Path | None = None
    text: str | Auto | None = AUTO
    metadata: Sequence[str] | Auto | None = AUTO
    ignore: Sequence[str] = ()
    keep: Sequence[str] = ()
    task: str | None = None
    error: str = "absolute"
    one_label: str | None = None


FIELDS = tuple(f.name for f in fields(Columns))
ROLES = (
    "label", "prediction", "probs", "score", "loss", "correct", "id", "group", "split", "embedding", "features", "image", "text",
    "metadata",
)  # fmt: skip
"""Fields that name columns, and that None declines."""


def columns_given(given: Mapping[str, Any], caller: str, uses: Sequence[str] = FIELDS) -> Columns:
    """Return the columns that a caller was given; it can use those in `uses`.

    Raises
    ------
    ConfigError
        for an unknown parameter, or one that the caller cannot use.

    """
    for name in given:
        if name not in FIELDS:
            raise ConfigError(f"{caller} has no parameter {name!r}; {did_you_mean(name, list(uses))}")
        if name not in uses:
            raise ConfigError(f"{caller} does not use {name!r}; it takes {', '.join(uses)}")
    return Columns(**given)
