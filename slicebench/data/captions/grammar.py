"""Caption grammars: TOML files that expand to the candidate captions of each class.

    description = "Pets, outdoors or not"
    source = "my own"
    templates = ["a photo of a {adjective} {class} {phrase}"]
    reference = "a photo of a {class}"

    [slots]
    adjective = ["", "white"]
    phrase = ["", "outside"]

    [classes.dog]
    phrase = ["on the grass"]

The rules:

1. A template is expanded with every combination of its slots' words; "" leaves a slot out.
2. A slot's words for a class are those of `slots`, then the class's own, then the nouns below the
   WordNet synset that `wordnet.<slot>.<class>` names.
3. `{class}` is the name under `classes`, with blanks for "_". The reference may use it and any slot
   that has one word in the class.
4. With `classes`, only the classes named there can be expanded. Without, all classes share their
   candidates.
5. White space is squeezed, and "a" becomes "an" before a vowel letter.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from slicebench.data.captions.caption_set import CaptionSet
from slicebench.data.captions.grammar_schema import SLOT, parse_grammar, plain
from slicebench.data.captions.wordnet import nouns_below
from slicebench.errors import ConfigError, did_you_mean
from slicebench.files.toml_documents import document_text, packaged_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from slicebench.data.captions.grammar_schema import Grammar


_ARTICLE = re.compile(r"\b([Aa])(?= [aeiouAEIOU])")


def caption_set_names() -> list[str]:
    """Return the names of the packaged grammars."""
    return packaged_names("data/captions/sets")


def load_grammar(name_or_path: str) -> Grammar:
    """Read a packaged grammar by name, or a file if the text ends in ".toml".

    Raises
    ------
    ConfigError
        naming file, key and expectation.

    """
    return parse_grammar(*document_text(name_or_path, "data/captions/sets", "caption set"))


def caption_set(
    name_or_path: str,
    class_names: Sequence[str],
    *,
    entries: Mapping[str, str] | None = None,
    nouns: Callable[[str], Sequence[str]] = nouns_below,
) -> CaptionSet:
    """Return the candidate captions of each class, and its reference.

    Parameters
    ----------
    name_or_path : str
        A packaged set (`caption_set_names`), or a path ending in ".toml".
    class_names : C strings
        Class names of the problem. Case does not matter, and "_" counts as a blank.
    entries : mapping, optional
        Maps class names to the grammar's classes where they differ: {"tench": "fish"} for ImageNet's
        ancestors.
    nouns : callable
        Returns the nouns below a WordNet synset ("dog.n.01"), for grammars with `wordnet`. By default
        they come from the system's database.

    Returns
    -------
    CaptionSet
        In the order of templates, then of the words of their slots, the last slot fastest.

    Raises
    ------
    ConfigError
        for an unknown set or class, or a file that is not a grammar, naming the key.
    StorageError
        if the grammar needs WordNet and its database cannot be read.

    """
    grammar = load_grammar(name_or_path)
    chosen = [_entry(grammar, name_or_path, name, entries or {}) for name in class_names]
    expanded = {entry: _expand(grammar, name_or_path, entry, nouns) for entry in dict.fromkeys(chosen)}
    return CaptionSet.of([expanded[entry][0] for entry in chosen], [expanded[entry][1] for entry in chosen])


def _entry(grammar: Grammar, where: str, class_name: str, entries: Mapping[str, str]) -> str:
    """Return the grammar's key for a class of the problem.

    A grammar without classes has no keys. Then the class's entry is returned, or else its own name.
    """
    wanted = entries.get(class_name, class_name)
    if not grammar.classes:
        return wanted
    known = {plain(key): key for key in grammar.classes}
    if plain(wanted) not in known:
        raise unknown_class(where, class_name, wanted, list(known))
    return known[plain(wanted)]


def unknown_class(where: str, class_name: str, wanted: str, known: list[str]) -> ConfigError:
    """Return the error for a class that a caption set does not have."""
    looked = f" (looked up as {wanted!r})" if wanted != class_name else ""
    file = where if where.endswith(".toml") else f"a copy of {where}.toml"
    return ConfigError(
        f"caption set {where} has no class {class_name!r}{looked}; map it to one of its classes with "
        f"entries={{{class_name!r}: ...}}, or add a table [classes.{_toml_key(class_name)}] to {file}; "
        + did_you_mean(plain(wanted), known)
    )


def _expand(grammar: Grammar, where: str, entry: str, nouns: Callable[[str], Sequence[str]]) -> tuple[list[str], str]:
    """Return the candidates and the reference of one class of the grammar."""
    words: dict[str, Sequence[str]] = {"class": [" ".join(entry.replace("_", " ").split())]}
    for slot in grammar.defined():
        own = [*grammar.slots.get(slot, ()), *grammar.classes.get(entry, {}).get(slot, ())]
        synset = grammar.wordnet.get(slot, {}).get(entry)
        words[slot] = list(dict.fromkeys([*own, *(nouns(synset) if synset else ())]))
        if not words[slot]:
            raise ConfigError(
                f"caption set {where}: no nouns below {synset} for {{{slot}}} of class {entry!r}; expected at least one"
            )
    for slot in SLOT.findall(grammar.reference):
        if len(words[slot]) != 1:
            raise ConfigError(
                f"caption set {where}: the reference uses {{{slot}}}, which has {len(words[slot])} words in class {entry!r}; "
                "expected one"
            )
    texts = [text for template in grammar.templates for text in _filled(template, words)]
    return texts, next(_filled(grammar.reference, words))


def _filled(template: str, words: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield every combination of the words of a template's slots."""
    slots = list(dict.fromkeys(SLOT.findall(template)))
    for chosen in product(*(words[slot] for slot in slots)):
        text = template.format_map(dict(zip(slots, chosen, strict=True)))
        yield _ARTICLE.sub(r"\1n", " ".join(text.split()))


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
