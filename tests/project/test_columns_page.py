"""docs/reference/columns.md has the tables that its script makes from the code."""

from __future__ import annotations

from slicebench.data.schema.kinds import KINDS, NOTHING, WHY
from tests.support.paths import load_script


def test_the_page_is_up_to_date():
    script = load_script("regenerate/columns_page")
    text = script.PAGE.read_text(encoding="utf-8")
    assert text == script.page(text), "run python scripts/regenerate/columns_page.py"


def test_every_kind_without_a_use_has_a_reason():
    assert {name for name, kind in KINDS.items() if kind.rules == NOTHING} == {*WHY}
