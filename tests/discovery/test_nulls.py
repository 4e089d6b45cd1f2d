"""Where there is nothing to find, at most one table in twenty shows a slice: errors by chance, copies, heavy tails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from slicebench import discover

KINDS = ("errors", "groups", "losses", "methods")
METHODS = ["kmeans_errors", "svm_directions", "mcsd", "tree_rules", "rules", "regions"]


def null(kind: str, seed: int) -> tuple[pd.DataFrame, dict[str, object]]:
    """A table whose outcomes depend on nothing but the class."""
    rng = np.random.default_rng([11, seed])
    n, k = int(rng.integers(500, 1500)), int(rng.integers(2, 4))
    y = rng.integers(k, size=n)
    wrong = rng.random(n) < rng.uniform(0.05, 0.3, k)[y]
    table = pd.DataFrame({f"x{j}": rng.normal(size=n) for j in range(4)})
    for j, levels in enumerate((2, 4, 7)):
        table[f"w{j}"] = rng.choice(list("abcdefg"[:levels]), n)
    table["count"] = rng.integers(0, 30, n)
    table["embedding"] = list(rng.normal(size=(n, 16)).astype(np.float32))
    if kind == "losses":
        return table.assign(loss=np.exp(2 * rng.normal(size=n))), {}
    table = table.assign(label=y, prediction=(y + wrong) % k)
    if kind == "groups":
        copies = rng.integers(n // 5, size=n)
        return table.iloc[copies].reset_index(drop=True).assign(patient=copies), {"group": "patient"}
    return table, {"method": METHODS} if kind == "methods" else {}


def shown(kind: str, seeds: range) -> int:
    """Tables that show a slice."""
    made = (null(kind, seed) for seed in seeds)
    return sum(
        bool(discover(table, seed=seed, **given).standing) for seed, (table, given) in zip(seeds, made, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_few_tables_of_noise_show_a_slice(kind):
    n = 3 if kind in ("methods", "groups") else 8
    assert shown(kind, range(n)) <= stats.binom.ppf(0.999, n, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_at_most_one_table_of_noise_in_twenty_shows_a_slice(kind):
    n = 100 if kind == "methods" else 500
    assert shown(kind, range(100, 100 + n)) <= stats.binom.ppf(0.99, n, 0.05)
