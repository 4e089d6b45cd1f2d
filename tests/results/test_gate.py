"""The gate: what is worse fails, what is the same passes, what cannot be compared says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slicebench.cli import app
from slicebench.errors import DataError, StorageError
from slicebench.results.board import ControlBoard, ControlRate, ControlRow
from slicebench.results.leaderboard.gate import check_controls, check_scores, check_times
from slicebench.results.leaderboard.settings import Tolerances
from slicebench.results.leaderboard.store import LeaderboardStore, write_outcomes
from slicebench.results.leaderboard.timing import load_ratios, save_ratios
from tests.support.memory_outcomes import MemoryOutcomes, synthetic
from tests.support.paths import ROOT

STATISTICAL, EXACT = Tolerances(), Tolerances(exact=("m",))


@pytest.fixture
def baseline(tmp_path):
    outcomes, suite = synthetic({"m": 1.0, "other": 1.0})
    write_outcomes(outcomes, suite, tmp_path / "b", with_hardness=("m",))
    return LeaderboardStore(tmp_path / "b")


def changed(change, method="m"):
    """The baseline's outcomes with `change(hardness, minority, rng)` applied to one method."""
    old, _ = synthetic({"m": 1.0, "other": 1.0})
    new, rng = MemoryOutcomes(), np.random.default_rng(1)
    for (problem, seed, name), hardness in old.scores.items():
        truth = old.truths[problem, seed]
        if name == method:
            new.add(problem, seed, name, truth, change(hardness, truth.minority, rng))
    return new


def verdict(change, baseline, tolerances):
    (found,) = check_scores(changed(change), baseline, tolerances)
    return found


def test_the_same_passes(baseline):
    for tolerances in (STATISTICAL, EXACT):
        found = verdict(lambda h, g, rng: h, baseline, tolerances)
        assert (found.status, found.cells, found.moved) == ("pass", 6, ())
        assert (found.difference.mean, found.difference.low, found.difference.high) == (0, None, None)


def test_other_last_bits_pass_and_another_scale_does_not(baseline):
    assert verdict(lambda h, g, rng: h * (1 + 1e-12), baseline, EXACT).status == "pass"
    scaled = verdict(lambda h, g, rng: 2 * h, baseline, EXACT)
    assert scaled.status == "fail"
    assert "6 of 6 cells" in scaled.why
    assert scaled.moved == ()  # the ranking is the same
    assert verdict(lambda h, g, rng: 2 * h, baseline, STATISTICAL).why == "unchanged"


def test_what_loses_fails_what_gains_passes_what_may_lose_warns(baseline):
    worse = verdict(lambda h, g, rng: h - 0.5 * g, baseline, STATISTICAL)
    assert worse.status == "fail"
    assert worse.difference.high < -0.02
    assert {m.problem for m in worse.moved} == {"p", "q", "r"}
    assert all(m.difference.mean < 0 for m in worse.moved)
    assert verdict(lambda h, g, rng: h + 0.5 * g, baseline, STATISTICAL).status == "pass"
    assert verdict(lambda h, g, rng: h + 0.5 * g, baseline, EXACT).status == "fail"  # an improvement is an --update
    unsure = verdict(lambda h, g, rng: h + 0.4 * rng.normal(size=len(h)), baseline, STATISTICAL)
    assert unsure.difference.low < -0.02 < unsure.difference.high
    assert unsure.status == "warn"


def test_a_cell_that_breaks_fails_and_one_that_broke_before_does_not(baseline, tmp_path):
    new = changed(lambda h, g, rng: h)
    new.add("q", 1, "m", new.truths["q", 1], None)
    (found,) = check_scores(new, baseline, STATISTICAL)
    assert found.status == "fail"
    assert "1 of 6 cells succeeded in the baseline but not now; q s1: failed: it broke" in found.why
    _, suite = synthetic({"m": 1.0})
    write_outcomes(new, suite, tmp_path / "c")
    (found,) = check_scores(changed(lambda h, g, rng: h), LeaderboardStore(tmp_path / "c"), STATISTICAL)
    assert (found.status, found.cells) == ("pass", 5)


def test_new_methods_and_foreign_runs(baseline):
    new = changed(lambda h, g, rng: h)
    newcomer, _ = synthetic({"newcomer": 1.0})
    with pytest.raises(DataError, match="no cell of this run is in"):
        check_scores(newcomer, baseline, STATISTICAL)
    for (problem, seed, _), hardness in list(new.scores.items()):
        new.add(problem, seed, "newcomer", new.truths[problem, seed], hardness)
    assert {v.method: v.status for v in check_scores(new, baseline, STATISTICAL)} == {"m": "pass", "newcomer": "new"}


def test_other_examples_are_refused(baseline):
    strange, _ = synthetic({"m": 1.0}, seed=9)
    with pytest.raises(DataError, match=r"test examples of p s0, p s1, q s0 \.\.\. differ from those of"):
        check_scores(strange, baseline, STATISTICAL)


def control_board(high):
    rate = ControlRate(control="C0", hits=3, replicates=100, rate=0.03, low=0.01, high=high)
    row = ControlRow(method="m", rates=(rate,), open_rates=(), returned={}, namf=None)
    about = {"seconds": 1.0, "code_version": "0", "hardware": "h", "date": "d"}
    return ControlBoard(replicates=100, alpha=0.05, problems=("p",), controls=(), rows=(row,), **about)


def test_false_alarms():
    assert [v.status for v in check_controls(control_board(0.09), STATISTICAL)] == ["pass"]
    assert [v.status for v in check_controls(control_board(0.11), STATISTICAL)] == ["fail"]
    exempt = Tolerances(fwer_exempt={"m": "it flags errors"})
    (found,) = check_controls(control_board(0.11), exempt)
    assert (found.status, "exempt: it flags errors" in found.why) == ("warn", True)


def test_times():
    baseline = {"a": 1.0, "b": 2.0, "c": 1.0}
    found = check_times({"a": 1.2, "b": 2.6, "c": 1.6, "d": 1.0}, baseline, STATISTICAL)
    assert {v.method: v.status for v in found} == {"a": "pass", "b": "warn", "c": "fail", "d": "new"}


def test_ratios_round_trip_and_are_read_from_pytest_benchmark(tmp_path):
    path = tmp_path / "t.json"
    save_ratios({"b": 2.0, "a": 1.23456}, path)
    assert load_ratios(path) == {"a": 1.2346, "b": 2.0}
    path.write_text(json.dumps({"benchmarks": [{"extra_info": {"method": "a", "ratio": 3.0}}, {"extra_info": {}}]}))
    assert load_ratios(path) == {"a": 3.0}
    for damage in ("", "[]", "{}", '{"ratios": 3}'):
        path.write_text(damage)
        with pytest.raises(StorageError, match="cannot read timings"):
            load_ratios(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--update"], "say why with --reason"),
        (["--update", "--reason", "  "], "say why with --reason"),
        (["--leaderboard", "nowhere"], "nowhere is not a leaderboard"),
        (["nowhere"], "nowhere is not a run folder"),
        (["--controls", "nowhere.json"], "there is no nowhere.json"),
        (["--timings", "nowhere.json"], "cannot read timings"),
        (["--method", "smv_directions"], "svm_directions"),
    ],
)
def test_mistakes_are_one_message(words, said, tmp_path, monkeypatch):

    from slicebench.errors import SlicebenchError

    monkeypatch.chdir(ROOT)
    with pytest.raises(SlicebenchError, match=said):
        app(["check", *words], standalone_mode=False)


GOLDEN = """
name = "mine"
seeds = [0, 1]
methods = ["random", "confidence", "oracle"]
[[problems]]
name = "blobs"
dataset = "gaussian"
params = { plant = "linear", n_train = 300, n_val = 200, n_test = 300, epochs = 3 }
"""


def test_a_repository_of_its_own(tmp_path, monkeypatch, capsys):
    """Baseline, check, a method that got worse, update with a reason: with a suite file, frozen problems or none."""
    import shutil

    from slicebench.results.leaderboard.settings import load_updates
    from slicebench.results.leaderboard.store import LeaderboardStore as Store

    monkeypatch.chdir(tmp_path)
    root = tmp_path / "leaderboard"
    root.mkdir()
    (root / "tolerances.toml").write_text(
        'headline = "mine"\nexact = ["confidence"]\n[golden]\nsuite = "golden.toml"\n'
    )
    (root / "golden.toml").write_text(GOLDEN)
    check = lambda *words: app(["check", "--jobs", "1", *words], standalone_mode=False)
    check("--update", "--reason", "the first")
    assert Store(root / "mine").keeps_hardness("confidence")
    assert {p.name for p in root.iterdir()} >= {"README.md", "index.html", "updates.jsonl"}
    assert check() == 0
    assert "hardness repeats to 0" in capsys.readouterr().out
    assert check("runs/check", "--method", "oracle") == 0
    shutil.copy(root / "mine/scores/oracle.safetensors", root / "mine/scores/random.safetensors")  # once it was better
    capsys.readouterr()
    assert check("runs/check", "--json") == 1
    said = capsys.readouterr()
    verdicts = {v["method"]: v for v in json.loads(said.out)}
    assert verdicts["random"]["status"] == "fail"
    assert verdicts["random"]["difference"]["high"] < -0.02
    assert [m["problem"] for m in verdicts["random"]["moved"]] == ["blobs"]
    assert "again: slicebench check runs/check --method random" in said.err
    check("runs/check", "--method", "random", "--update", "--reason", "as it was")
    assert check("runs/check") == 0
    assert [u.reason for u in load_updates(root)] == ["the first", "as it was"]
