"""Markdown of boards, and that docs/reference/interventions.md quotes the committed ones to the character."""

from __future__ import annotations

import json
import re

import pytest

from slicebench.metrics.estimate import Estimate
from slicebench.studies.interventions.picture import swept
from slicebench.studies.interventions.record import ArmRow, InterventionBoard
from tests.support.paths import ROOT, load_script

MARKDOWN = load_script("regenerate/interventions_markdown")
CIFAR = load_script("regenerate/cifar100_interventions")
EXPERIMENTS = load_script("regenerate/interventions").EXPERIMENTS
PAGE = ROOT / "docs" / "reference" / "interventions.md"
BOARDS = sorted((ROOT / "leaderboard" / "interventions").glob("*.json"))


def row(method, **more):
    about = {"problem": "p", "intervention": "filter", "variant": "filter k=5", "params": {"k": 5}, "method": method}
    return ArmRow(**about | {"values": {"minority": Estimate(mean=0.5)}} | more)


def board_of(*rows):
    return InterventionBoard(suite="s", seeds=(0,), retrain=2, base={}, rows=rows)


def test_differences_are_bold_where_the_interval_excludes_0():
    assert MARKDOWN.signed(Estimate(mean=0.1, low=0.02, high=0.2)) == "**+0.100 [+0.020, +0.200]**"
    assert MARKDOWN.signed(Estimate(mean=-0.1, low=-0.2, high=0.02)) == "-0.100 [-0.200, +0.020]"
    assert MARKDOWN.signed(Estimate(mean=-0.1, low=-0.2, high=-0.02), interval=False) == "**-0.100**"
    assert MARKDOWN.signed(Estimate(mean=0.1)) == "+0.100"
    assert MARKDOWN.signed(None) == "–"


def test_a_table_has_the_arms_that_ended_well():
    gain = Estimate(mean=0.2, low=0.1, high=0.3)
    none = row(None, variant="none", values={"minority": Estimate(mean=0.4)})
    good = row("m", change={"overall": gain}, against={"minority": gain})
    board = board_of(none, good, row("random"), row("bad", values={}, missing="failed"))
    assert MARKDOWN.gains_table(board).splitlines() == [
        "| arm | none | random | m, gain over random |",
        "| --- | :-: | :-: | :-: |",
        "| filter k=5 | 0.400 | 0.500 | **+0.200 [+0.100, +0.300]** |",
    ]
    changes = MARKDOWN.changes_table(board, "overall", interval=False)
    assert changes.splitlines()[-1] == "| filter k=5 | – | **+0.200** |"
    two = board_of(good, row("m", problem="q", change={"overall": gain}))
    assert MARKDOWN.changes_table(two, "overall").splitlines()[-1] == "| q | **+0.200 [+0.100, +0.300]** |"
    more = board_of(good, row("m", problem="q", variant="upweight", change={"overall": gain}))
    assert MARKDOWN.changes_table(more, "overall").splitlines()[-1] == "| q | upweight | **+0.200 [+0.100, +0.300]** |"


def test_the_synthesis_table_has_the_parts_near_captions():
    gain = Estimate(mean=0.2, low=-0.1, high=0.3)
    one = row("m", change={"minority": gain, "overall": gain}, against={"near_hard": gain, "near_easy": gain})
    last = MARKDOWN.synthesis_table(board_of(one), "m").splitlines()[-1]
    assert last == "| p | filter k=5 |" + " +0.200 [-0.100, +0.300] |" * 4


def test_the_debugging_table_has_the_paper_s_accuracies():
    values = {name: Estimate(mean=mean) for name, mean in (("seed", 0.3628), ("heldout", 0.2962), ("overall", 0.6462))}
    one = row(None, values=values, chosen=47426.0)
    same = row(None, values=values, chosen=47426.0, variant="another name")
    text = MARKDOWN.debugging_table(board_of(one), board_of(same))
    assert text.splitlines() == [
        "| arm | added | seed | heldout | test | heldout, gain over random |",
        "| --- | :-: | :-: | :-: | :-: | :-: |",
        "| filter k=5 | 47,426 | 0.363 | 0.296 | 0.646 | – |",
    ]
    two = board_of(one, row(None, values=values, problem="q"))
    assert MARKDOWN.debugging_table(two).splitlines()[-1] == "| q | filter k=5 | 0 | 0.363 | 0.296 | 0.646 | – |"


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


QUOTED = set(EXPERIMENTS) - {"pool"}
"""Boards whose tables are on the page; "pool" is there as a picture."""


def test_the_page_quotes_the_boards_and_nothing_else():
    marks = set(re.findall(r"<!-- ([\w-]+) -->", PAGE.read_text()))
    assert marks == QUOTED | {"retention", "cifar100-filtering", "cifar100-debugging"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_the_page_quotes_the_committed_boards(path):
    board = InterventionBoard.model_validate_json(path.read_text())
    if path.stem in QUOTED:
        assert f"<!-- {path.stem} -->\n{MARKDOWN.page_table(path.stem, board)}<!-- / -->" in PAGE.read_text()
    assert (ROOT / "docs" / "images" / f"interventions-{path.stem}.png").exists()


def test_the_page_quotes_the_figures_of_cifar100():
    found = json.loads((ROOT / "leaderboard" / "cifar100-interventions.json").read_text())
    boards = [InterventionBoard.model_validate(board) for board in found["debugging"].values()]
    filtering = CIFAR.filtering_table(InterventionBoard.model_validate(found["filtering"]))
    page = PAGE.read_text()
    assert f"<!-- cifar100-filtering -->\n{filtering}<!-- / -->" in page
    assert f"<!-- cifar100-debugging -->\n{MARKDOWN.debugging_table(*boards)}<!-- / -->" in page


def test_there_are_committed_boards():
    assert {path.stem for path in BOARDS} == set(EXPERIMENTS)
