"""Find the captions that name a planted group, by whole words and synonyms.

A caption names a group if it mentions every one of the group's concepts. `synonyms.toml` lists the
other names of a concept. A concept that it does not list has only its own name.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def names(caption: str, concepts: Sequence[str]) -> bool:
    """Check whether `caption` mentions every concept.

    A mention is the concept's name, a synonym, or a plural of either, as whole words in any case. A
    hyphen joins words ("man-made" does not mention a man). "_" in a concept is a blank.

    >>> names("a photo of a young lady", ["female", "young"]), names("a photo of a woman", ["male"])
    (True, False)

    Raises
    ------
    DataError
        if `concepts` is a string, empty, or holds a blank one.

    """
    return all(pattern.search(caption) for pattern in _patterns(concepts))


def captions_naming(texts: Iterable[str], concepts: Sequence[str]) -> tuple[str, ...]:
    """Return those of `texts` that name all `concepts`, in order; see `names`.

    >>> captions_naming(["the digit 8", "the digit 18", "an eight"], ["8"])
    ('the digit 8', 'an eight')
    """
    patterns = _patterns(concepts)
    return tuple(text for text in texts if all(pattern.search(text) for pattern in patterns))


def _patterns(concepts: Sequence[str]) -> list[re.Pattern[str]]:
    if isinstance(concepts, str) or not concepts or not all(isinstance(c, str) and c.strip() for c in concepts):
        raise DataError(f"concepts is {concepts!r}; expected a list of words or phrases, such as ['red', 'circle']")
    return [_pattern(" ".join(concept.replace("_", " ").lower().split())) for concept in concepts]


@cache
def _pattern(concept: str) -> re.Pattern[str]:
    """Compile the pattern of a concept in lower case, words separated by single blanks."""
    phrases = (concept, *_synonyms().get(concept, ()))
    either = "|".join(form for phrase in phrases for form in _forms(phrase))
    return re.compile(rf"(?<![\w-])(?:{either})(?![\w-])", re.IGNORECASE)


def _forms(phrase: str) -> tuple[str, str]:
    """Return the patterns of a phrase and of its regular plural; "*" is at most one word."""
    if re.search(r"[^aeiou]y$", phrase):
        plural = phrase[:-1] + "ies"
    else:
        plural = phrase + ("es" if re.search(r"(?:[sxz]|ch|sh)$", phrase) else "s")
    one, many = (re.escape(form).replace(r"\ ", r"\s+").replace(r"\*\s+", r"(?:\S+\s+)?") for form in (phrase, plural))
    return one, many


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    """Return the phrases that name each concept; the tables of the file have no meaning."""
    tables = tomllib.loads((files("slicebench.data.captions") / "synonyms.toml").read_text(encoding="utf-8"))
    return {concept: tuple(phrases) for table in tables.values() for concept, phrases in table.items()}
