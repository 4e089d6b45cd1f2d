"""A run folder whose files were damaged: an error that names the file, or the same numbers."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest

from slicebench.errors import StorageError
from slicebench.runs.plan import plan
from slicebench.runs.runner import run
from slicebench.runs.store import load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits
from tests.support.paths import HOSTILE

SUITE = """
name = "small"
seeds = [0, 1]
methods = ["gentle", "random"]
[[problems]]
name = "first"
dataset = "tiny"
params = { n = 20 }
"""
FLIPS = 240


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory):
    suite, out = parse_suite(SUITE, "x"), tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HOSTILE))
        patch.setenv("SLICEBENCH_CACHE", str(out / "cache"))
        outcome = run(suite, plan(suite), out=out / "run", limits=Limits(jobs=1))
    assert not outcome.failed
    return out / "run"


@pytest.fixture
def folder(whole_folder, tmp_path):
    return shutil.copytree(whole_folder, tmp_path / "run")


def numbers(folder):
    """Everything that a table or page is made from, as a text."""
    found = load_run(folder)
    said = {"suite": found.suite.model_dump(mode="json"), "cells": []}
    for entry, record in found.cells:
        truth, (ids, scores) = found.store.truth(entry), found.store.scores(entry)
        arrays = [truth.ids, truth.labels, truth.minority, ids, scores.hardness, scores.flagged]
        facts = found.store.facts(entry)
        said["cells"].append([entry.slot, record.model_dump(mode="json"), facts.model_dump(), [*map(repr, arrays)]])
    with np.printoptions(threshold=10**6, precision=17):
        return json.dumps(said, default=str)


def numbers_or_error(folder):
    try:
        return numbers(folder)
    except StorageError as error:
        return error


def test_no_flipped_bit_changes_a_number_in_silence(folder):
    expected = numbers(folder)
    rng = np.random.default_rng(0)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    noticed = 0
    for _ in range(FLIPS):
        path = files[rng.integers(len(files))]
        whole = path.read_bytes()
        place, bit = int(rng.integers(len(whole))), int(rng.integers(8))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
        found = numbers_or_error(folder)
        assert found == expected or path.name in str(found), (path.name, place, bit, found)
        noticed += isinstance(found, StorageError)
        path.write_bytes(whole)
    assert noticed > FLIPS / 2


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_a_metric_that_is_no_number_is_refused(folder, word):
    path = next(folder.glob("records/*/gentle-*.json"))
    described = json.loads(path.read_text())
    described["schema_version"] = 3
    described.pop("sha256", None)
    described["metrics"]["namf"] = "HERE"
    path.write_text(json.dumps(described).replace('"HERE"', word))
    with pytest.raises(StorageError, match=path.name):
        load_run(folder)


def test_records_without_a_checksum_are_read_and_said_to_be_unchecked(folder, caplog):
    expected = numbers(folder).replace('"schema_version": 6', '"schema_version": 4')
    for path in [*folder.glob("records/*/*-*.json"), folder / "run.json"]:
        described = json.loads(path.read_text())
        del described["sha256"]
        path.write_text(json.dumps(described))
        with pytest.raises(StorageError, match=path.name):  # a new file needs one
            load_run(folder)
        path.write_text(json.dumps(described | {"schema_version": 4}))
    with caplog.at_level(logging.INFO, "slicebench"):
        assert numbers(folder) == expected
    assert "4 of 4 records have no checksum" in caplog.text


@pytest.mark.parametrize(
    ("key", "value"),
    [("folder", "records/../.."), ("folder", "/etc"), ("record", "../../x"), ("truth", "a/b"), ("record", "..")],
)
def test_the_header_cannot_point_outside_its_folder(folder, key, value):
    described = json.loads((folder / "run.json").read_text())
    described.pop("sha256", None)
    described["schema_version"] = 3
    described["cells"][0][key] = value
    (folder / "run.json").write_text(json.dumps(described))
    with pytest.raises(StorageError, match=r"run[.]json"):
        load_run(folder)


def test_a_record_of_another_cell_is_noticed(folder):
    one, two = sorted(folder.glob("records/first.s[01]/gentle-*.json"))
    two.write_bytes(one.read_bytes())
    with pytest.raises(StorageError, match="first s0 gentle"):
        load_run(folder)
