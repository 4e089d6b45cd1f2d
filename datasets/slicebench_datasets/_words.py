"""Texts of local datasets: reading, checks, and search for words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, StorageError
from slicebench.files.locations import read_bytes
from slicebench_datasets._tables import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.plugins.dataset import DatasetAdapter


def check_words(adapter: DatasetAdapter, name: str) -> None:
    """Raise `ConfigError` unless the parameter is a list of one or more words."""
    words = getattr(adapter, name)
    if not isinstance(words, list | tuple) or not words or not all(isinstance(w, str) and w.strip() for w in words):
        raise ConfigError(f"{adapter.family}: {name} is {words!r}; expected a list of words")


def pattern_of(words: Sequence[str]) -> re.Pattern[str]:
    """Compile a pattern of `words` as whole words, in either case; "n't" also matches as an ending, as in "don't".

    >>> bool(pattern_of(["n't", "no"]).search("I DON’T know"))
    True
    >>> bool(pattern_of(["no"]).search("know nothing"))
    False

    """
    parts = (re.escape(word).replace("'", "['’]") for word in words)
    either = "|".join(rf"\w*{part}" if part == "n['’]t" else part for part in parts)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def holding(adapter: DatasetAdapter, name: str, texts: Sequence[str]) -> NDArray[np.bool_]:
    """Check which texts contain a word of the parameter `name`, (n,); raise `ConfigError` if none or all do."""
    words = getattr(adapter, name)
    matches = pattern_of(words).search
    held = np.fromiter((matches(text) is not None for text in texts), dtype=bool, count=len(texts))
    if held.all() or not held.any():
        raise ConfigError(
            f"{adapter.family}: {name}: {'all' if held.any() else 'none'} of the {len(texts)} texts contain one of "
            f"{', '.join(words)}; choose words that some texts contain and others do not"
        )
    return held


def texts_of(path: Path, values: pd.Series[Any]) -> list[str]:
    """Convert a column to texts; an error names file, column and row of the first that is missing or empty."""
    try:
        texts = values.tolist()
    except Exception as error:  # pyarrow's, for bytes that are not UTF-8
        raise StorageError(
            f"{path}: {values.name} contains a value that is not text: {error}. Fetch the file again"
        ) from error
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise StorageError(f"{path}: {values.name} is {text!r} at row {row}; expected a text. Fetch the file again")
    return texts


def sentences_of(tables: Iterable[tuple[Path, pd.DataFrame]]) -> tuple[list[str], NDArray[np.int64]]:
    """Join the columns sentence and label (0 or 1) of tables, each given with its file."""
    tables = [*tables]
    texts = [text for path, table in tables for text in texts_of(path, table["sentence"])]
    return texts, np.concatenate([whole_numbers(path, table["label"], 0, 1) for path, table in tables])


def read_tabbed(path: Path, *, header: bool) -> pd.DataFrame:
    """Read the lines "sentence<TAB>label" of a file, with or without a header; quotes are kept."""
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
