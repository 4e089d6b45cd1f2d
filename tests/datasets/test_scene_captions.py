"""Captions of scenes, read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicebench.errors import DataError
from slicebench_datasets._render import UNSAID, VALUES, caption
from slicebench_datasets._scene_captions import attributes_of

SIGNS = st.sampled_from([-1.0, 1.0])
SAID = {name: st.sampled_from([v for v in values if v not in UNSAID]) for name, values in VALUES.items()}
SAID |= {"noise": st.just(1.0), "at": st.tuples(SIGNS, SIGNS)}
SOME = st.fixed_dictionaries({}, optional=SAID)
ALL = caption(shape="bar", colour="red", size="large", background="dark", texture="dotted", distractor="dot", at=(1, 1))
WORDS = sorted({*f"an {ALL} upper left lit from with noise shape none even moon".split()})


@given(SOME)
def test_the_inverse_of_caption(said):
    assert attributes_of(caption(**said)) == said


@given(SOME, st.integers(0, 20), st.integers(0, 2), st.lists(st.sampled_from(WORDS), max_size=2))
def test_what_can_be_read_is_what_caption_says(said, at, gone, put):
    """Captions with words left out, added and replaced: either the very text that `caption` gives, or an error."""
    words = caption(**said).split()
    words[at : at + gone] = put
    text = " ".join(words)
    try:
        read = attributes_of(text)
    except DataError:
        return
    assert caption(**read) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the caption is ''; expected words, such as 'a red circle'"),
        (" \t", "expected words"),
        (7, "the caption is 7"),
        ("a small red circl", r"cannot read 'circl' \(word 4\).*did you mean 'circle'"),
        ("A circle", r"cannot read 'A' \(word 1\).*known: a, an"),
        ("an red circle", r"cannot read 'an' \(word 1\) .*did you mean 'a red circle'"),
        ("a circle red", r"cannot read 'red' \(word 3\).*known: in, lit, on, with"),
        ("a large small circle", r"cannot read 'small' \(word 3\)"),
        ("a red", "ends too early; expected next: shape, circle, square"),
        ("a circle on a background", r"cannot read 'on' \(word 3\)"),
        ("a circle on a dark", "ends too early; expected next: plain, striped, checked, dotted, background"),
        ("a circle with a none", r"cannot read 'none' \(word 5\).*known: dot, line"),
        (
            "a circle with noise lit from the left",
            r"cannot read 'with' \(word 3\).*'a circle lit from the left with noise'",
        ),
        ("a circle with noise with noise", r"cannot read 'with' \(word 5\)"),
        ("a circle  in the upper left.", r"cannot read 'left.' \(word 6\)"),
    ],
)
def test_the_word_that_cannot_be_read_is_named(text, message):
    with pytest.raises(DataError, match=message):
        attributes_of(text)
