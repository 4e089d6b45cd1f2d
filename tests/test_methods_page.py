"""docs/methods.md is what its script writes."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from slicebench.registry import METHODS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("methods_page", ROOT / "scripts" / "methods_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script, committed_board):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(committed_board), "run python scripts/methods_page.py"


@pytest.mark.parametrize("name", METHODS.names())
def test_every_docstring_says_what_the_page_shows(script, name):
    kind = METHODS.load(name)
    doc = inspect.cleandoc(kind.__doc__)
    assert script.block(doc, "Complexity")
    assert script.block(doc, "References") or script.block(doc, "Reference")
    for parameter in inspect.signature(kind).parameters:
        assert (
            f"\n{parameter} : " in doc
            or f", {parameter} : " in doc
            or f"\n{parameter}, " in doc
            or f", {parameter}, " in doc
        ), f"{name} does not document {parameter}"
