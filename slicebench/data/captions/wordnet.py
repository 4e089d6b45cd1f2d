"""Look up nouns in WordNet: those below a synset, or the nearest of some words above it.

Two files of the database are read as wndb(5WN) describes them, so Debian's package, Princeton's
archive and NLTK's copy all work. NLTK's own reader would not: it needs files that Debian leaves out,
and it rejects folders outside its data path.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slicebench.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


FOLDERS = (Path("/usr/share/wordnet"), Path("/usr/local/share/wordnet"), Path("/usr/local/WordNet-3.0/dict"))
FILES = ("index.noun", "data.noun")
WORD_LIST = Path("/usr/share/dict/words")
HOW = (
    "install Debian's package wordnet-base (it goes to /usr/share/wordnet), or unpack WNdb-3.0.tar.gz from "
    "https://wordnet.princeton.edu/download and set WNHOME to the folder that holds dict/"
)
_SENSE = re.compile(r"(?P<lemma>.+)\.n\.(?P<number>[0-9]+)")
_ID = re.compile(r"n(?P<offset>[0-9]{8})")


class _Synset(NamedTuple):
    lemmas: tuple[str, ...]
    below: tuple[int, ...]  # offsets in data.noun
    above: tuple[int, ...]


def wordnet_folder(folder: str | Path | None = None) -> Path:
    """Return the folder of the database.

    It is the given one, else $WNHOME or its dict/, else the folder where packages install it.

    Raises
    ------
    StorageError
        if a given folder, or WNHOME, lacks index.noun or data.noun.
    ConfigError
        if none is given and none is found; the message says what to install.

    """
    home = os.environ.get("WNHOME")
    tried = [Path(folder)] if folder else [Path(home) / "dict", Path(home)] if home else list(FOLDERS)
    for path in tried:
        if all((path / name).is_file() for name in FILES):
            return path
    if folder or home:
        raise StorageError(f"{folder or home} has no WordNet database ({' and '.join(FILES)}); {HOW}")
    raise ConfigError(f"no WordNet database in {', '.join(map(str, tried))}; {HOW}")


def nouns_below(
    synset: str, *, folder: str | Path | None = None, word_list: str | Path | None = None
) -> tuple[str, ...]:
    """Return the descendants of `synset` that are in a list of English words, nearest first.

    The synset's own names are left out, unless a descendant shares them. Instances ("Seabiscuit") are
    not followed.

    Parameters
    ----------
    synset : str
        Name such as "dog.n.01", or number as in ImageNet, "n02084071".
    folder : path, optional
        Folder of the database; see `wordnet_folder`.
    word_list : path, optional
        File with one word per line (UTF-8); /usr/share/dict/words if None.

    Raises
    ------
    ConfigError
        for an unknown synset, or if no database or word list is given and none is found.
    StorageError
        for a file that cannot be read.

    """
    path = wordnet_folder(folder)
    known = _known_words(Path(word_list) if word_list else _system_words())
    lemmas = (lemma for one in _walk(path, _offset(path, synset), down=True) for lemma in one.lemmas)
    return tuple(lemma for lemma in dict.fromkeys(lemmas) if lemma in known)


def closest_ancestor(synset: str, ancestors: Sequence[str], *, folder: str | Path | None = None) -> str:
    """Return the word of `ancestors` that names the nearest synset above `synset`, or itself.

    If several of the words name that synset, the first listed is returned.

    Raises
    ------
    ConfigError, StorageError
        for the same reasons as in `nouns_below`, and if no word names any ancestor.

    """
    path = wordnet_folder(folder)
    start = _offset(path, synset)
    for one in (_read(path, start), *_walk(path, start, down=False)):
        for word in ancestors:
            if word in one.lemmas:
                return word
    raise ConfigError(
        f"none of these words names a synset above {synset}: {', '.join(ancestors)}; 'entity' is above every noun"
    )


def _walk(path: Path, start: int, *, down: bool) -> Iterator[_Synset]:
    """Yield the synsets below or above `start`, breadth first, each once, without `start`."""
    first = _read(path, start)
    seen = {start}
    waiting = list(first.below if down else first.above)
    for offset in waiting:  # grows while it is read
        if offset not in seen:
            seen.add(offset)
            one = _read(path, offset)
            waiting.extend(one.below if down else one.above)
            yield one


def _offset(path: Path, synset: str) -> int:
    """Return the position of a synset in data.noun, in bytes."""
    if by_number := _ID.fullmatch(synset):
        return int(by_number["offset"])
    sense = _SENSE.fullmatch(synset)
    if not sense:
        raise ConfigError(
            f"{synset!r} is not a noun synset; expected a name such as 'dog.n.01' or a number such as 'n02084071'"
        )
    lemma, number = sense["lemma"].lower().replace(" ", "_"), int(sense["number"])
    senses = _senses(path, lemma)
    if not senses:
        raise ConfigError(
            f"WordNet has no noun {lemma!r}; expected a noun and the number of its sense, such as 'dog.n.01'"
        )
    if not 1 <= number <= len(senses):
        raise ConfigError(
            f"the noun {lemma!r} has {len(senses)} senses; expected {lemma}.n.01 to {lemma}.n.{len(senses):02}"
        )
    return senses[number - 1]


def _senses(path: Path, lemma: str) -> tuple[int, ...]:
    """Return the offsets of a noun's senses, the most frequent first; none if WordNet lacks it."""
    line = next((line for line in _index(path).splitlines() if line.startswith(f"{lemma} n ")), None)
    if line is None:
        return ()
    fields = line.split()
    return tuple(int(field) for field in fields[len(fields) - int(fields[2]) :])


@cache
def _index(path: Path) -> str:
    return _text(path / "index.noun")


def _read(path: Path, offset: int) -> _Synset:
    """Read the synset at `offset` of data.noun."""
    try:
        with (path / "data.noun").open("rb") as file:
            file.seek(offset)
            return _parsed(file.readline().decode(), offset)
    except (OSError, ValueError, IndexError) as error:
        raise StorageError(
            f"cannot read the synset at byte {offset} of {path / 'data.noun'}: {error}; {HOW}"
        ) from error


def _parsed(line: str, offset: int) -> _Synset:
    """Parse the synset of a line of data.noun.

    The line is "offset file n w_cnt (word id)* p_cnt (symbol offset pos source)* | gloss"; w_cnt is
    hexadecimal.
    """
    fields = line.split("|")[0].split()
    if not fields or fields[0] != f"{offset:08}":
        raise ValueError("no synset starts there")
    n = int(fields[3], 16)
    lemmas = tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * n : 2])
    rest = fields[5 + 2 * n :]
    pointers = [(rest[i], int(rest[i + 1])) for i in range(0, 4 * int(fields[4 + 2 * n]), 4)]
    return _Synset(
        lemmas,
        tuple(to for symbol, to in pointers if symbol == "~"),
        tuple(to for symbol, to in pointers if symbol in {"@", "@i"}),
    )


def _system_words() -> Path:
    if not WORD_LIST.is_file():
        raise ConfigError(
            f"no list of English words at {WORD_LIST}; install Debian's package wamerican, or give `word_list`, "
            "a file with one word per line"
        )
    return WORD_LIST


@cache
def _known_words(path: Path) -> frozenset[str]:
    return frozenset(_text(path).split("\n"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error
