"""A share of the campaign of scripts/regenerate/fuzz.py: every entry, a few inputs each; and what the guard sees."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import FAMILIES, campaign, entries, read, table
from tests.fuzz.harness import Box, Bug, Entry, attempt
from tests.support.paths import ROOT

SHARES = {"arrays": 25, "methods": 5, "files": 15, "documents": 15, "datasets": 6, "commands": 5, "own": 8}
"""Inputs of an entry of share 1: some 20 seconds in all."""


@pytest.mark.parametrize("family", FAMILIES)
def test_every_entry_gives_a_result_or_a_typed_error(family):
    counts = campaign(entries(family), SHARES[family], number=1)
    bugs = [f"{name}: {bug}\n{value}" for name, count in counts.items() for bug, value in count.bugs.items()]
    assert not bugs, "\n".join(bugs[:5])
    assert sum(count.inputs for count in counts.values()) >= SHARES[family] * 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_whole_campaign():
    counts = {name: count for family in FAMILIES for name, count in campaign(entries(family), 300).items()}
    assert sum(count.inputs for count in counts.values()) >= 10_000
    assert not [(name, *count.bugs.items()) for name, count in counts.items() if count.bugs]


def test_the_page_shows_the_counts():
    described = read(ROOT / "docs" / "reference" / "reliability.json")
    assert table(described) in (ROOT / "docs" / "reference" / "reliability.md").read_text(encoding="utf-8")
    assert sum(row["inputs"] for row in described["entries"]) >= 10_000
    assert not any(row["bugs"] for row in described["entries"])
    known = {entry.name for family in FAMILIES for entry in entries(family)}
    assert {row["entry"] for row in described["entries"]} == known, "run `python scripts/regenerate/fuzz.py --write`"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _, folder: (folder.parent / "beside").write_text("x"), "forbidden: open"),
        (lambda _, folder: (folder.parent / "cwd" / "stay.txt").unlink(), "forbidden: os.remove"),
        (lambda _, folder: __import__("subprocess").run(["true"], check=False), "forbidden: subprocess"),
        (lambda _, folder: __import__("pickle").loads(b"cos\nsystem\n."), "forbidden: pickle.find_class"),
        (lambda _, folder: bytearray(3 * 2**30), "MemoryError"),
        (lambda _, folder: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_the_guard_sees(tmp_path, call, message):
    box = Box(tmp_path / "box")
    with box.entered(), pytest.raises(Bug, match=message):
        attempt(Entry("x", None, call), None, box)


def test_the_guard_ends_a_hang(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.SECONDS", 0.2)
    box = Box(tmp_path / "box")
    with box.entered(), pytest.raises(Bug, match="hang"):
        attempt(Entry("x", None, lambda *_: __import__("time").sleep(60)), None, box)
