"""`slicebench discover` as a user types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.errors import ConfigError, DataError, StorageError


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    night, y = rng.random(1200) < 0.2, rng.integers(2, size=1200)
    wrong = rng.random(1200) < np.where(night, 0.5, 0.05)
    return pd.DataFrame(
        {
            "id": [f"{i:05d}" for i in range(1200)],
            "label": np.array(["cat", "dog"])[y],
            "prediction": np.array(["cat", "dog"])[y ^ wrong],
            "time": np.where(night, "night", "day"),
            "x": rng.normal(size=1200) + 5 * night,
        }
    )


def run(*arguments):
    return CliRunner().invoke(app, ["discover", *map(str, arguments)])


WRITERS = {
    ".parquet": lambda t, path: t.to_parquet(path),
    ".csv": lambda t, path: t.to_csv(path, index=False),
    ".csv.gz": lambda t, path: t.to_csv(path, index=False),
    ".tsv": lambda t, path: t.to_csv(path, index=False, sep="\t"),
    ".jsonl": lambda t, path: t.to_json(path, orient="records", lines=True),
    ".feather": lambda t, path: t.to_feather(path),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_gives_the_same_slices_and_ids(table, tmp_path, ending):
    """Ids keep their leading zeros, also those that a .csv file holds."""
    path, out = tmp_path / f"mine{ending}", tmp_path / "out.csv"
    WRITERS[ending](table, path)
    result = run(path, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["verdict"] == "1 of 1 tested slices is significant."
    assert said["slices"][0]["rule"] in ("time is night", "x >= 2.39")
    members = pd.read_csv(out, dtype=str)
    assert set(members["id"]) <= set(table["id"])
    assert list(members) == ["method", "slice", "class", "id", "rank", "membership", "hardness", "stands"]


def test_a_stream_of_arrow_is_read(table, tmp_path):
    import pyarrow as pa

    whole = pa.Table.from_pandas(table)
    with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as sink, pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    assert run(tmp_path / "x.arrow").exit_code == 0


def test_the_table_and_the_page(table, tmp_path):
    table[["x", *table.columns.drop("x")]].to_parquet(tmp_path / "mine.parquet")
    result = run(
        tmp_path / "mine.parquet",
        "--html",
        tmp_path / "page.html",
        "--method",
        "kmeans_errors",
        "--method",
        "tree_rules",
    )
    assert result.exit_code == 0, result.output
    assert "1,200 examples of mine.parquet" in result.stdout
    assert "tested slices are significant" in result.stdout
    printed = " ".join(result.stdout.split())
    assert "p are measured on rows that the search had not seen: it runs 5 times, each time without one fold" in printed
    assert "Searched by kmeans_errors: " in printed
    assert " candidate slices in 5 folds, " in printed
    assert "Spearman's ρ between their rankings, within classes: kmeans_errors and tree_rules" in printed
    page = (tmp_path / "page.html").read_text()
    assert "Slices of mine.parquet" in page
    assert "http" not in page.replace("http-equiv", "")
    rows = re.findall('<th scope="row">(.*?)</th>', re.split(r"<h2[^>]*>Columns of the table</h2>", page)[1])
    assert rows == ["label", "prediction", "id", "x", "time"]


def test_ids_of_mixed_types_go_where_they_can(table, tmp_path):
    mixed = table.assign(id=[i if i % 2 else f"e{i}" for i in range(len(table))])
    (tmp_path / "mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in mixed.to_dict("records")))
    refused = run(tmp_path / "mine.jsonl", "--out", tmp_path / "out.parquet")
    assert isinstance(refused.exception, DataError)
    assert "mixed types" in str(refused.exception)
    assert run(tmp_path / "mine.jsonl", "--out", tmp_path / "out.jsonl").exit_code == 0


def test_settings_reach_the_method(table, tmp_path):
    table.to_parquet(tmp_path / "mine.parquet")
    result = run(
        tmp_path / "mine.parquet", "--method", "kmeans_errors", "--set", "kmeans_errors.n_clusters=3", "--json"
    )
    assert [m["name"] for m in json.loads(result.stdout)["methods"]] == ["kmeans_errors"]
    wrong = run(tmp_path / "mine.parquet", "--set", "domino.n_slices=3")
    assert isinstance(wrong.exception, ConfigError)


def test_nothing_is_overwritten_unasked(table, tmp_path):
    table.to_parquet(tmp_path / "mine.parquet")
    (tmp_path / "page.html").write_text("mine")
    assert isinstance(run(tmp_path / "mine.parquet", "--html", tmp_path / "page.html").exception, StorageError)
    assert (tmp_path / "page.html").read_text() == "mine"
    assert run(tmp_path / "mine.parquet", "--html", tmp_path / "page.html", "--force").exit_code == 0
    assert isinstance(run(tmp_path / "mine.parquet", "--out", tmp_path / "x.xlsx").exception, ConfigError)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.parquet", b"PAR1"),
        ("x.csv", b"\xff\xfe\x00"),
        ("x.csv", b""),
        ("x.jsonl", b'{"label": 1'),
        ("x.jsonl", b"[" * 100_000),
        ("x.arrow", b"ARROW1"),
        ("x.feather", b""),
        ("x.csv.gz", b"not gzip"),
        ("x.xlsx", b""),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    result = run(tmp_path / name)
    assert isinstance(result.exception, DataError), result.exception
    assert "cannot read the table" in str(result.exception)


def test_an_error_is_one_message_and_exit_code_2(tmp_path):
    done = subprocess.run(
        [Path(sys.executable).parent / "slicebench", "discover", tmp_path / "none.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("slicebench: ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("limit", "code"), [("gap=10,n=50", 1), ("gap=10", 1), ("gap=90", 0), ("gap=10,n=100000", 0)])
def test_a_gate_fails_on_a_bad_slice(table, tmp_path, limit, code):
    table.to_parquet(tmp_path / "mine.parquet")
    assert run(tmp_path / "mine.parquet", "--fail-on", limit).exit_code == code


@pytest.mark.parametrize(
    "limit", ["10", "gap=x", "gap=10,m=5", "gap=-1", "n=50", "gap=nan", "gap=inf", "gap=10,gap=20"]
)
def test_a_gate_that_cannot_be_read_is_refused(table, tmp_path, limit):
    table.to_parquet(tmp_path / "mine.parquet")
    assert isinstance(run(tmp_path / "mine.parquet", "--fail-on", limit).exception, ConfigError)
