"""Caption grammars: the papers' sets, expansion, and errors for broken files."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from slicebench.data.captions.grammar import caption_set, caption_set_names, load_grammar
from slicebench.data.captions.grammar_schema import parse_grammar
from slicebench.errors import ConfigError

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GOOD = """
description = "d"
source = "s"
templates = ["a photo of a {adjective} {class} {phrase}"]
reference = "a photo of a {class}"
[slots]
adjective = ["", "orange"]
phrase = ["", "outside"]
[classes.dog]
phrase = ["on the grass"]
[classes.Big_owl]
"""


def expand(tmp_path, text, classes, **how):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return caption_set(str(path), classes, **how)


def test_expansion_is_in_order_squeezed_and_has_the_right_article(tmp_path):
    made = expand(tmp_path, GOOD, ["dog", "big owl"])
    assert made.of_class(0) == (
        "a photo of a dog",
        "a photo of a dog outside",
        "a photo of a dog on the grass",
        "a photo of an orange dog",
        "a photo of an orange dog outside",
        "a photo of an orange dog on the grass",
    )
    assert made.of_class(1)[0] == "a photo of a Big owl"
    assert made.reference_texts == ("a photo of a dog", "a photo of a Big owl")


def test_classes_may_stand_under_another_entry(tmp_path):
    made = expand(tmp_path, GOOD, ["poodle", "dog"], entries={"poodle": "dog"})
    assert made.of_class(0) == made.of_class(1)
    assert made.reference_texts == ("a photo of a dog",) * 2


def test_nouns_come_from_wordnet_where_the_grammar_says_so(tmp_path):
    text = GOOD.replace("{class} {phrase}", "{noun}").replace('phrase = ["", "outside"]', "")
    text = re.sub(r"\[classes.*", "", text, flags=re.DOTALL) + '[wordnet.noun]\ndog = "dog.n.01"\n[classes.dog]\n'
    made = expand(tmp_path, text, ["dog"], nouns={"dog.n.01": ["pug", "cur"]}.__getitem__)
    assert made.texts == (
        "a photo of a pug",
        "a photo of a cur",
        "a photo of an orange pug",
        "a photo of an orange cur",
    )
    with pytest.raises(ConfigError, match=r"no nouns below dog\.n\.01 for \{noun\} of class 'dog'"):
        expand(tmp_path, text, ["dog"], nouns=lambda _: [])


@pytest.mark.parametrize("name", ["zebra", "dogs"])
def test_an_unknown_class_is_named_with_what_to_do(name):
    with pytest.raises(ConfigError, match=rf"no class '{name}'.*entries=.*\[classes\.{name}\] to a copy of") as told:
        caption_set("cifar10_simple", ["cat", name])
    assert ("did you mean 'dog'" in str(told.value)) == (name == "dogs")


def test_an_unknown_set_is_told_near_names(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'cifar10_simple'"):
        caption_set("cifar10_simpel", ["cat"])
    with pytest.raises(ConfigError, match=r"cannot read the caption set .*missing\.toml"):
        caption_set(str(tmp_path / "missing.toml"), ["cat"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("{phrase}", "{phrases}"), r"\{phrases\} in a template is not a slot; did you mean 'phrase'"),
        (("{phrase}", ""), "no template uses the slot 'phrase'"),
        (("{phrase}", "{phrase"), r"templates\[0\]: expected text with slots in braces"),
        (('phrase = ["", "outside"]', ""), r"classes\.Big_owl\.phrase: missing"),
        (('source = "s"', ""), "source: missing; every caption set needs it"),
        (('source = "s"', "source = 3"), "source: .*valid string.*found 3"),
        (("templates =", "template ="), "template: unknown key; did you mean 'templates'"),
        (('["", "outside"]', "[]"), r"slots\.phrase: .*at least 1"),
        (('["", "outside"]', '"outside"'), r"slots\.phrase: .*valid tuple"),
        (('["", "outside"]', '["out", 3]'), r"slots\.phrase\[1\]: .*valid string"),
        (('["", "outside"]', '["out", "out"]'), r"slots\.phrase: holds 'out' more than once"),
        (('["", "outside"]', '["{class}"]'), r"slots\.phrase\[0\]: words cannot contain braces"),
        (('["on the grass"]', '["outside"]'), r"classes\.dog\.phrase: repeats 'outside' of slots\.phrase"),
        (("Big_owl", "Dog"), r"classes\.Dog: the same class as classes\.dog"),
        (("adjective = [", "class = ["), "cannot be 'class'"),
        (
            ("[classes.Big_owl]", '[wordnet.phrase]\ndgo = "dog.n.01"'),
            r"wordnet\.phrase\.dgo: no such class; did you mean",
        ),
        (("[slots]", "[slots"), "not valid TOML"),
    ],
)
def test_a_broken_file_is_told_where_and_why(change, says):
    assert change[0] in GOOD
    with pytest.raises(ConfigError, match=f"(?s)file x.*{says}"):
        parse_grammar(GOOD.replace(*change), "file x")


def test_a_reference_needs_one_word(tmp_path):
    with pytest.raises(ConfigError, match=r"reference uses \{phrase\}, which has 3 words in class 'dog'"):
        expand(tmp_path, GOOD.replace('"a photo of a {class}"', '"a dog {phrase}"'), ["dog"])


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"cannot read the caption set .*x\.toml"):
        load_grammar(str(tmp_path / "x.toml"))


def test_packaged_sets():
    assert caption_set_names() == ["celeba", "cifar100", "cifar10_extended", "cifar10_simple", "imagenet"]


def test_celeba_has_297_candidates_for_every_class():
    made = caption_set("celeba", ["old", "young"])
    assert made.candidates.shape == (2, 297)
    assert made.candidates.all()
    assert made.reference_texts == ("a photo of a person",) * 2
    assert {"a photo of a young woman who has an oval face", "a photo of a man who has no beard"} <= set(made.texts)
    assert "a photo of an old man who has a goatee" in made.texts


def test_cifar10_simple_counts():
    made = caption_set("cifar10_simple", CIFAR10)
    four = {"airplane", "bird", "cat", "deer", "dog", "ship"}
    assert made.candidates.sum(axis=1).tolist() == [9 * (7 + (4 if name in four else 2)) for name in CIFAR10]
    assert made.candidates.sum(axis=0).tolist() == [1] * len(made.texts)
    assert made.reference_texts[0] == "a photo of an airplane"


def test_cifar10_extended_adds_nouns_to_simple():
    simple = caption_set("cifar10_simple", CIFAR10)
    made = caption_set("cifar10_extended", CIFAR10, nouns=lambda synset: [f"kind of {synset[:-5]}", "thing"])
    assert made.candidates.sum(axis=1).tolist() == (3 * simple.candidates.sum(axis=1)).tolist()
    assert set(simple.texts) <= set(made.texts)
    assert "a photo of a yellow kind of car parked" in made.of_class(1)


def test_cifar100_has_five_candidates_a_superclass():
    names = list(load_grammar("cifar100").classes)
    made = caption_set("cifar100", names)
    assert len(names) == 20
    assert made.candidates.sum(axis=1).tolist() == [5] * 20
    assert len(made.texts) == 100
    plants = made.of_class(names.index("fruit_and_vegetables"))
    assert plants[2:] == ("a photo of an orange", "a photo of a pear", "a photo of a sweet pepper")
    assert made.reference_texts[names.index("aquatic_mammals")] == "a photo of an aquatic mammal"
    assert caption_set("cifar100", ["Aquatic mammals"]).texts == made.of_class(names.index("aquatic_mammals"))


def test_imagenet_ancestors():
    grammar = load_grammar("imagenet")
    text = (files("slicebench.data.captions") / "sets" / "imagenet.toml").read_text(encoding="utf-8")
    published = [int(n) for n in re.findall(r"^\[classes\..*\]  # (\d+)$", text, flags=re.MULTILINE)]
    assert len(grammar.classes) == len(published) == 37
    assert sum(published) == 1000
    made = caption_set("imagenet", list(grammar.classes))
    wanted = [13 * (8 + len(own.get("phrase", ()))) for own in grammar.classes.values()]
    assert made.candidates.sum(axis=1).tolist() == wanted
    assert "a photo of a far away canine in the forest" in made.texts
    tench = caption_set("imagenet", ["tench"], entries={"tench": "fish"})
    assert tench.texts == made.of_class(0)
