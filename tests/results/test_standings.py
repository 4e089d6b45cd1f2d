"""Rows, ranks, ties and gaps of a board, and its printed forms."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from slicebench.cli.console import print_board
from slicebench.errors import StorageError
from slicebench.evaluation.record import BaseModelSummary, Cost, ProblemFacts, Record, TestTruth
from slicebench.metrics.estimate import Estimate
from slicebench.metrics.ranking import Ranking, namf
from slicebench.plugins.method import SliceScores
from slicebench.results.markdown import captions_table, kinds_table, methods_table, pairs_table, scores_table
from slicebench.results.standings import standings
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.store import Entry, RunStore
from slicebench.runs.suite import ProblemSpec, Suite

N = 300
SUITE = Suite(name="s", seeds=(0, 1), methods=("m",), problems=(ProblemSpec(name="p", dataset="d"),), unit="problem")
FACTS = ProblemFacts(modality="vector", how="as told", groups=("g",), class_names=())


def entry(problem, seed, method):
    return Entry(
        problem=problem, seed=seed, method=method, folder=f"records/{problem}.s{seed}", record=method, truth="problem-0"
    )


def record(e, **outcome):
    return Record(
        problem=e.problem, family="f", dataset="d", dataset_version="1", dataset_params={}, encoder="e", seed=e.seed,
        method=e.method, method_version="1", method_params={}, code_version="0", hardware="h", date="now", **outcome,
    )  # fmt: skip


def model():
    return BaseModelSummary(
        accuracy=0.9, minority_accuracy=0.5, majority_accuracy=0.95, minority_rate=0.3, n_test=N, n_classes=1
    )


@pytest.fixture
def run(tmp_path):
    """Two problems, two seeds; `good` and `close` beat `bad`; `broken` misses one cell, `absent` one record."""
    store, cells = RunStore(tmp_path), []
    strength = {"oracle": None, "random": 0.0, "good": 2.0, "close": 1.98, "bad": 0.4, "broken": 3.0, "absent": 3.0}
    for problem in ("p", "q"):
        for seed in (0, 1):
            rng = np.random.default_rng([seed, len(cells)])
            minority, noise = rng.random(N) < 0.3, rng.normal(size=N)
            truth = TestTruth(np.array([f"{i}" for i in range(N)]), np.zeros(N, dtype=np.int64), minority)
            store.save_truth(entry(problem, seed, "good"), truth, FACTS)
            for method, shift in strength.items():
                e = entry(problem, seed, method)
                if (problem, seed, method) == ("q", 1, "absent"):
                    cells.append((e, None))
                    continue
                if (problem, seed, method) == ("q", 1, "broken"):
                    cells.append((e, record(e, status="failed", reason="it broke")))
                    continue
                h = minority.astype(float) if shift is None else noise + shift * minority
                h = rng.normal(size=N) if method == "random" else h
                h = h + 0.05 * rng.normal(size=N) if method == "close" else h
                metrics = {"namf": namf(Ranking.of(h, minority))}
                cost = Cost(fit_s=shift or 0.0, score_s=0.1, cpu_s=0.1, peak_rss_mb=1.0)
                done = record(e, status="ok", metrics=metrics, base_model=model(), cost=cost)
                store.save(e, done, SliceScores(hardness=h))
                cells.append((e, done))
    return store, cells


def board_of(run):
    store, cells = run
    return standings(RunOutcomes(store, cells), SUITE)


def test_rows_are_sorted_ranked_and_marked(run):
    board = board_of(run)
    assert [r.name for r in board.methods] == ["oracle", "good", "close", "bad", "random", "broken", "absent"]
    rows = {r.name: r for r in board.methods}
    # broken and absent are ahead on p; on q, where they miss a cell, both take the worst rank of five
    assert {m: rows[m].rank for m in ("good", "close", "bad")} == {"good": 2, "close": 3, "bad": 4}
    assert rows["oracle"].rank is rows["random"].rank is None
    assert rows["broken"].rank == rows["absent"].rank == (1.5 + 5) / 2
    assert rows["oracle"].values["namf"] == Estimate(mean=1.0), "equal at every seed: no interval"
    assert rows["random"].values["namf"].low < 0 < rows["random"].values["namf"].high
    behind = {m: board.cells["q"][m].values["namf"].behind for m in ("good", "close", "bad", "oracle")}
    assert behind == {"good": False, "close": False, "bad": True, "oracle": False}
    good = [board.cells[p]["good"].values["namf"] for p in ("p", "q")]
    assert good[0].low < good[0].mean < good[0].high
    assert rows["good"].values["namf"].mean == pytest.approx((good[0].mean + good[1].mean) / 2)
    assert sum(r.wins or 0 for r in board.methods) == pytest.approx(1)


def test_the_comparison_speaks_of_units(run):
    found = board_of(run).comparison
    assert (found.unit, found.units, found.test) == ("problem", 2, "exact sign-flip")
    assert {(p.a, p.b) for p in found.pairs} == {("good", "close"), ("good", "bad"), ("close", "bad")}
    assert all(p.p == 0.5 for p in found.pairs)  # the least of two units
    assert found.cliques == (("good", "close", "bad"),)
    assert found.resolvable > 0
    assert (found.friedman_p, found.friedman_how) == (pytest.approx(1 / 6), "permutations of the ranks within units")
    assert (
        found.too_few
        == "Too few families to tell which methods differ on others: 1 of the 7 that 3 pairs of methods need"
    )


def test_curves_and_ends_of_the_scale(run):
    board = board_of(run)
    assert board.curves["p"]["oracle"][0] == 1
    rate = board.problems[0].minority_rate
    assert all(lines[-1] == pytest.approx(rate, abs=0.06) for lines in board.curves["p"].values())


def test_incomplete_methods_are_unranked_and_say_why(run):
    board = board_of(run)
    rows = {r.name: r for r in board.methods}
    assert rows["broken"].incomplete == "1 of 4 failed; q s1: it broke"
    assert rows["absent"].incomplete == "1 of 4 not run"
    assert "namf" not in rows["broken"].values
    assert (rows["broken"].failures, rows["absent"].failures) == (1, 0)
    assert board.cells["p"]["broken"].values["namf"].low is not None  # what is there is shown
    assert board.cells["q"]["broken"].status == "failed"
    assert board.cells["q"]["broken"].reason == "it broke"
    assert board.cells["q"]["absent"].status == "not run"
    assert board.cells["q"]["broken"].by_seed[1] is None


def test_columns_and_costs(run):
    board = board_of(run)
    assert [(p.name, p.seeds, p.n_test, p.minority_accuracy) for p in board.problems] == [
        ("p", (0, 1), N, 0.5),
        ("q", (0, 1), N, 0.5),
    ]
    assert board.problems[0].how == "as told"
    assert {r.name: r.n for r in board.methods if r.name in ("good", "broken")} == {"good": 4, "broken": 3}
    good = next(r for r in board.methods if r.name == "good")
    assert (good.fit_seconds, good.seconds) == (2.0, pytest.approx(2.1))
    assert good.seconds_per_10k == pytest.approx(2.1e4 / N)


def test_natural_and_planted_problems_are_also_shown_apart(run):
    """Two problems of each kind, two of a family; a method that declines a problem is compared on the others."""
    store, cells = run
    more = []
    for e, done in cells:
        family = "one" if e.problem == "p" else "two"
        for copy in ("natural", "planted"):
            name = f"{e.problem}-{copy}"
            other = Entry(
                problem=name,
                seed=e.seed,
                method=e.method,
                folder=f"records/{name}.s{e.seed}",
                record=e.method,
                truth=name,
            )
            facts = FACTS.model_copy(update={"kind": copy})
            store.save_truth(other, RunOutcomes(store, cells).truth(e.problem, e.seed), facts)
            if done is None or done.status == "failed":
                continue
            if (name, e.method) == ("q-planted", "bad"):
                told = record(other, status="skipped", reason="needs more")
                more.append((other, told.model_copy(update={"family": family})))
                continue
            told = done.model_copy(update={"problem": name, "family": family})
            store.save(
                other, told, SliceScores(hardness=RunOutcomes(store, cells).hardness((e.problem, e.seed, e.method)))
            )
            more.append((other, told))
    more = [(e, r) for e, r in more if e.method not in ("broken", "absent")]
    board = standings(RunOutcomes(store, more), SUITE)
    natural, planted = board.kinds
    assert [(one.kind, one.problems, one.families) for one in board.kinds] == [("natural", 2, 2), ("planted", 2, 2)]
    assert natural.values.keys() == {"good", "close", "bad"}
    assert planted.values.keys() == {"good", "close"}
    assert natural.values["good"].mean == pytest.approx(
        np.mean([board.cells[p]["good"].values["namf"].mean for p in ("p-natural", "q-natural")])
    )
    pairs = {(pair.a, pair.b): pair for pair in board.comparison.pairs}
    assert {name: pair.units for name, pair in pairs.items()} == {
        ("good", "close"): 4, ("good", "bad"): 3, ("close", "bad"): 3,
    }  # fmt: skip
    assert board.kinds_agree is None, "two methods say nothing of agreement"
    assert "natural (2)" in kinds_table(board)


def test_scores_of_other_examples_are_refused(run):
    store, _ = run
    other = TestTruth(np.array(["other"]), np.zeros(1, dtype=np.int64), np.array([True]))
    store.save_truth(entry("p", 0, "good"), other, FACTS)
    with pytest.raises(StorageError, match="different ids"):
        board_of(run)


def test_nothing_planted_prints_dashes_and_an_empty_run_prints(tmp_path):
    store = RunStore(tmp_path)
    e = entry("p", 0, "m")
    nothing = TestTruth(np.array(["a", "b"]), np.zeros(2, dtype=np.int64), np.zeros(2, dtype=bool))
    store.save_truth(e, nothing, FACTS)
    done = record(e, status="ok", metrics={"namf": None}, base_model=model())
    store.save(e, done, SliceScores(hardness=np.zeros(2)))
    board = board_of((store, [(e, done)]))
    assert board.cells["p"]["m"].values == {}
    assert board.comparison is None
    assert "–" in printed(board, 100)
    assert printed(board_of((store, [])), 80)


def printed(board, width):
    out = StringIO()
    print_board(board, Console(file=out, width=width, no_color=True))
    return out.getvalue()


def test_the_table_shows_scores_intervals_and_gaps_and_splits_when_narrow(run):
    board = board_of(run)
    wide, narrow = printed(board, 150), printed(board, 60)
    assert wide.count("methods sorted by mean") == 1
    assert narrow.count("methods sorted by mean") == 2
    assert all(len(line) <= 60 for line in narrow.splitlines())
    for text in (
        "oracle (ref)",
        "1.00",
        "broken is not ranked: 1 of 4 failed; q s1: it broke",
        "2 seeds",
        ".50",
    ):
        assert text in wide, text
    assert "\x1b" not in wide


def test_markdown_says_the_same(run):
    board = board_of(run)
    text = scores_table(board)
    assert text.splitlines()[0] == "| method | mean | rank | p | q |"
    assert "| oracle (ref) | 1.00 | – |" in text
    assert "`broken` is not ranked: 1 of 4 failed; q s1: it broke." in methods_table(board)
    (best,) = [line for line in pairs_table(board).splitlines() if line.startswith("| good | bad")]
    assert best.endswith("| 2 of 2 |")
    assert captions_table(board) == ""
