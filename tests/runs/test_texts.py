"""Texts of plugins, and failures where only a text is asked for, cost their own cell at most."""

from __future__ import annotations

import json
import os

import pytest

from slicebench.errors import LONGEST_TEXT, message_of, safe_text
from slicebench.runs.plan import plan
from slicebench.runs.runner import plan_run, run
from slicebench.runs.store import RunStore
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits
from tests.support.paths import HOSTILE, ROOT

PLACES = ("fit", "notes", "supports", "strength", "version", "get_params", "names")
DEEDS = range(7)
SUITE = """
name = "small"
seeds = [0, 1, 2, 3, 4, 5, 6]
methods = ["says", "gentle"]
[[problems]]
name = "first"
dataset = "tiny"
params = {{ n = 20 }}
[method_params.says]
place = "{place}"
"""


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT)]))


def texts(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    return (
        [value] if isinstance(value, str) else [t for v in value for t in texts(v)] if isinstance(value, list) else []
    )


@pytest.mark.parametrize("place", PLACES)
def test_whatever_a_plugin_says_costs_its_own_cell_only(tmp_path, place):
    suite = parse_suite(SUITE.format(place=place), "x")
    cells = plan(suite)
    outcome = run(suite, cells, out=tmp_path, limits=Limits(jobs=2, timeout_s=60))
    found = {(cell.method, cell.problem.seed): record for cell, record in outcome.records}
    assert {found["gentle", seed].status for seed in DEEDS} == {"ok"}
    assert {found["says", seed].status for seed in (4, 5, 6)} == {"failed"}, found
    for path in tmp_path.glob("records/*/*.json"):
        assert path.stat().st_size < 10**5
        for text in texts(json.loads(path.read_text(encoding="utf-8"))):
            assert len(text) <= LONGEST_TEXT
            assert text.isprintable(), text
    again = plan_run(cells, RunStore(tmp_path))
    assert [item.record.status for item in again] == [record.status for _, record in outcome.records]


@pytest.mark.parametrize("place", ["version", "get_params"])
@pytest.mark.parametrize("deed", DEEDS)
def test_a_plan_needs_no_method_that_knows_itself(place, deed):
    cells = plan(parse_suite(SUITE.format(place=place) + f"seed = {deed}\n", "x"))
    assert len({cell.identity for cell in cells}) == len(cells) == 14


def test_a_safe_text_is_short_printable_and_keeps_its_end():
    class Silent:
        def __str__(self):
            raise RuntimeError

    assert safe_text("plain – text 漢字 é\n\tand more") == "plain – text 漢字 é\n\tand more"
    assert safe_text("\x1b]0;title\x07 \x9b1m \u202e \ud800") == "�]0;title� �1m � �"
    assert safe_text(Silent()) == "(Silent without a readable text)"
    cut = safe_text("a" * 10**6 + "the end")
    assert len(cut) == LONGEST_TEXT
    assert cut.endswith("the end")
    assert "1,000,007 characters, cut" in cut
    assert message_of(ValueError("\x1b[2J")) == "ValueError: �[2J"
