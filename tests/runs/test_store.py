"""The run folder: round trips, atomicity, errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from slicebench.errors import StorageError
from slicebench.evaluation.record import ProblemFacts, TestTruth
from slicebench.plugins.method import SliceScores
from slicebench.runs.plan import plan
from slicebench.runs.store import RunStore, entry_of, load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import failed_record
from tests.support.paths import HOSTILE

FACTS = ProblemFacts(modality="vector", how="told", groups=("g",), class_names=("c", "d"))
SUITE = """
name = "small"
seeds = [3]
methods = ["gentle", "raises"]
[[problems]]
name = "a"
dataset = "tiny"
"""


@pytest.fixture
def cells(monkeypatch):
    monkeypatch.syspath_prepend(str(HOSTILE))
    return plan(parse_suite(SUITE, "x"))


@pytest.fixture
def store(tmp_path, cells):
    store = RunStore(tmp_path / "run")
    store.open(parse_suite(SUITE, "x"), cells)
    truth = TestTruth(np.array(["x", "ü", "z"]), np.array([0, 1, 1]), np.array([True, False, True]))
    store.save_truth(entry_of(cells[0]), truth, FACTS)
    return store


def ok(cell):
    return failed_record(cell, "x").model_copy(update={"status": "ok", "reason": None, "metrics": {"namf": None}})


def test_records_and_scores_come_back(store, cells):
    entry = entry_of(cells[0])
    assert store.record(entry) is None
    said = SliceScores(
        hardness=np.array([3.0, 1.0, 2.0]),
        flagged=np.array([True, False, True]),
        membership=np.array([[0.5], [0.0], [1.0]]),
        names=("a slice",),
    )
    store.save(entry, ok(cells[0]), said)
    assert store.record(entry) == ok(cells[0]).model_copy(update={"date": store.record(entry).date})
    ids, scores = store.scores(entry)
    assert ids.tolist() == ["x", "ü", "z"]
    for name in ("hardness", "flagged", "membership"):
        np.testing.assert_array_equal(getattr(scores, name), getattr(said, name))
    assert scores.names == ("a slice",)
    assert store.truth(entry).minority.tolist() == [True, False, True]
    assert store.facts(entry) == FACTS
    assert not list(store.folder.glob("**/*.tmp"))


def test_the_path_is_the_identity(cells):
    entry = entry_of(cells[0])
    assert entry.folder == "records/a.s3"
    assert entry.record == f"gentle-{cells[0].identity[:8]}"


def test_scores_are_there_before_the_record(store, cells, monkeypatch):
    seen = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (seen.append(Path(to).suffix), replace(self, to))[1])
    store.save(entry_of(cells[0]), ok(cells[0]), SliceScores(hardness=np.zeros(3)))
    assert seen == [".safetensors", ".json"]


def test_reopening_keeps_earlier_cells_replaces_slots_and_sweeps_leftovers(store, cells):
    leftover = store.folder / "records" / "a.s3" / ".x.json.abc.tmp"
    leftover.write_text("half")
    other = plan(parse_suite(SUITE + "[method_params.gentle]\nscale = 2.0\n", "x"))[:1]
    store.open(parse_suite(SUITE, "x"), other)
    entries = {e.method: e for e in store.header().cells}
    assert set(entries) == {"gentle", "raises"}
    assert entries["gentle"] == entry_of(other[0]) != entry_of(cells[0])
    assert not leftover.exists()


def test_load_run_reads_what_there_is(store, cells):
    store.save(entry_of(cells[1]), failed_record(cells[1], "because"), None)
    run = load_run(store.folder)
    assert [e.slot for e in run.entries] == [("a", 3, "gentle"), ("a", 3, "raises")]
    assert {slot: r.reason for slot, r in run.records.items()} == {("a", 3, "raises"): "because"}


@pytest.mark.parametrize("damage", ["", '{"schema_version": 1, "prob', "[]", '{"schema_version": 1}', "\x00\xff"])
def test_an_unreadable_record_is_named_with_a_remedy(store, cells, damage):
    entry = entry_of(cells[0])
    path = store.folder / entry.folder / f"{entry.record}.json"
    path.write_bytes(damage.encode("latin-1"))
    with pytest.raises(StorageError, match="delete this file and run again") as caught:
        store.record(entry)
    assert str(path) in str(caught.value)


def test_a_later_schema_is_refused(store, cells):
    entry = entry_of(cells[0])
    described = json.loads(ok(cells[0]).model_dump_json()) | {"schema_version": 99}
    (store.folder / entry.folder / f"{entry.record}.json").write_text(json.dumps(described))
    with pytest.raises(StorageError, match="schema version 99"):
        store.record(entry)


def test_truncated_scores_and_strange_folders_are_errors(store, cells, tmp_path):
    entry = entry_of(cells[0])
    store.save(entry, ok(cells[0]), SliceScores(hardness=np.zeros(3)))
    path = store.folder / entry.folder / f"{entry.record}.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(StorageError, match="cannot read"):
        store.scores(entry)
    with pytest.raises(StorageError, match="not a run folder"):
        load_run(tmp_path / "nothing")
