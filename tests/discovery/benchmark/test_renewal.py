"""Settings are chosen by causes found, then by false slices; rows of finders that are not renewed are kept."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from slicebench.discovery.benchmark import renewal
from slicebench.discovery.benchmark.bench import BenchRow, run_benchmark
from slicebench.discovery.benchmark.finders import own
from slicebench.discovery.benchmark.finders.peers import SETTINGS, Skipped
from slicebench.discovery.benchmark.score import Shown
from slicebench.discovery.benchmark.tables import recipes
from slicebench.errors import ConfigError
from slicebench.results.board import DiscoveryRow

ONE, OTHER = "regression-0", "tabular-0"


def tried(number, found=0, false=0, **others):
    about = {"set": "tuning", "seed": 0, "table": "t", "kind": "tabular", "finder": f"tree@{number}", "status": "done"}
    return BenchRow(**{**about, "found": found, "false": false, "causes": 4, **others})


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([tried(0, found=1), tried(1, found=2, false=9), tried(2)], 1),
        ([tried(0, found=2, false=2), tried(1, found=2, false=1), tried(2, found=2, false=1)], 1),
        ([tried(2), tried(1), tried(0)], 0),
        ([tried(0, found=1), tried(0, found=1, table="u"), tried(1, found=1)], 0),
        ([tried(0, found=1), tried(1, found=1, kind="class", table="u")], 0),
        ([tried(0, found=1, false=1), tried(1, found=1), tried(1, false=2, kind="null", table="u")], 0),
        ([tried(0, status="skipped"), tried(0, found=1, table="u"), tried(1, found=2)], 1),
    ],
    ids=["most found", "fewer false", "the first", "over all tables", "classes do not count", "nulls do", "skipped"],
)
def test_the_setting_that_finds_most_is_chosen(rows, best):
    assert renewal.best_setting(rows) == best


def test_settings_are_chosen_on_small_tables_of_every_kind():
    of_name = {one.name: one for one in recipes("tuning")}
    chosen = [of_name[name] for name in renewal.CHOSEN_ON]
    assert {one.kind for one in chosen} == {one.kind for one in of_name.values()}
    assert all(len(one.make().frame) <= 2600 for one in chosen)
    assert {len(settings) for settings in own.TUNED.values()} == {8}
    assert own.TUNED.keys() > SETTINGS.keys()


@pytest.fixture
def finders(monkeypatch):
    """A finder whose first setting shows all causes, and `discover`, which shows none."""

    def tree(table, *, knows=False):
        return [Shown(one.rows, str(one)) for one in table.causes] if knows else []

    monkeypatch.setitem(own.OWN, "error_tree", tree)
    monkeypatch.setitem(own.OWN, "discover", lambda table: [])
    monkeypatch.setitem(own.TUNED, "error_tree", ({"knows": False}, {"knows": True}))
    monkeypatch.setattr(renewal, "CHOSEN_ON", (ONE,))
    monkeypatch.setattr(
        renewal,
        "run_benchmark",
        lambda name, finders, *, tables=(ONE, OTHER), **options: run_benchmark(name, finders, tables=tables, **options),
    )


def test_a_board_has_defaults_and_the_best_setting(finders, tmp_path):
    board = renewal.renewed(None, ["error_tree", "discover"], out=tmp_path / "b.json")
    assert [(row.set, row.name) for row in board.rows] == [
        ("report", "discover"),
        ("tuning", "discover"),
        ("report", "error_tree"),
        ("report", "error_tree@1"),
    ]
    plain, best = board.rows[2:]
    assert (plain.found, plain.settings, plain.tables) == (0, "defaults", 2)
    assert (best.found, best.parameters, best.settings) == (best.causes, {"knows": True}, "knows True")
    assert set(best.kinds) == {"regression", "tabular"}
    assert best.kinds["tabular"].found + best.kinds["regression"].found == best.found
    assert [row.name for row in board.reported] == ["error_tree@1", "discover", "error_tree"]


def test_one_finder_can_be_renewed_alone(finders, tmp_path, monkeypatch):
    first = renewal.renewed(None, ["discover", "error_tree"], out=tmp_path / "b.json")
    monkeypatch.setitem(own.OWN, "discover", lambda table: [Shown(one.rows) for one in table.causes])
    second = renewal.renewed(first, ["discover"], out=tmp_path / "c.json")
    assert second.rows[2:] == first.rows[2:]
    assert second.rows[0].found == second.rows[0].causes > first.rows[0].found
    assert renewal.renewed(second, ["error_tree"], out=tmp_path / "b.json") == second


def test_what_cannot_be_renewed_is_said_before_it_is_written(finders, tmp_path, monkeypatch):
    def missing(table, **_):
        raise Skipped("error_tree is not installed")

    monkeypatch.setitem(own.OWN, "error_tree", missing)
    with pytest.raises(ConfigError, match="error_tree cannot run on any tuning table: error_tree is not installed"):
        renewal.renewed(None, ["error_tree"], out=tmp_path / "b.json")
    with pytest.raises(ConfigError, match="unknown finder 'eror_tree' of the board; did you mean 'error_tree'"):
        renewal.renewed(None, ["eror_tree"], out=tmp_path / "b.json")
    with pytest.raises(ConfigError, match="tables of seed 0, not 1"):
        renewal.renewed(renewal.board([]), ["discover"], seed=1, out=tmp_path / "b.json")


def test_tables_without_a_result_are_counted_by_reason():
    rows = [
        tried(0),
        tried(0, table="u", status="skipped", reason="needs classes"),
        tried(0, table="v", status="failed", reason="RuntimeError: p failed: ValueError: 25 for 36"),
    ]
    row = renewal.row_of([one.model_copy(update={"finder": "sliceline@1"}) for one in rows])
    assert row.not_run == {"needs classes": 1, "p failed: ValueError": 1}
    assert row.missing(5) == "4 of 5: needs classes (1); p failed: ValueError (1); not measured (2)"
    assert row.model_copy(update={"tables": 5}).missing(5) == ""


def test_a_part_is_not_more_than_its_whole():
    row = renewal.row_of([tried(0).model_copy(update={"finder": "discover"})])
    with pytest.raises(ValidationError, match="discover: found is 5, which is more than all 4"):
        DiscoveryRow.model_validate(row.model_dump() | {"found": 5})
