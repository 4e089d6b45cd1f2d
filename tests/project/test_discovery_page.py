"""docs/reference/discovery-benchmark.md has the tables that its script makes from leaderboard/discovery.json."""

from __future__ import annotations

from slicebench.discovery.benchmark.finders.own import TUNED
from slicebench.discovery.benchmark.renewal import CHOSEN_ON, RENEWED
from slicebench.results.leaderboard.settings import load_discovery
from slicebench.results.markdown import discovery_table
from tests.support.paths import load_script

SCRIPT = load_script("regenerate/discovery_benchmark")
BOARD = load_discovery(SCRIPT.BOARD)


def test_the_page_is_up_to_date():
    text = SCRIPT.PAGE.read_text(encoding="utf-8")
    assert text == SCRIPT.page(text, BOARD), "run python scripts/regenerate/discovery_benchmark.py"


def test_the_leaderboard_has_the_same_table():
    assert discovery_table(BOARD).rstrip() in (SCRIPT.BOARD.parent / "README.md").read_text(encoding="utf-8")


def test_the_board_is_small_and_of_the_finders_of_today():
    assert SCRIPT.BOARD.stat().st_size < 60_000
    assert {row.finder for row in BOARD.rows} == set(RENEWED)
    assert BOARD.chosen_on == CHOSEN_ON
    for row in BOARD.rows:
        assert row.parameters == ({} if row.setting is None else TUNED[row.finder][row.setting]), row.name
        assert row.tables + sum(row.not_run.values()) <= BOARD.tables


def test_the_page_lists_the_tables_on_which_settings_are_chosen():
    text = SCRIPT.PAGE.read_text(encoding="utf-8")
    assert [name for name in CHOSEN_ON if f"`{name}`" not in text] == []
