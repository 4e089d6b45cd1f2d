"""Which column of a user's table plays which part: as named, or found by its usual name."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from slicebench.data.user_table import Part


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What each example's label, prediction, embedding ... is called; None looks for the column of the field's own name.

    Parameters
    ----------
    label, prediction, loss, correct, id, split : str, optional
        Columns. `correct` says whether the model is right, where there is no prediction to compare; `loss` does for tasks
        without classes. `split` says train, val or test of each row; otherwise they are dealt at random within each class.
    probs : str or list of str, optional
        Column of vectors, prefix of one column per class ("p_" for p_<class>), or the columns one by one.
    class_names : list of str, optional
        In the order of `probs`; needed where labels are words and `probs` is a column of vectors.
    embedding : str, optional
        Column of vectors.
    embeddings : array (n, d) or path of a .npy or .safetensors file, optional
        Instead.
    features : list of str, optional
        Instead: columns of numbers and words that describe an example.
    image : str or array (n, H, W) or (n, H, W, 3) of uint8, optional
        Column of paths, of encoded images, or of Hugging Face's {"bytes", "path"}.
    image_root : path, optional
        Folder that paths in `image` are relative to; by default that of the table, or the current one.
    text : str, optional
        Column of texts.
    metadata : list of str, optional
        Columns of which a rule may be made; by default every other one that has few values or numbers.

    """

    label: str | None = None
    prediction: str | None = None
    probs: str | Sequence[str] | None = None
    class_names: Sequence[str] = ()
    loss: str | None = None
    correct: str | None = None
    id: str | None = None
    split: str | None = None
    embedding: str | None = None
    embeddings: ArrayLike | str | Path | None = None
    features: Sequence[str] = ()
    image: str | ArrayLike | None = None
    image_root: str | Path | None = None
    text: str | None = None
    metadata: Sequence[str] | None = None

    def named(self) -> dict[str, str]:
        """Column of each part that one column plays."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("embeddings", "image_root")}
        return {name: value for name, value in found.items() if isinstance(value, str)}


BY_NAME = ("label", "prediction", "probs", "loss", "correct", "id", "split", "embedding", "image", "text")
"""Parts that are played by the column of that name, unless another is named."""
PREFIXES = ("p_", "prob_", "proba_", "probs_")
"""Of columns of probabilities that are found unasked."""


def resolved(columns: Columns, table: Part) -> Columns:
    """Columns with the usual names filled in.

    Raises
    ------
    ConfigError
        where nothing says how the model did, or what an example looks like.

    """
    given = {name for name in BY_NAME if getattr(columns, name) is not None}
    there = {name: name for name in BY_NAME if name not in given and name in table.frame}
    if columns.embeddings is not None or columns.features:
        there.pop("embedding", None)
    found = replace(columns, **there)
    if found.probs is None:
        found = replace(found, probs=_prefix(found, table))
    missing = [f"{part} ({name!r})" for part, name in found.named().items() if not _is_there(part, name, table)]
    if missing:
        asked = found.named()[missing[0].partition(" ")[0]]
        raise ConfigError(
            f"the table has no column for {' and '.join(missing)}; {did_you_mean(asked, [*map(str, table.frame)])}"
        )
    _check_outcomes(found, table)
    ways = [found.embedding is not None, found.embeddings is not None, bool(found.features)]
    if sum(ways) > 1:
        raise ConfigError(
            "embedding, embeddings and features are three ways to say what an example looks like; choose one"
        )
    return found


def _prefix(found: Columns, table: Part) -> str | None:
    """Usual prefix of which there is a column for every class of the labels."""
    if found.label is None or found.label not in table.frame:
        return None
    classes = table.words(found.label).dropna().unique()
    return next((p for p in PREFIXES if len(classes) and all(f"{p}{c}" in table.frame for c in classes)), None)


def _is_there(part: str, name: str, table: Part) -> bool:
    return name in table.frame or (part == "probs" and any(str(c).startswith(name) for c in table.frame))


def _check_outcomes(found: Columns, table: Part) -> None:
    judged = found.prediction or found.probs
    if found.label is None and judged and not found.loss and not found.correct:
        raise ConfigError(
            f"{_listed(table)}; predictions are nothing without the truth: say which column holds it (label)"
        )
    if not (judged or found.correct or found.loss):
        raise ConfigError(
            f"{_listed(table)}; nothing says where the model errs: name the column of predictions (prediction), of probabilities "
            "(probs), of right and wrong (correct), or of losses (loss)"
        )


def _listed(table: Part) -> str:
    names: list[Any] = [*map(str, table.frame)]
    return f"the table has the columns {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
