"""docs/reference/methods.md is what its script writes."""

from __future__ import annotations

import inspect

import pytest

from slicebench.plugins.registry import METHODS
from tests.support.paths import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("regenerate/methods_page")


def test_the_page_is_up_to_date(script, committed_board):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(committed_board), (
        "run python scripts/regenerate/methods_page.py"
    )


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
