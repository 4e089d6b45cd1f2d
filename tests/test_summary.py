"""Rows, ranks, ties and gaps of the summary, and its printed form."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from slicebench.console import _short, print_summary
from slicebench.errors import StorageError
from slicebench.method import SliceScores
from slicebench.metrics import Ranking, namf
from slicebench.record import BaseModelSummary, Cost, Record
from slicebench.store import Entry, RunHeader, RunStore, TestTruth
from slicebench.summary import summarise

N = 300


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
            store.save_truth(entry(problem, seed, "good"), truth)
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
                metrics = {"namf": namf(Ranking.of(h, minority))}
                cost = Cost(fit_s=shift or 0.0, score_s=0.1, cpu_s=0.1, peak_rss_mb=1.0)
                done = record(e, status="ok", metrics=metrics, base_model=model(), cost=cost)
                store.save(e, done, SliceScores(hardness=h))
                cells.append((e, done))
    return store, cells


def test_rows_are_sorted_ranked_and_marked(run):
    summary = summarise(*run)
    assert [r.method for r in summary.rows] == ["oracle", "good", "close", "bad", "random", "broken", "absent"]
    rows = {r.method: r for r in summary.rows}
    assert [rows[m].rank for m in ("good", "close", "bad", "oracle", "random", "broken")] == [1, 2, 3, None, None, None]
    assert rows["oracle"].mean.mean == rows["oracle"].mean.low == rows["oracle"].mean.high == 1
    assert rows["random"].mean.low < 0 < rows["random"].mean.high
    assert [rows[m].problems["q"].tied for m in ("good", "close", "bad", "oracle")] == [True, True, False, False]
    good = rows["good"]
    assert good.problems["p"].low < good.problems["p"].mean < good.problems["p"].high
    assert good.mean.mean == pytest.approx((good.problems["p"].mean + good.problems["q"].mean) / 2)
    assert good.mean.high - good.mean.low < good.problems["p"].high - good.problems["p"].low


def test_incomplete_methods_are_unranked_and_say_why(run):
    rows = {r.method: r for r in summarise(*run).rows}
    assert rows["broken"].incomplete == "1 of 4 failed; q s1: it broke"
    assert rows["absent"].incomplete == "1 of 4 not run"
    assert rows["broken"].mean is None
    assert rows["broken"].problems["p"].low is not None  # what is there is shown
    assert rows["broken"].problems["q"].low is None


def test_columns_and_costs(run):
    summary = summarise(*run)
    assert [(p.name, p.seeds, p.n_test, p.minority_accuracy) for p in summary.problems] == [
        ("p", (0, 1), N, 0.5),
        ("q", (0, 1), N, 0.5),
    ]
    assert [c.cells for c in summary.costs if c.method in ("good", "broken")] == [4, 3]
    assert [c.fit_s for c in summary.costs] == sorted(c.fit_s for c in summary.costs)


def test_scores_of_other_examples_are_refused(run):
    store, cells = run
    store.save_truth(
        entry("p", 0, "good"), TestTruth(np.array(["other"]), np.zeros(1, dtype=np.int64), np.array([True]))
    )
    with pytest.raises(StorageError, match="different ids"):
        summarise(store, cells)


def test_nothing_planted_prints_dashes_and_an_empty_run_prints(tmp_path):
    store = RunStore(tmp_path)
    e = entry("p", 0, "m")
    store.save_truth(e, TestTruth(np.array(["a", "b"]), np.zeros(2, dtype=np.int64), np.zeros(2, dtype=bool)))
    done = record(e, status="ok", metrics={"namf": None}, base_model=model())
    store.save(e, done, SliceScores(hardness=np.zeros(2)))
    summary = summarise(store, [(e, done)])
    assert summary.rows[0].problems == {"p": None}
    assert "–" in printed(summary, 100)
    assert RunHeader(suite={}).cells == ()
    assert printed(summarise(store, []), 80)


def printed(summary, width):
    out = StringIO()
    print_summary(summary, Console(file=out, width=width, no_color=True))
    return out.getvalue()


def test_the_table_shows_scores_intervals_and_gaps_and_splits_when_narrow(run):
    summary = summarise(*run)
    wide, narrow = printed(summary, 150), printed(summary, 60)
    assert wide.count("methods sorted by mean") == 1
    assert narrow.count("methods sorted by mean") == 2
    assert all(len(line) <= 60 for line in narrow.splitlines())
    for text in (
        "oracle (ref)",
        "1.00",
        "[1.00, 1.00]",
        "broken is not ranked: 1 of 4 failed; q s1: it broke",
        "2 seeds",
        ".50",
    ):
        assert text in wide, text
    assert "\x1b" not in wide


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.52, ".52"), (-0.04, "-.04"), (1.0, "1.00"), (-1.0, "-1.00"), (-0.001, ".00"), (0.999, "1.00")],
)
def test_short_numbers(value, text):
    assert _short(value) == text
