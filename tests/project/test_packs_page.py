"""docs/reference/packs.md has the tables that its script makes from the cards."""

from __future__ import annotations

from slicebench_datasets.packs.card import pack_names, read_card
from tests.support.paths import load_script


def test_the_page_is_up_to_date():
    script = load_script("regenerate/packs_page")
    text = script.PAGE.read_text(encoding="utf-8")
    measured = script.known(text)
    assert text == script.page(text, measured), "run python scripts/regenerate/packs_page.py"
    problems = {problem.name for name in pack_names() for problem in read_card(name).problems}
    missing = {name for name in problems if measured.get(name, "–") == "–"}
    assert not missing, "run python scripts/regenerate/packs_page.py --measure"
