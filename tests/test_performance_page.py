from __future__ import annotations

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_tables_are_made_of_the_figures():
    spec = importlib.util.spec_from_file_location("performance", ROOT / "scripts" / "performance.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    figures = json.loads(script.FIGURES.read_text(encoding="utf-8"))
    assert set(figures) == {"table", "imagenet", "growth"}
    assert script.page(figures) == script.PAGE.read_text(encoding="utf-8"), "run `python scripts/performance.py page`"
