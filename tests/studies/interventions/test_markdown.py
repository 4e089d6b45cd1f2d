"""Markdown of boards, and that docs/interventions.md quotes the committed ones to the character."""

from __future__ import annotations

import pytest

from slicebench.metrics.estimate import Estimate
from slicebench.studies.interventions.picture import swept
from slicebench.studies.interventions.record import ArmRow, InterventionBoard
from tests.support.paths import ROOT, load_script

MARKDOWN = load_script("regenerate/interventions_markdown")
BOARDS = sorted((ROOT / "leaderboard" / "interventions").glob("*.json"))


def row(method, **more):
    about = {"problem": "p", "intervention": "filter", "variant": "filter k=5", "params": {"k": 5}, "method": method}
    return ArmRow(**about | {"values": {"minority": Estimate(mean=0.5)}} | more)


def board_of(*rows):
    return InterventionBoard(suite="s", seeds=(0,), retrain=2, base={}, rows=rows)


def test_differences_stand_out_where_the_interval_excludes_0():
    assert MARKDOWN.signed(Estimate(mean=0.1, low=0.02, high=0.2)) == "**+.100 [+.020, +.200]**"
    assert MARKDOWN.signed(Estimate(mean=-0.1, low=-0.2, high=0.02)) == "-.100 [-.200, +.020]"
    assert MARKDOWN.signed(Estimate(mean=-0.1, low=-0.2, high=-0.02)).startswith("**-.100")
    assert MARKDOWN.signed(Estimate(mean=0.1)) == "+.100"
    assert MARKDOWN.signed(None) == "–"


def test_a_table_has_the_arms_that_ended_well():
    gain = Estimate(mean=0.2, low=0.1, high=0.3)
    good = row(
        "m", change={"minority": gain}, against={"minority": gain}, recovery=Estimate(mean=0.75), chosen_minority=0.4
    )
    text = MARKDOWN.effects_table(board_of(good, row("bad", values={}, missing="failed")))
    assert len(text.splitlines()) == 3
    cells = "| p | filter k=5 m | .50 | **+.200 [+.100, +.300]** | **+.200 [+.100, +.300]** | – | 75% | .40 |"
    assert text.splitlines()[-1] == cells
    assert len(MARKDOWN.effects_table(board_of(good), methods=("other",)).splitlines()) == 2


def test_the_debugging_table_has_the_paper_s_columns():
    values = {name: Estimate(mean=mean) for name, mean in (("seed", 0.3628), ("heldout", 0.2962), ("overall", 0.6462))}
    measures = {"dimensions": 384.0, "megabytes": 1.5, "retrieval_s": 0.25}
    one = row(None, values=values, measures=measures, chosen=47426.0)
    assert MARKDOWN.debugging_table(board_of(one)).splitlines()[-1] == (
        "| p | filter k=5 | 47,426 | 36.28 | 29.62 | 64.62 | – | 384 | 1.5 | 0.25 |"
    )


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([{"k": 5}, {"k": 10}, {"k": 20}], "k"),
        ([{"k": 5}, {"k": 10}], None),
        ([{"rule": "a"}, {"rule": "b"}, {"rule": "c"}], None),
        ([{"on": True}, {"on": False}, {"on": True}], None),
        ([{"k": 5, "q": 1}, {"k": 10, "q": 2}, {"k": 20, "q": 3}], None),
    ],
)
def test_lines_are_drawn_over_one_numeric_parameter(params, expected):
    rows = [row("m", params=one) for one in params]
    assert swept(rows) == expected
    assert swept([*rows, row("m", intervention="upweight")]) is None


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_the_page_quotes_the_committed_boards(path):
    board = InterventionBoard.model_validate_json(path.read_text())
    table = (
        MARKDOWN.debugging_table(board)
        if path.stem in ("debugging", "spaces", "multi")
        else MARKDOWN.effects_table(board)
    )
    page = (ROOT / "docs" / "interventions.md").read_text()
    start = f"<!-- {path.stem} -->\n"
    if start in page:
        assert page.partition(start)[2].startswith(table + "<!-- / -->")
    assert (ROOT / "docs" / "images" / f"interventions-{path.stem}.png").exists()


def test_there_are_committed_boards():
    assert {path.stem for path in BOARDS} >= {"main", "synthesis", "debugging"}
