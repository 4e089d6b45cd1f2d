"""Nouns below a synset: on a miniature database, and on WordNet 3.0 where it is installed."""

from __future__ import annotations

import pytest

from slicebench.data.captions import wordnet
from slicebench.data.captions.grammar import caption_set, load_grammar
from slicebench.data.captions.wordnet import closest_ancestor, nouns_below, wordnet_folder
from slicebench.errors import ConfigError, StorageError

TREE = {
    "entity": ["animal"],
    "animal": ["dog domestic_dog", "pet"],
    "dog domestic_dog": ["hound", "puppy pup"],
    "pet": ["lap_dog", "puppy pup"],
    "hound": ["beagle"],
    "puppy pup": [],
    "beagle": [],
    "lap_dog": [],
    "plug": [],
    "dog andiron": [],
}
"""Names of each synset, and the synsets below it."""


@pytest.fixture
def mini(tmp_path):
    """Folder of the database, and a word list that lacks "beagle"."""
    at = dict.fromkeys(TREE, 0)
    for _ in range(2):  # offsets have a fixed width, so the second pass has them right
        lines, here = ["  1 licence\n"], len("  1 licence\n")
        for key in TREE:
            at[key] = here
            lines.append(_line(key, at))
            here += len(lines[-1])
    (tmp_path / "data.noun").write_text("".join(lines))
    senses: dict[str, list[int]] = {}
    for key in TREE:
        for lemma in key.split():
            senses.setdefault(lemma, []).append(at[key])
    index = [f"{k} n {len(v)} 1 ~ {len(v)} 0 {' '.join(f'{o:08}' for o in v)}  \n" for k, v in senses.items()]
    (tmp_path / "index.noun").write_text("  1 licence\n" + "".join(index))
    (tmp_path / "words").write_text("dog\nhound\npup\npuppy\npet\nandiron\n")
    return tmp_path


def _line(key, at):
    lemmas = key.split()
    pointers = [("~", at[c]) for c in TREE[key]] + [("@", at[p]) for p, below in TREE.items() if key in below]
    words = " ".join(f"{lemma} 0" for lemma in lemmas)
    tail = "".join(f" {symbol} {offset:08} n 0000" for symbol, offset in pointers)
    return f"{at[key]:08} 05 n {len(lemmas):02x} {words} {len(pointers):03}{tail} | gloss with ~ 00000000 n\n"


def test_descendants_nearest_first_filtered_by_the_word_list(mini):
    given = {"folder": mini, "word_list": mini / "words"}
    assert nouns_below("dog.n.01", **given) == ("hound", "puppy", "pup")
    assert nouns_below("entity.n.01", **given) == ("dog", "pet", "hound", "puppy", "pup")  # puppy once, of two parents
    assert nouns_below("dog.n.02", **given) == ()
    (mini / "more").write_text("beagle\nlap dog\n")
    assert nouns_below("animal.n.01", folder=mini, word_list=mini / "more") == ("lap dog", "beagle")


def test_closest_ancestor_by_name_or_number(mini):
    assert closest_ancestor("beagle.n.01", ["entity", "animal", "dog"], folder=mini) == "dog"
    assert closest_ancestor("dog.n.01", ["domestic dog", "dog"], folder=mini) == "domestic dog"
    start = (mini / "data.noun").read_text().index(" 05 n 01 beagle") - 8
    assert closest_ancestor(f"n{start:08}", ["pet", "animal"], folder=mini) == "animal"
    with pytest.raises(ConfigError, match=r"none of these words names a synset above plug\.n\.01: animal"):
        closest_ancestor("plug.n.01", ["animal"], folder=mini)


@pytest.mark.parametrize(
    ("synset", "error", "says"),
    [
        ("dog", ConfigError, r"'dog' is not a noun synset; expected .*'dog\.n\.01'"),
        ("dgo.n.01", ConfigError, "no noun 'dgo'"),
        ("dog.n.03", ConfigError, r"'dog' has 2 senses; expected dog\.n\.01 to dog\.n\.02"),
        ("dog.n.00", ConfigError, "has 2 senses"),
        ("n00000003", StorageError, "cannot read the synset at byte 3 of"),
        ("n99999999", StorageError, "cannot read the synset"),
    ],
)
def test_a_synset_that_is_not_there_is_named(mini, synset, error, says):
    with pytest.raises(error, match=says):
        nouns_below(synset, folder=mini, word_list=mini / "words")


def test_a_missing_database_or_list_says_what_to_install(mini, monkeypatch, tmp_path):
    monkeypatch.delenv("WNHOME", raising=False)
    monkeypatch.setattr(wordnet, "FOLDERS", (tmp_path / "nowhere",))
    with pytest.raises(ConfigError, match=r"no WordNet database in .*nowhere; install Debian's package wordnet-base"):
        nouns_below("dog.n.01")
    with pytest.raises(StorageError, match=r"elsewhere has no WordNet database \(index\.noun and data\.noun\)"):
        nouns_below("dog.n.01", folder=tmp_path / "elsewhere")
    monkeypatch.setenv("WNHOME", str(mini))
    assert wordnet_folder() == mini
    monkeypatch.setattr(wordnet, "WORD_LIST", tmp_path / "none")
    with pytest.raises(ConfigError, match="install Debian's package wamerican"):
        nouns_below("dog.n.01")
    with pytest.raises(StorageError, match=r"cannot read .*none"):
        nouns_below("dog.n.01", word_list=tmp_path / "none")


def _installed():
    try:
        return wordnet_folder().is_dir() and wordnet.WORD_LIST.is_file()
    except (ConfigError, StorageError):
        return False


@pytest.mark.skipif(not _installed(), reason="needs WordNet 3.0 and an English word list (wordnet-base, wamerican)")
class TestInstalled:
    def test_every_cifar10_synset_has_kinds(self):
        for name, synset in load_grammar("cifar10_extended").wordnet["noun"].items():
            assert nouns_below(synset), name
        assert {"puppy", "poodle", "dachshund"} <= set(nouns_below("dog.n.01"))
        assert "warship" in nouns_below("ship.n.01")

    def test_extended_set(self):
        made = caption_set("cifar10_extended", ["dog", "frog"])
        assert {"a photo of a dog", "a photo of a white poodle in the snow"} <= set(made.of_class(0))
        assert "a photo of a bullfrog in a pond" in made.of_class(1)

    def test_imagenet_classes_by_their_numbers(self):
        among = list(load_grammar("imagenet").classes)
        found = [closest_ancestor(n, among) for n in ("n01440764", "n02110341", "n02123045", "n03594945")]
        assert found == ["fish", "canine", "feline", "wheeled vehicle"]  # tench, dalmatian, tabby, jeep
