"""`slicebench select` as a user meets it: real processes, files, streams and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests.discovery.test_selection import made


@pytest.fixture
def cli(tmp_path):
    made(400, 1).to_parquet(tmp_path / "known.parquet")
    made(300, 2).drop(columns="label").to_parquet(tmp_path / "pool.parquet")

    def call(*arguments):
        command = [sys.executable, "-m", "slicebench", "select", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return call


BOTH = ("--data", "known.parquet", "--pool", "pool.parquet")


def test_a_table_a_summary_and_notes(cli, tmp_path):
    done = cli(*BOTH, "--k", "20")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "candidates", "no", "label", "flagged", "strength", "chosen"]
    assert [line.split()[0] for line in lines[1:3]] == ["cat", "dog"]
    assert [line.split()[-1] for line in lines[1:3]] == ["20", "20"]
    assert lines[3] == "40 examples in selected.csv"
    assert "fitting svm_directions: 400 examples of known truth, 300 candidates" in done.stderr
    assert "note: 300 of 300 candidates have no label" in done.stderr
    table = pd.read_csv(tmp_path / "selected.csv")
    assert list(table.columns) == ["id", "class", "rank", "hardness", "flagged", "weak_label"]
    assert len(table) == 40
    assert table["id"].str.startswith("2-").all()


def test_every_format_holds_the_same(cli, tmp_path):
    for name in ("a.csv", "sub/b.parquet", "c.jsonl"):
        assert cli(*BOTH, "--k", "5", "--method", "random", "--out", name).returncode == 0
    one = pd.read_csv(tmp_path / "a.csv")
    assert one["flagged"].isna().all()
    for other in (pd.read_parquet(tmp_path / "sub/b.parquet"), pd.read_json(tmp_path / "c.jsonl", lines=True)):
        assert other["id"].tolist() == one["id"].tolist()
        assert other["rank"].tolist() == [1, 2, 3, 4, 5] * 2
        np.testing.assert_allclose(other["hardness"], one["hardness"], rtol=1e-12)
        assert other["flagged"].isna().all()


def test_json_is_the_machine_interface(cli, tmp_path):
    done = cli(*BOTH, "--k", "5", "--json", "--probs", "p_")
    said = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    table = pd.read_csv(tmp_path / said["path"])
    assert [one["name"] for one in said["classes"]] == ["cat", "dog"]
    assert [i for one in said["classes"] for i in one["ids"]] == table["id"].tolist()
    assert {"candidates", "weak", "flagged", "chosen", "strength"} <= set(said["classes"][0])
    assert any("have no label" in note for note in said["notes"])


def test_nothing_is_overwritten_without_force(cli, tmp_path):
    (tmp_path / "selected.csv").write_text("mine")
    done = cli(*BOTH, "--k", "5")
    assert done.returncode == 2
    assert "selected.csv already exists; overwrite it with --force" in done.stderr
    assert (tmp_path / "selected.csv").read_text() == "mine"
    assert cli(*BOTH, "--k", "5", "--force").returncode == 0
    assert len(pd.read_csv(tmp_path / "selected.csv")) == 10


def test_csv_features_and_one_table(cli, tmp_path):
    splits = np.array(["train"] * 100 + ["val"] * 400 + ["pool"] * 200)
    table = (
        made(700, 3).drop(columns="embedding").rename(columns={"label": "species", "id": "key"}).assign(split=splits)
    )
    table.loc[550:, "species"] = None
    table.to_csv(tmp_path / "all.csv", index=False)
    options = ("--label", "species", "--probs", "p_cat", "--probs", "p_dog", "--features", "x0", "--features", "place")
    done = cli("--pool", "all.csv", "--id", "key", *options, "--k", "30", "--out", "next.jsonl")
    assert done.returncode == 0, done.stderr
    assert "700 rows of all splits" in done.stderr
    assert "150 of 200 candidates have no label" in done.stderr
    chosen = pd.read_json(tmp_path / "next.jsonl", lines=True)
    assert set(chosen["id"]) <= set(table["key"][500:])
    assert table.set_index("key").loc[chosen["id"], "hard"].mean() > 2 * table["hard"][500:].mean()


def test_embeddings_from_files_are_those_of_the_column(cli, tmp_path):
    for name in ("known", "pool"):
        table = pd.read_parquet(tmp_path / f"{name}.parquet")
        np.save(tmp_path / f"{name}.npy", np.stack(table["embedding"]))
        table.drop(columns="embedding").to_csv(tmp_path / f"{name}.csv", index=False)
    cli(*BOTH, "--k", "9", "--out", "a.csv")
    files = ("--data", "known.csv", "--pool", "pool.csv", "--embeddings", "known.npy", "--pool-embeddings", "pool.npy")
    assert cli(*files, "--k", "9", "--out", "b.csv").returncode == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    swapped = (*files[:4], "--embeddings", "pool.npy", "--pool-embeddings", "known.npy")
    done = cli(*swapped, "--out", "c.csv")
    assert done.returncode == 2
    assert "pool.npy has shape (300, 8); expected (400, d), a row for each of known.csv" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--pool"),
        (("--pool", "pool.parquet"), "cannot tell labelled examples from candidates"),
        (("--data", "known.parquet", "--pool", "nowhere.parquet"), "cannot read the table nowhere.parquet"),
        ((*BOTH, "--k", "0"), "--k"),
        ((*BOTH, "--method", "svm_direction"), "did you mean 'svm_directions'"),
        ((*BOTH, "--out", "next.xlsx"), "expected .csv, .jsonl, .parquet"),
        ((*BOTH, "--out", "known.parquet/next.csv"), "cannot write known.parquet/next.csv"),
        ((*BOTH, "--embeddings", "a.npy"), "give both"),
        (("--pool", "pool.parquet", "--embeddings", "a.npy"), "--embeddings needs --data"),
        ((*BOTH, "--embeddings", "a.npy", "--pool-embeddings", "b.npy"), "cannot read a.npy"),
        ((*BOTH, "--embedding", "embedding", "--pool-embeddings", "b.npy"), "choose one of them"),
        (("--data", "known.parquet", "--pool", "known.parquet"), "this id is also in the data table"),
    ],
)
def test_usage_errors_are_one_message_and_exit_code_2(cli, tmp_path, arguments, says):
    done = cli(*arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "selected.csv").exists()


def test_help_has_worked_examples(cli):
    done = cli("--help")
    assert done.returncode == 0
    assert "  slicebench select --data labelled.parquet --pool pool.parquet" in done.stdout
