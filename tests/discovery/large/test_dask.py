"""A Dask DataFrame gives what the Parquet files give that it is read from, on any scheduler."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.discovery import discover
from slicebench.discovery.large import sampling, tables
from slicebench.errors import DataError

dd = pytest.importorskip("dask.dataframe", reason="pip install slicebench[dask]")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let a table be large from 4,000 rows on, and its sample have 3,000."""
    monkeypatch.setattr(tables, "LARGE", 4000)
    monkeypatch.setattr(sampling, "SAMPLE", 3000)


def trips(n=9000, d=0):
    """Errors are frequent at night on old devices and, in class b, where the first vector entry is large."""
    rng = np.random.default_rng(0)
    y, hour = rng.integers(2, size=n), rng.integers(24, size=n)
    device = np.array(["new", "old", "web"])[rng.integers(3, size=n)]
    X = rng.normal(size=(n, d)).astype(np.float32)
    risk = np.where((device == "old") & (hour >= 18), 0.5, 0.08)
    if d:
        far = (y == 1) & (rng.random(n) < 0.15)
        X[far, 0] += 6
        risk[far] = 0.6
    names = np.array(["a", "b"])
    table = {"label": names[y], "prediction": names[y ^ (rng.random(n) < risk)], "hour": hour, "device": device}
    return pd.DataFrame(table | {f"e{j}": X[:, j] for j in range(d)})


def parts_of(table, path, n=3):
    """Write a table as a folder of Parquet files."""
    path.mkdir()
    for i, rows in enumerate(np.array_split(np.arange(len(table)), n)):
        table.iloc[rows].to_parquet(path / f"part-{i}.parquet")
    return path


def test_dask_finds_the_slices_of_the_files(tmp_path):
    path = parts_of(trips(d=16), tmp_path / "parts")
    of_files, of_dask = discover(path), discover(dd.read_parquet(path))
    assert len(of_files.standing) == 2
    assert of_dask.examples.ids == of_files.examples.ids
    assert of_dask.to_frame().equals(of_files.to_frame())
    assert (of_dask.facts, of_dask.held) == (of_files.facts, of_files.held)


@pytest.mark.timeout(300)
def test_workers_are_separate_processes(tmp_path, monkeypatch):
    from distributed import Client, LocalCluster

    path = parts_of(trips(), tmp_path / "parts")
    of_files = discover(path)
    monkeypatch.setattr(tables, "WAVE", 2)
    with (
        LocalCluster(processes=True, n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        of_dask = discover(dd.read_parquet(path))
    assert of_dask.to_frame().equals(of_files.to_frame())


def test_an_index_with_a_name_is_a_column(tmp_path):
    table = trips().rename_axis("id")
    table.index = [f"trip {i}" for i in range(len(table))]
    table.index.name = "id"
    found = discover(dd.from_pandas(table, npartitions=4, sort=False))
    assert found.examples.schema.roles.id == "id"
    assert set(found.examples.ids) < set(table.index)


def test_a_missing_label_is_refused_by_its_row():
    table = trips()
    table.loc[8997, "label"] = None
    with pytest.raises(DataError, match="column 'label' of the table has no value at row 8997 "):
        discover(dd.from_pandas(table, npartitions=4))


def test_a_small_one_is_computed():
    table = trips(3000)
    found = discover(dd.from_pandas(table, npartitions=2))
    assert found.to_frame().equals(discover(table).to_frame())
