"""docs/reference/standard-suite.md has the tables that its script makes from suite, cards and calibration."""

from __future__ import annotations

from tests.support.paths import load_script


def test_the_page_is_up_to_date():
    script = load_script("regenerate/suite_page")
    text = script.PAGE.read_text(encoding="utf-8")
    assert text == script.page(text), "run python scripts/regenerate/suite_page.py"
