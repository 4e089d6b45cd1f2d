"""Attributes from the caption of a scene: the inverse of `_render.caption`."""

from __future__ import annotations

from typing import Any, NoReturn

from slicebench.errors import DataError, did_you_mean
from slicebench_datasets._render import UNSAID, VALUES, caption

DOWN = {"upper": -1.0, "lower": 1.0}
ACROSS = {"left": -1.0, "right": 1.0}
NOISY = 1.0
"""Noise of a caption that mentions noise; captions do not give its strength."""


def attributes_of(text: str) -> dict[str, Any]:
    """Return the arguments with which `_render.caption` gives `text`, in the order of the words.

    A position is a corner, at = (±1, ±1) with right and down positive; noise is `NOISY`.

    >>> attributes_of("an orange ring in the lower left on a striped background with noise")
    {'colour': 'orange', 'shape': 'ring', 'at': (-1.0, 1.0), 'texture': 'striped', 'noise': 1.0}

    Raises
    ------
    DataError
        for a text that `_render.caption` never gives, with the first wrong word.

    """
    words = _Words(text)
    said: dict[str, Any] = {}
    words.need("a", "an")
    words.may("size", said)
    words.may("colour", said)
    if (shape := words.need("shape", *VALUES["shape"])) != "shape":
        said["shape"] = shape
    if words.take("in"):
        words.need("the")
        down = DOWN[words.need(*DOWN)]
        said["at"] = (ACROSS[words.need(*ACROSS)], down)
    if words.take("on"):
        words.need("a", "an")
        words.may("background", said)
        words.may("texture", said)
        words.need("background")
    while not words.done:
        _ending(words, said)
    _check_exact(text, said)
    return said


def _ending(words: _Words, said: dict[str, Any]) -> None:
    """Read one of "with a dot", "lit from the left" and "with noise", in any order."""
    if words.take("lit"):
        words.need("from")
        words.need("the")
        said["lighting"] = words.need(*_sayable("lighting"))
        return
    words.need("with")
    if words.take("noise"):
        said["noise"] = NOISY
    else:
        words.need("a")
        said["distractor"] = words.need(*_sayable("distractor"))


def _sayable(name: str) -> list[str]:
    return [value for value in VALUES[name] if value not in UNSAID]


def _check_exact(text: str, said: dict[str, Any]) -> None:
    """Raise `DataError` for an article or a word order that differs from `_render.caption`."""
    written, expected = text.split(), caption(**said).split()
    if written == expected:
        return
    shared = zip(written, expected, strict=False)
    at = next((i for i, (word, other) in enumerate(shared) if word != other), min(len(written), len(expected)))
    raise DataError(
        f"cannot read {written[at]!r} (word {at + 1}) in the caption {text!r}; did you mean {' '.join(expected)!r}?"
    )


class _Words:
    """Words of a caption, read one after the other; an error lists all words that were possible."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text.split():
            raise DataError(
                f"the caption is {text!r}; expected words, such as {caption(shape='circle', colour='red')!r}"
            )
        self.text = text
        self.words = text.split()
        self.at = 0
        self.tried: list[str] = []

    @property
    def done(self) -> bool:
        return self.at == len(self.words)

    def take(self, *options: str) -> str | None:
        """Read the next word if it is one of `options`."""
        self.tried += options
        if self.done or self.words[self.at] not in options:
            return None
        word = self.words[self.at]
        self.at, self.tried = self.at + 1, []
        return word

    def may(self, name: str, said: dict[str, Any]) -> None:
        """Store the attribute `name` if the next word is one of its values."""
        if (word := self.take(*VALUES[name])) is not None:
            said[name] = word

    def need(self, *options: str) -> str:
        """Read the next word, which must be one of `options`."""
        return self.take(*options) or self._fail()

    def _fail(self) -> NoReturn:
        if self.done:
            raise DataError(f"the caption {self.text!r} ends too early; expected next: {', '.join(self.tried)}")
        word = self.words[self.at]
        near = did_you_mean(word, self.tried)
        raise DataError(f"cannot read {word!r} (word {self.at + 1}) in the caption {self.text!r}; {near}")
