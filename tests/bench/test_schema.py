"""The schema step on a hundred mixed columns: its time, and its memory beside the table's."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from slicebench import Columns
from slicebench.data.schema import schema_of


def mixed(n: int, columns: int = 100) -> pd.DataFrame:
    """Return a table of numbers, codes, words, dates, booleans and text that is numbers, with gaps."""
    rng = np.random.default_rng(0)
    makers = [
        lambda: rng.normal(size=n),
        lambda: rng.integers(0, 30, n),
        lambda: rng.choice(["u", "v", "w", None], n),
        lambda: rng.choice([f"w{j}" for j in range(300)], n),
        lambda: rng.random(n) < 0.3,
        lambda: pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n), unit="min"),
        lambda: pd.array(np.where(rng.random(n) < 0.1, None, rng.integers(0, 9, n)), dtype="Int64"),
        lambda: rng.normal(size=n).astype(np.float32),
        lambda: np.array([f"2024-01-{day:02d}" for day in rng.integers(1, 29, n)]),
        lambda: np.array([f"{x:.2f}" for x in rng.random(n)]),
    ]
    words = np.array(["a", "b", "c"])
    made = {"label": rng.choice(words, n), "prediction": rng.choice(words, n)}
    return pd.DataFrame(made | {f"c{i} {chr(97 + i % 26)}": makers[i % len(makers)]() for i in range(columns - 2)})


def test_every_column_is_read(benchmark, request):
    """With --benchmark-enable 100,000 rows; otherwise once, small."""
    table = mixed(100_000 if request.config.getoption("--benchmark-enable") else 2000)
    schema = benchmark.pedantic(schema_of, (table, Columns()), rounds=3)
    assert len(schema.uses) == 100
    assert not schema.unused()


@pytest.mark.slow
def test_the_schema_takes_less_memory_than_three_tables():
    table = mixed(100_000)
    size = table.memory_usage(deep=True).sum()
    tracemalloc.start()
    schema_of(table, Columns())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size + peak <= 3 * size
