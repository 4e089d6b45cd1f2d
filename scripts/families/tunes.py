"""Make the pack `tunes`: dance tunes of three printed collections, from the package music21."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from _common import Family, main

COLLECTIONS = {"oneills1850": "O'Neill", "ryansMammoth": "Ryan", "airdsAirs": "Aird"}
METRES = {"6/8": "compound", "9/8": "compound", "12/8": "compound"} | dict.fromkeys(("2/4", "4/4", "C", "C|"), "duple")
SHORTEST = 40
"""Least number of notes."""


def make(family: Family) -> None:
    corpus = family.package("music21") / "music21/corpus"
    rows = [
        row
        for folder, name in COLLECTIONS.items()
        for file in sorted((corpus / folder).glob("*.abc"))
        for text in re.split(r"\n(?=X:)", file.read_text(encoding="utf-8", errors="replace"))
        if (row := parsed(text, name))
    ]
    table = pd.DataFrame(rows).drop_duplicates("letters").reset_index(drop=True)
    vectors = letter_vectors(table.pop("letters").tolist())
    family.write(table, vectors={"pitch-letters": vectors})


def parsed(text: str, collection: str) -> dict[str, object] | None:
    """Return what is known of a tune, and the letters of its notes without bars, lengths and accidentals."""
    fields = {key: value.strip() for key, value in reversed(re.findall(r"^([A-Za-z]):(.*)$", text, re.MULTILINE))}
    metre = METRES.get(fields.get("M", "").split("%")[0].strip())
    body = "\n".join(line for line in text.splitlines() if not re.match(r"^([A-Za-z]:|%)", line))
    body = re.sub(r'"[^"]*"|\{[^}]*\}|![^!]*!|\[[A-Za-z]:[^\]]*\]', "", body)
    letters = "".join(re.findall(r"[A-Ga-g]", body))
    if metre is None or len(letters) < SHORTEST:
        return None
    return {
        "metre": metre,
        "signature": fields["M"].split("%")[0].strip(),
        "collection": collection,
        "rhythm": rhythm_of(fields),
        "key": re.split(r"[\s%]", fields.get("K", ""))[0][:6],
        "notes": np.int16(len(letters)),
        "tune": re.sub(r"[^a-z]", "", fields.get("T", "").lower().split("--")[0]),
        "letters": letters,
    }


def rhythm_of(fields: dict[str, str]) -> str:
    """Return the dance that field R or the title names, "not named" if neither does."""
    said = f"{fields.get('R', '')} {fields.get('T', '')}".lower()
    kinds = ("slip jig", "hornpipe", "strathspey", "reel", "polka", "march", "jig", "clog", "quick step", "minuet")
    return next((kind for kind in kinds if kind in said), "not named")


def letter_vectors(letters: list[str]) -> np.ndarray:
    """Return 128 directions of the weighted counts of runs of one to four letters, (n, 128)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), lowercase=False, min_df=5, sublinear_tf=True)
    found = TruncatedSVD(128, algorithm="arpack", random_state=0).fit_transform(counts.fit_transform(letters))
    return found / found.std(axis=0)


if __name__ == "__main__":
    main("tunes", make)
