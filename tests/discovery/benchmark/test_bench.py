"""The benchmark keeps a row per table and finder, resumes, and says what was skipped or failed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.discovery.benchmark import bench
from slicebench.discovery.benchmark.bench import BenchRow, by_kind, run_benchmark, summed_up
from slicebench.discovery.benchmark.finders import own, peers
from slicebench.discovery.benchmark.finders.peers import Skipped
from slicebench.discovery.benchmark.finders.views import columns_seen, vectors_seen
from slicebench.discovery.benchmark.score import Shown
from slicebench.discovery.benchmark.tables import recipes
from slicebench.errors import ConfigError, StorageError


def truth(table):
    return [Shown(one.rows, str(one)) for one in table.causes]


def failing(table):
    raise RuntimeError("no luck")


def skipping(table):
    raise Skipped("needs pictures")


@pytest.fixture
def finders(monkeypatch):
    monkeypatch.setitem(own.OWN, "truth", truth)
    monkeypatch.setitem(own.OWN, "failing", failing)
    monkeypatch.setitem(own.OWN, "skipping", skipping)


def test_the_truth_finds_everything_and_nothing_else(finders):
    rows = run_benchmark("report", ["truth"], quick=True)
    (found,) = summed_up(rows)
    assert (
        found.found
        == found.causes
        == found.named + sum(r.causes for r in rows if r.right is None and r.kind != "class")
    )
    assert (found.false, found.nulls_shown, found.nulls) == (0, 0, 5)
    assert (found.right, found.class_first, found.class_tables) == (found.named, 2, 2)
    assert found.precision_at_10 == 1
    assert set(by_kind(rows)) == {row.kind for row in rows}


def test_rows_that_are_done_are_not_run_again(finders, tmp_path, monkeypatch):
    out = tmp_path / "bench.json"
    first = run_benchmark("tuning", ["truth", "failing", "skipping"], kind="regression", quick=True, out=out)
    assert [row.status for row in first] == ["done", "failed", "skipped"]
    assert [row.reason for row in first] == ["", "RuntimeError: no luck", "needs pictures"]
    monkeypatch.setitem(own.OWN, "truth", failing)
    monkeypatch.setitem(own.OWN, "failing", truth)
    second = run_benchmark("tuning", ["truth", "failing", "skipping"], kind="regression", quick=True, out=out)
    assert second[0] == first[0]
    assert [row.status for row in second] == ["done", "done", "skipped"]
    assert len(json.loads(out.read_text())["rows"]) == 3


def test_a_file_that_holds_no_results_is_refused(finders, tmp_path):
    out = tmp_path / "bench.json"
    out.write_text("[]")
    with pytest.raises(StorageError, match=r"cannot read .*bench.json.*delete this one to start again"):
        run_benchmark("tuning", ["truth"], kind="regression", quick=True, out=out)
    assert out.read_text() == "[]"


def test_summaries_leave_out_what_is_not_done():
    row = BenchRow(
        set="report",
        seed=0,
        table="t",
        kind="tabular",
        finder="f",
        status="done",
        causes=3,
        found=1,
        shown=3,
        false=2,
        right=1,
    )
    skipped = row.model_copy(update={"table": "u", "status": "skipped"})
    null = row.model_copy(update={"kind": "null", "causes": 0, "found": 0, "right": 0, "table": "v"})
    (got,) = summed_up([row, skipped, null])
    assert (got.found, got.causes, got.false, got.right, got.named) == (1, 3, 2.0, 1, 1)
    assert (got.nulls_shown, got.nulls, got.skipped, got.failed) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dicsover", "unknown finder 'dicsover'; did you mean 'discover'"),
        ("sliceline@8", "sliceline has settings 0 to 7"),
        ("sliceline@x", "sliceline has settings 0 to 7"),
        ("sliceline@", "sliceline has settings 0 to 7"),
        ("error_tree@8", "error_tree has settings 0 to 7"),
        ("discover@1", "discover has no numbered settings"),
        ("discover:kmeans_eror", "kmeans_errors"),
    ],
)
def test_unknown_finders_are_refused(name, says):
    with pytest.raises(Exception, match=says):
        own.finder_of(name)


def test_each_setting_makes_a_finder():
    assert all(own.finder_of(f"{name}@{i}") for name in own.TUNED for i in range(8))


def test_the_error_tree_finds_a_rule_in_one_column():
    table = next(one for one in recipes("tuning") if one.name == "tabular-7").make()
    shown = own.error_tree(table)
    assert all(one.description and one.rows.sum() >= own.LEAST_MEMBERS for one in shown)
    assert max(table.loss[one.rows].mean() for one in shown) > 2 * table.loss.mean()


def test_fisher_keeps_slices_with_more_errors_than_the_rest_of_their_class():
    labels, loss = np.repeat([0, 1], 200), np.zeros(400)
    loss[:30] = 1
    bad, all_of_it, small = np.arange(400) < 40, np.ones(400, bool), np.arange(400) < 10
    assert own.significant(np.column_stack([all_of_it, bad, small, ~bad]), labels, loss) == [1]


@pytest.mark.parametrize("kind", ["tabular", "embedding", "text", "regression"])
def test_a_peer_sees_numbers_and_words_without_the_truth(kind):
    table = recipes("tuning", kind=kind)[0].make()
    seen = columns_seen(table)
    assert set(seen) & {"label", "prediction", "truth"} == set()
    assert ("class" in seen) == (kind != "regression")
    assert {values.dtype.kind for _, values in seen.items()} <= set("fOUT")
    assert np.isfinite(vectors_seen(table)).all()


ANSWERING = """
import sys, json, pathlib, numpy as np
count = 0
for line in sys.stdin:
    folder, count = pathlib.Path(line.strip()), count + 1
    said = json.loads((folder / 'settings.json').read_text())
    if said['name'] == 'broken':
        raise SystemExit('broken')
    while said['name'] == 'slow':
        pass
    loss = np.load(folder / 'table.npz', allow_pickle=False)['loss']
    np.savez(folder / 'slices.npz', masks=loss[None] > 0)
    answer = {'descriptions': [f"{said['name']} {count}"], 'skipped': ''}
    (folder / 'answer.part').write_text(json.dumps(answer))
    (folder / 'answer.part').rename(folder / 'answer.json')
"""


@pytest.fixture
def table():
    return recipes("tuning", kind="tabular")[0].make()


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """Peers are a script that shows all errors, counts its tables, and is broken or slow if its name is."""
    monkeypatch.setattr(peers, "SCRIPT", tmp_path / "script.py")
    monkeypatch.setattr(peers, "_PROCESSES", {})
    peers.SCRIPT.write_text(ANSWERING)
    yield
    for process, _ in peers._PROCESSES.values():
        process.communicate()


def test_a_peer_takes_many_tables_in_a_process_of_its_own(answering, table):
    for count in (1, 2):
        (shown,) = peers.peer("sliceline", {"name": "errors"}, table)
        assert (shown.description, shown.rows.tolist()) == (f"errors {count}", (table.loss > 0).tolist())


def test_a_peer_that_fails_is_started_again(answering, table):
    with pytest.raises(RuntimeError, match="sliceline failed with exit code 1: broken"):
        peers.peer("sliceline", {"name": "broken"}, table)
    assert peers.peer("sliceline", {"name": "errors"}, table)[0].description == "errors 1"


def test_a_peer_that_takes_too_long_is_skipped(answering, table, monkeypatch):
    monkeypatch.setattr(peers, "CPU_S", 0.5)
    with pytest.raises(Skipped, match="takes more than 0 seconds of CPU time"):
        peers.peer("sliceline", {"name": "slow"}, table)
    monkeypatch.setattr(peers, "CPU_S", 60.0)
    assert peers.peer("sliceline", {"name": "errors"}, table)[0].description == "errors 1"


def test_the_command_prints_a_row_per_finder_and_tells_what_failed(finders, tmp_path):
    out = tmp_path / "b.json"
    words = ["discover-bench", "--set", "tuning", "--kind", "regression", "--quick", "--out", str(out)]
    done = CliRunner().invoke(app, [*words, "--finder", "truth"])
    assert done.exit_code == 0
    assert "1 of 1" in done.stdout
    assert "truth on regression-0: done" in done.stderr
    failed = CliRunner().invoke(app, [*words, "--finder", "truth", "--finder", "failing"])
    assert failed.exit_code == 1
    assert "failed: failing on regression-0: RuntimeError: no luck" in failed.stderr


@pytest.mark.parametrize(
    "words", [["--set", "x"], ["--kind", "x"], ["--finder", "x"], ["--method", "x"], ["--out", "x.csv"]]
)
def test_bad_input_is_refused_before_any_work(words):
    done = CliRunner().invoke(app, ["discover-bench", *words])
    assert isinstance(done.exception, Exception)
    assert "x" in str(done.exception)
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tuning", "report"])
def test_discover_shows_nothing_on_most_nulls(name):
    (found,) = summed_up(run_benchmark(name, ["discover"], kind="null"))
    assert found.nulls_shown <= 1
    assert found.failed == 0


def test_unknown_kinds_are_those_without_causes_within_classes():
    assert set(bench.UNKNOWN) <= {one.kind for one in recipes("report")}
    assert ConfigError in Skipped.__mro__
