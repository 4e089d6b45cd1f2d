"""The committed leaderboard: what goes in comes out, what is generated repeats, damage is named."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest

from slicebench.cli import app
from slicebench.errors import ConfigError, StorageError
from slicebench.results.leaderboard.build import build, differing, leaderboard_board
from slicebench.results.leaderboard.settings import Update, load_tolerances, load_updates, note_update
from slicebench.results.leaderboard.store import LeaderboardStore, dense_ranks, write_outcomes
from slicebench.results.standings import standings
from tests.support.memory_outcomes import MemoryOutcomes, synthetic, truth_of
from tests.support.paths import ROOT

COMMITTED = ROOT / "leaderboard"
SHIFTS = {"good": 2.0, "bad": 0.3, "random": 0.0}


@pytest.fixture
def root(tmp_path):
    outcomes, suite = synthetic(SHIFTS)
    write_outcomes(outcomes, suite, tmp_path / "small")
    (tmp_path / "tolerances.toml").write_text('headline = "small"\n')
    return tmp_path


def test_what_goes_in_comes_out(root):
    outcomes, suite = synthetic(SHIFTS)
    store = LeaderboardStore(root / "small")
    assert store.suite == suite
    assert list(store.records) == [(p, s, m) for p in "pqr" for s in (0, 1) for m in SHIFTS]
    for slot, record in store.records.items():
        original = outcomes.records[slot]
        assert record.metrics["namf"] == pytest.approx(original.metrics["namf"], abs=1e-6)
        assert record.model_copy(update={"metrics": {}}) == original.model_copy(update={"metrics": {}})
        kept = store.hardness(slot)
        np.testing.assert_array_equal(np.argsort(kept, kind="stable"), np.argsort(outcomes.scores[slot], kind="stable"))
        np.testing.assert_array_equal(store.truth(*slot[:2]).minority, outcomes.truths[slot[:2]].minority)
    assert store.same_examples("p", 0, outcomes.truths["p", 0].ids)
    assert not store.same_examples("p", 0, outcomes.truths["p", 0].ids[::-1])
    a, b = standings(store, suite), standings(outcomes, suite)
    assert a.comparison == b.comparison
    assert a.cells["p"]["good"].values["namf"] == b.cells["p"]["good"].values["namf"]


def test_dense_ranks_keep_order_and_ties():
    assert dense_ranks(np.array([0.5, -1.0, 0.5, 7.0])).tolist() == [1, 0, 1, 2]
    assert dense_ranks(np.zeros(3)).dtype == np.uint16
    assert dense_ranks(np.arange(70_000.0)).dtype == np.uint32


def test_hardness_itself_is_kept_when_asked(tmp_path):
    outcomes, suite = synthetic(SHIFTS)
    write_outcomes(outcomes, suite, tmp_path, with_hardness=("good",))
    store = LeaderboardStore(tmp_path)
    assert store.keeps_hardness("good")
    assert not store.keeps_hardness("bad")
    np.testing.assert_array_equal(store.hardness(("q", 1, "good")), outcomes.scores["q", 1, "good"])


def test_failed_and_missing_cells_stay_what_they_are(tmp_path):
    outcomes, suite = synthetic(SHIFTS)
    outcomes.add("p", 1, "bad", outcomes.truths["p", 1], None)
    outcomes.records["q", 0, "bad"] = None
    write_outcomes(outcomes, suite, tmp_path)
    store = LeaderboardStore(tmp_path)
    assert store.records["p", 1, "bad"].reason == "it broke"
    assert store.records["q", 0, "bad"] is None
    row = next(row for row in standings(store, suite).methods if row.name == "bad")
    assert row.incomplete == "1 of 6 failed, 1 of 6 not run; p s1: it broke"


def test_one_method_is_rewritten_alone(root):
    better, suite = synthetic({"bad": 1.0})
    before = (root / "small" / "scores" / "good.safetensors").read_bytes()
    write_outcomes(better, suite.model_copy(update={"methods": tuple(SHIFTS)}), root / "small")
    store = LeaderboardStore(root / "small")
    assert (root / "small" / "scores" / "good.safetensors").read_bytes() == before
    # the same noise is not drawn for one method: only the examples' ids must agree
    assert store.records["p", 0, "bad"].metrics["namf"] == pytest.approx(better.records["p", 0, "bad"].metrics["namf"])
    assert set(store.records) == {(p, s, m) for p in "pqr" for s in (0, 1) for m in SHIFTS}


def test_other_examples_are_not_mixed_in(root):
    strange, suite = synthetic({"bad": 1.0}, seed=5)
    with pytest.raises(StorageError, match="which also has results of good, random; run those"):
        write_outcomes(strange, suite, root / "small")
    everything, suite = synthetic(SHIFTS, seed=5)
    write_outcomes(everything, suite, root / "small")
    assert LeaderboardStore(root / "small").same_examples("p", 0, everything.truths["p", 0].ids)


def test_what_is_generated_repeats_to_the_byte(root, tmp_path):
    first, second = build(root), build(root)
    assert first == second
    assert set(first) == {"README.md", "index.html"}
    assert differing(root, first) == ["README.md", "index.html"]
    for name, text in first.items():
        (root / name).write_text(text, encoding="utf-8")
    assert differing(root, first) == []
    assert "| good | " in first["README.md"]
    assert "small" in first["index.html"]


def test_the_command_builds_and_checks(root, capsys):
    run = lambda *words: app(["leaderboard", "build", str(root), *words], standalone_mode=False)
    assert run("--check") == 1
    assert "README.md differs from what the records give" in capsys.readouterr().err
    run()
    assert run("--check") == 0
    (root / "README.md").write_text("edited")
    assert run("--check") == 1


def test_updates_are_told(root):
    note_update(root, Update(date="2026-01-02", suite="small", methods=("good",), reason="because | of it"))
    assert load_updates(root)[0].reason == "because | of it"
    assert "- 2026-01-02, small, records of good: because \\| of it" in build(root)["README.md"]


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("suite.json", "{", "suite.json"),
        ("suite.json", None, "is not a leaderboard"),
        ("truth.safetensors", "x", "truth.safetensors"),
        ("records/good.jsonl", "{}\n", "good.jsonl, line 1"),
        ("scores/good.safetensors", "x", "good.safetensors"),
    ],
)
def test_damage_is_named(root, file, damage, said):
    path = root / "small" / file
    path.unlink() if damage is None else path.write_text(damage)
    with pytest.raises(StorageError, match=said):
        leaderboard_board(root)


def test_tolerances_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="is not a leaderboard"):
        load_tolerances(tmp_path)
    for text, said in {"namf_dorp = 1": "namf_drop", "time_hard = 0.5": "time_hard", "x = [": "TOML"}.items():
        (tmp_path / "tolerances.toml").write_text(text)
        with pytest.raises(ConfigError, match=said):
            load_tolerances(tmp_path)


def test_labels_and_nothing_planted(tmp_path):
    found, rng = MemoryOutcomes(), np.random.default_rng(1)
    truth = truth_of(rng, rate=0.0)
    found.add("p", 0, "m", truth, rng.normal(size=400))
    _, suite = synthetic({"m": 0.0}, problems=("p",), seeds=(0,))
    write_outcomes(found, suite, tmp_path)
    board = standings(LeaderboardStore(tmp_path), suite)
    assert board.comparison is None
    assert board.cells["p"]["m"].status == "ok"


def test_the_committed_leaderboard_is_what_its_records_make(committed_board):
    """`slicebench leaderboard build` on a fresh clone changes no byte."""
    built = build(COMMITTED, committed_board)
    assert differing(COMMITTED, built) == []
    assert len(gzip.compress(built["index.html"].encode())) <= 1e6, "what a server sends"


def test_the_committed_leaderboard_is_whole(committed_board):
    """Every method of the suite has an outcome on every problem, most of them everywhere."""
    store = LeaderboardStore(COMMITTED / "standard-1")
    status = {slot: "missing" if record is None else record.status for slot, record in store.records.items()}
    assert set(status.values()) == {"ok", "skipped"}
    assert {m for _, _, m in store.records} == set(store.suite.methods)
    everywhere = set(store.suite.methods) - {m for (_, _, m), said in status.items() if said == "skipped"}
    assert len(everywhere) >= 20
    (oracle,) = [r for r in committed_board.methods if r.name == "oracle"]
    assert oracle.values["namf"].mean == pytest.approx(1)
    assert committed_board.comparison.units >= 20


def test_a_copy_elsewhere_builds_the_same(root, tmp_path):
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("elsewhere"))
    assert build(copy) == build(root)
