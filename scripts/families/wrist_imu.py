"""Make the pack `wrist_imu`: exercises of the shoulder, recorded at the wrist, from the package seglearn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, main

WINDOW, STEP = 100, 50
"""Samples, at 50 per second."""
EXERCISES = {
    "PEN": "pendulum", "ABD": "abduction", "FEL": "forward elevation", "IR": "internal rotation",
    "ER": "external rotation", "TRAP": "trapezius extension", "ROW": "upright row",
}  # fmt: skip


def make(family: Family) -> None:
    file = family.package("seglearn") / "seglearn/data/watch_dataset.npy"
    data = np.load(file, allow_pickle=True).item()  # a pickle: opened here once, never by slicebench
    vectors, rows = [], []
    for number, signal in enumerate(data["X"]):
        about = {
            "exercise": EXERCISES[data["y_labels"][int(data["y"][number])]],
            "subject": int(data["subject"][number]),
            "side": "right" if data["side"][number] else "left",
            "recording": number,
        }
        for start in range(0, len(signal) - WINDOW + 1, STEP):
            vectors.append(statistics(signal[start : start + WINDOW]))
            rows.append(about | {"second": start / 50})
    table = pd.DataFrame(rows).astype({"subject": np.int8, "recording": np.int16, "second": np.float32})
    family.write(table, vectors={"window-statistics": standardised(np.array(vectors))})


def statistics(window: np.ndarray) -> np.ndarray:
    """Mean, spread, quantiles, mean step, three bands of the spectrum per axis (6); correlations of the axes."""
    spectrum = np.abs(np.fft.rfft(window - window.mean(axis=0), axis=0)) ** 2
    bands = [np.log1p(spectrum[low:high].sum(axis=0)) for low, high in ((1, 3), (3, 7), (7, 51))]
    steps = np.abs(np.diff(window, axis=0)).mean(axis=0)
    moments = [window.mean(axis=0), window.std(axis=0), *np.quantile(window, (0.05, 0.25, 0.75, 0.95), axis=0), steps]
    together = np.nan_to_num(np.corrcoef(window.T))[np.triu_indices(6, 1)]
    return np.concatenate([*moments, *bands, together])


def standardised(vectors: np.ndarray) -> np.ndarray:
    return (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)


if __name__ == "__main__":
    main("wrist_imu", make)
