"""Sets of candidate captions: merging, order and checks."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.data.captions import CaptionSet
from slicebench.errors import DataError


def test_equal_texts_merge_and_keep_first_seen_order():
    made = CaptionSet.of([["b", "a", "b"], ["c", "a"]], ["x", "x"])
    assert made.texts == ("b", "a", "c")
    assert made.candidates.tolist() == [[True, True, False], [False, True, True]]
    assert made.of_class(1) == ("a", "c")
    assert made.reference_texts == ("x", "x")


def test_candidates_are_a_read_only_copy():
    table = np.ones((1, 2), dtype=bool)
    made = CaptionSet(("a", "b"), table, ("r",))
    table[0, 0] = False
    assert made.candidates.all()
    with pytest.raises(ValueError, match="read-only"):
        made.candidates[0, 0] = False


@pytest.mark.parametrize(
    ("texts", "candidates", "references", "says"),
    [
        (("a", "a"), [[True, True]], ("r",), "'a' more than once"),
        (("a", "b"), [[True, True], [False, False]], ("r", "s"), "class 1 has no candidate"),
        (("a", "b"), [[True, True]], ("r", "s"), r"shape \(1, 2\).*shape \(2, 2\)"),
        (("a", "b"), [[1, 0]], ("r",), "expected booleans"),
        (("a", " "), [[True, True]], ("r",), r"texts\[1\] is ' '"),
        (("a", 3), [[True, True]], ("r",), r"texts\[1\] is 3"),
        ((), np.zeros((1, 0), dtype=bool), ("r",), "texts is empty"),
        (("a",), [[True]], ("",), r"reference_texts\[0\]"),
        ("ab", [[True, True]], ("r",), "texts is the string 'ab'"),
    ],
)
def test_what_does_not_fit_is_named(texts, candidates, references, says):
    with pytest.raises(DataError, match=says):
        CaptionSet(texts, np.array(candidates), references)


@pytest.mark.parametrize(
    ("candidates", "references", "says"),
    [
        ([["a"]], ["r", "s"], "1 classes, but 2 references"),
        ([["a"], []], ["r", "s"], r"candidates\[1\] is empty"),
        (["abc"], ["r"], r"candidates\[0\] is the string 'abc'"),
        ([], [], "empty"),
    ],
)
def test_lists_that_do_not_fit_are_named(candidates, references, says):
    with pytest.raises(DataError, match=says):
        CaptionSet.of(candidates, references)
