"""Which captions name which concepts."""

from __future__ import annotations

from itertools import product

import pytest

from slicebench.data.captions.grammar import caption_set, load_grammar
from slicebench.data.captions.naming import captions_naming, names
from slicebench.errors import DataError
from slicebench_datasets._digits import digit_caption
from slicebench_datasets._render import UNSAID, VALUES, caption


@pytest.mark.parametrize(
    ("text", "concepts", "said"),
    [
        ("a photo of a woman", ["man"], False),
        ("a photo of a woman", ["woman"], True),
        ("a photo of a Lady", ["female"], True),
        ("two men", ["male"], True),
        ("a photo of a girl", ["female"], True),
        ("a photo of a girl", ["woman"], False),
        ("a man-made lake", ["man"], False),
        ("a red circle", ["red", "circle"], True),
        ("a red square", ["red", "circle"], False),
        ("small circles", ["circle"], True),
        ("two crosses", ["cross"], True),
        ("poppies", ["poppy"], True),
        ("the digit 18", ["8"], False),
        ("the digit 8", ["8"], True),
        ("an eight", ["8"], True),
        ("a weight", ["8"], False),
        ("a sweet  pepper", ["sweet_pepper"], True),
        ("a pepper, sweet", ["sweet pepper"], False),
        ("a ring on a light striped background", ["light background"], True),
        ("a ring lit from the light side of a dark background", ["light background"], False),
        ("a bright background", ["light background"], True),
        ("something Zorbly (at last)", ["zorbly"], True),
        ("made in C++", ["c++"], True),
    ],
)
def test_names(text, concepts, said):
    assert names(text, concepts) is said


@pytest.mark.parametrize("concepts", ["red", [], ["red", " "], [3]])
def test_concepts_must_be_a_list_of_words(concepts):
    with pytest.raises(DataError, match="expected a list of words"):
        names("a red circle", concepts)
    with pytest.raises(DataError, match="expected a list of words"):
        captions_naming([], concepts)


def test_captions_naming_keeps_order():
    assert captions_naming(["b red", "blue", "a red"], ["red"]) == ("b red", "a red")


def test_celeba_captions_name_the_gender_of_their_noun():
    texts = caption_set("celeba", ["old"]).texts
    for concept, noun in (("female", " woman"), ("male", " man"), ("woman", " woman"), ("man", " man")):
        assert captions_naming(texts, [concept]) == tuple(t for t in texts if noun in t)
        assert len(captions_naming(texts, [concept])) == 99
        assert len(captions_naming(texts, [concept, "old"])) == 33


def test_cifar100_captions_name_their_own_subclass_only():
    classes = load_grammar("cifar100").classes
    texts = caption_set("cifar100", list(classes)).texts
    subclasses = [name for own in classes.values() for name in own["subclass"]]
    assert [captions_naming(texts, [name.replace(" ", "_")]) for name in subclasses] == [(text,) for text in texts]


def test_scene_captions_name_their_value_and_no_rival():
    """Alone, and beside every value of another attribute; what a caption leaves unsaid is named by none."""
    for attribute, values in VALUES.items():
        others = [{}] + [{name: v} for name in VALUES if name != attribute for v in VALUES[name]]
        for value, other in product(values, others):
            text = caption(**{attribute: value}, **other)
            named = [v for v in values if names(text, [v])]
            assert named == ([] if value in UNSAID else [value]), text


def test_digit_captions_name_their_digit_and_no_other():
    for digit in range(10):
        for text in (digit_caption(digit=digit), digit_caption(digit=digit, colour="red", noisy=True)):
            assert [d for d in range(10) if names(text, [str(d)])] == [digit]
    assert names(digit_caption(digit=1, noisy=True), ["noise"])
    assert names(caption(noise=1.0), ["noisy"])
