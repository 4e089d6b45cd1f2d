"""The gate: what is worse fails, what is the same passes, what cannot be compared says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slicebench.cli import app
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.results.board import ControlBoard, ControlRate, ControlRow
from slicebench.results.leaderboard.gate import check_controls, check_scores, check_times, left_out
from slicebench.results.leaderboard.settings import Tolerances, load_tolerances
from slicebench.results.leaderboard.store import LeaderboardStore, write_outcomes
from slicebench.results.leaderboard.timing import load_ratios, save_ratios
from tests.support.memory_outcomes import MemoryOutcomes, synthetic
from tests.support.paths import ROOT

STATISTICAL, EXACT, MOVING = Tolerances(), Tolerances(exact=("m",)), Tolerances(moving=("m",))


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


def two_swapped(h, g, rng):
    """Two neighbours in the middle, far enough apart that rounding cannot swap them."""
    found, order = h.copy(), np.argsort(h)
    apart = np.flatnonzero(np.diff(h[order]) > 1e-4 * np.ptp(h))
    first, second = order[apart[len(apart) // 2]], order[apart[len(apart) // 2] + 1]
    found[first], found[second] = h[second], h[first]
    return found


def near_ties_swapped(h, g, rng):
    """What another processor does: the last bits differ."""
    return h + 1e-9 * rng.normal(size=len(h))


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        (lambda h, g, rng: h * (1 + 1e-12), "pass", "hardness repeats"),
        (lambda h, g, rng: 3 * h, "pass", "hardness repeats"),
        (lambda h, g, rng: 3 * h - 5, "pass", "hardness repeats"),
        (near_ties_swapped, "pass", "hardness repeats"),
        (lambda h, g, rng: np.exp(h), "warn", "the order repeats, but hardness differs by more than its scale"),
        (two_swapped, "fail", "the order changed in 6 of 6 cells, first in p s0"),
        (lambda h, g, rng: -h, "fail", "the order changed in 6 of 6 cells"),
        (lambda h, g, rng: np.maximum(h, 0), "fail", "the order changed"),  # what was told apart is tied
        (lambda h, g, rng: np.zeros(len(h)), "fail", "the order changed"),
    ],
)
def test_exact_methods_repeat_their_order(change, status, why, baseline):
    found = verdict(change, baseline, EXACT)
    assert (found.status, found.why[: len(why)]) == (status, why)


def test_another_scale_does_not_move_nAMF(baseline):
    found = verdict(lambda h, g, rng: 3 * h, baseline, EXACT)
    assert found.moved == ()
    assert verdict(lambda h, g, rng: 3 * h, baseline, STATISTICAL).why == "unchanged"


def loses(share):
    """Put a share of the minority at the end, at random: a small loss that differs from cell to cell."""
    return lambda h, g, rng: np.where(g & (rng.random(len(h)) < share), h.min() - 1, h)


def test_a_loss_of_a_hundredth_warns(baseline):
    found = verdict(loses(0.02), baseline, STATISTICAL)
    assert -0.02 < found.difference.mean < -0.005
    assert found.status == "warn"
    assert "loses" in found.why


def gains_and_loses(h, g, rng):
    """A loss on average, in which the cells contradict each other."""
    sign = 1 if rng.random() < 0.4 else -1
    return h + 0.02 * sign * g


def test_a_real_loss_is_one_that_repeats_or_that_the_cells_agree_on(baseline):
    """A method that another processor moves needs an interval below 0; the others none."""
    moving = Tolerances(moving=("m",), namf_drop=0.1)
    steady, drifting = (verdict(gains_and_loses, baseline, one) for one in (Tolerances(namf_drop=0.1), moving))
    assert steady.difference.mean == drifting.difference.mean < -0.001
    assert steady.difference.high > 0
    assert (steady.status, drifting.status) == ("warn", "pass")
    assert "it repeats on the same problem" in steady.why
    agreed = verdict(lambda h, g, rng: h - 0.05 * g, baseline, moving)
    assert (agreed.status, agreed.why[:15]) == ("warn", "certainly loses")


def test_problems_with_another_base_model_are_left_out(baseline):
    """A problem that was built again on another processor; the loss on it is not the method's."""
    new = changed(lambda h, g, rng: h)
    for seed in (0, 1):
        slot = ("q", seed, "m")
        model = new.records[slot].base_model.model_copy(update={"accuracy": 0.8912})
        new.add("q", seed, "m", new.truths["q", seed], -new.scores[slot], base_model=model)
    for tolerances in (STATISTICAL, EXACT):
        (found,) = check_scores(new, baseline, tolerances)
        assert (found.status, found.cells, found.moved) == ("pass", 4, ())
    assert [(one.problem, one.seed) for one in left_out(new, baseline)] == [("q", 0), ("q", 1)]
    assert left_out(new, baseline)[0].why.endswith(
        "another base model than in the baseline (accuracy 0.8912, then 0.9000)"
    )


def test_nothing_to_compare_is_a_warning(baseline):
    new = changed(lambda h, g, rng: h)
    for (problem, seed, _), hardness in list(new.scores.items()):
        model = new.records[problem, seed, "m"].base_model.model_copy(update={"minority_accuracy": 0.4})
        new.add(problem, seed, "m", new.truths[problem, seed], hardness, base_model=model)
    (found,) = check_scores(new, baseline, STATISTICAL)
    assert (found.status, found.cells) == ("warn", 0)
    assert "nothing is compared" in found.why


def test_what_loses_fails_what_gains_passes_what_may_lose_warns(baseline):
    worse = verdict(lambda h, g, rng: h - 0.5 * g, baseline, STATISTICAL)
    assert worse.status == "fail"
    assert worse.difference.high < -0.02
    assert {m.problem for m in worse.moved} == {"p", "q", "r"}
    assert all(m.difference.mean < 0 for m in worse.moved)
    assert verdict(lambda h, g, rng: h + 0.5 * g, baseline, STATISTICAL).status == "pass"
    assert verdict(lambda h, g, rng: h + 0.5 * g, baseline, EXACT).status == "fail"  # an improvement is an --update
    unsure = verdict(lambda h, g, rng: h + 0.4 * rng.normal(size=len(h)), baseline, MOVING)
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


class Golden(LeaderboardStore):
    """The committed baseline, whose examples are taken for those of the run."""

    def same_examples(self, problem, seed, ids):
        return True


def on_golden(method, change, problems):
    """The verdict on a method of the golden baseline whose hardness is changed on some of its problems."""
    store, new, rng = Golden(ROOT / "leaderboard" / "golden"), MemoryOutcomes(), np.random.default_rng(0)
    for (problem, seed, name), record in store.records.items():
        if name == method and problem in problems:
            truth, hardness = store.truth(problem, seed), store.hardness((problem, seed, name))
            new.add(problem, seed, name, truth, change(hardness, truth.minority, rng), base_model=record.base_model)
    (found,) = check_scores(new, store, load_tolerances(ROOT / "leaderboard"))
    return found


SMALL = ("uci-sentiment", "colored-digits", "digit-subtypes", "noisy-digits")


def test_a_loss_of_a_hundredth_on_the_golden_problems_warns():
    found = on_golden("svm_directions", loses(0.02), SMALL)
    assert -0.02 < found.difference.mean < -0.005, found.difference
    assert (found.status, found.cells) == ("warn", 8)


def test_an_exact_method_on_the_golden_problems():
    assert on_golden("confidence", lambda h, g, rng: 3 * h, SMALL).status == "pass"
    assert on_golden("confidence", two_swapped, SMALL).status == "fail"


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
    with pytest.raises(StorageError, match=r"has no suite\.json"):
        check()
    check("--update", "--reason", "the first")
    assert {p.name for p in (root / "problems").iterdir()} == {"blobs.s0", "blobs.s1"}
    assert "blobs.s1 frozen; commit it with the baseline" in capsys.readouterr().err
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
    shutil.rmtree(root / "problems" / "blobs.s1")
    assert check("--method", "oracle") == 0
    assert "left out: blobs s1: it is not frozen in" in capsys.readouterr().err
    shutil.rmtree(root / "problems")
    with pytest.raises(ConfigError, match=r"no problem of the suite mine is frozen .* --update"):
        check()
    assert [u.reason for u in load_updates(root)] == ["the first", "as it was"]
