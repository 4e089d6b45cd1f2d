from __future__ import annotations

import json

from tests.support.paths import load_script


def test_the_tables_are_made_of_the_figures():
    script = load_script("regenerate/performance")
    figures = json.loads(script.FIGURES.read_text(encoding="utf-8"))
    assert set(figures) == {"table", "imagenet", "growth"}
    assert script.page(figures) == script.PAGE.read_text(encoding="utf-8"), (
        "run `python scripts/regenerate/performance.py page`"
    )
