"""`discover` and `select` take tables of other libraries, and give the same as for a DataFrame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slicebench import discover
from slicebench.discovery.selection import select
from slicebench.errors import DataError


def answers(n=400):
    rng = np.random.default_rng(0)
    night, y = rng.random(n) < 0.3, rng.integers(2, size=n)
    wrong = rng.random(n) < np.where(night, 0.5, 0.05)
    vectors = rng.normal(size=(n, 4)) + 3 * night[:, None]
    names = np.array(["cat", "dog"])
    return {
        "label": names[y].tolist(),
        "prediction": names[np.where(wrong, 1 - y, y)].tolist(),
        "embedding": vectors.tolist(),
    }


def written(columns, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


MAKERS = {
    "dict": lambda columns, _: columns,
    "records": lambda columns, _: pd.DataFrame(columns).to_dict("records"),
    "Arrow": lambda columns, _: pa.table(columns),
    "polars": lambda columns, _: pytest.importorskip("polars").DataFrame(columns),
    "path": written,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_other_tables_give_the_same(kind, tmp_path):
    columns = answers()
    table = MAKERS[kind](columns, tmp_path)
    same = discover(pd.DataFrame(columns), method="kmeans_errors")
    pd.testing.assert_frame_equal(discover(table, method="kmeans_errors").to_frame(), same.to_frame())
    chosen = select(table, table, k=3)
    expected = select(pd.DataFrame(columns), pd.DataFrame(columns), k=3)
    pd.testing.assert_frame_equal(chosen.table, expected.table)


def test_what_is_no_table_is_named():
    with pytest.raises(DataError, match="the table is of type list"):
        discover([1, 2])
    with pytest.raises(DataError, match="the pool table is of type int"):
        select(answers(), 3)
    with pytest.raises(DataError, match="the data table is of type int"):
        select(3, answers())
