"""Candidate captions by class, and the reference caption of each class."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class CaptionSet:
    """Candidate captions of C classes, not yet embedded.

    Parameters
    ----------
    texts : m strings
        Distinct, none blank.
    candidates : (C, m) bool
        Which texts are candidates in which class; every class has at least one. Kept as a read-only copy.
    reference_texts : C strings
        Caption of each class as a whole ("a photo of a dog"), against which its candidates are compared; may repeat.

    Raises
    ------
    DataError
        naming the field, the first offending position and what was expected.

    """

    texts: tuple[str, ...]
    candidates: NDArray[np.bool_]
    reference_texts: tuple[str, ...]

    def __post_init__(self) -> None:
        texts, references = _strings("texts", self.texts), _strings("reference_texts", self.reference_texts)
        if len(set(texts)) < len(texts):
            twice = next(text for i, text in enumerate(texts) if text in texts[:i])
            raise DataError(
                f"texts holds {twice!r} more than once; expected distinct captions (CaptionSet.of merges them)"
            )
        candidates = np.array(self.candidates)
        if candidates.dtype != np.bool_ or candidates.shape != (len(references), len(texts)):
            raise DataError(
                f"candidates has shape {candidates.shape} and dtype {candidates.dtype}; expected booleans of shape "
                f"{(len(references), len(texts))}, a row per reference and a column per text"
            )
        empty = np.flatnonzero(~candidates.any(axis=1))
        if len(empty):
            raise DataError(f"class {empty[0]} has no candidate caption; expected at least one in every class")
        candidates.flags.writeable = False
        for name, value in (("texts", texts), ("candidates", candidates), ("reference_texts", references)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, candidates: Sequence[Sequence[str]], references: Sequence[str]) -> Self:
        """Build a set from C lists of candidate texts, one per class, and C references.

        Texts keep the order in which they are first seen; equal ones, within a class or across classes, become one.

        >>> both = CaptionSet.of([["a cat", "a pet"], ["a dog", "a pet"]], ["an animal"] * 2)
        >>> both.texts, both.candidates.astype(int).tolist()
        (('a cat', 'a pet', 'a dog'), [[1, 1, 0], [0, 1, 1]])
        """
        if len(candidates) != len(references):
            raise DataError(
                f"there are candidates for {len(candidates)} classes, but {len(references)} references; "
                "expected one per class"
            )
        per_class = [_strings(f"candidates[{c}]", texts) for c, texts in enumerate(candidates)]
        column = {text: j for j, text in enumerate(dict.fromkeys(chain.from_iterable(per_class)))}
        table = np.zeros((len(per_class), len(column)), dtype=bool)
        for c, texts in enumerate(per_class):
            table[c, [column[text] for text in texts]] = True
        return cls(tuple(column), table, tuple(references))

    def of_class(self, c: int) -> tuple[str, ...]:
        """Return the candidates of class `c`, in order."""
        return tuple(self.texts[j] for j in np.flatnonzero(self.candidates[c]))


def _strings(where: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return `values` as a tuple of non-blank strings, at least one.

    Raises `DataError` otherwise, also for a single string, which would be split into its letters.
    """
    if isinstance(values, str):
        raise DataError(f"{where} is the string {values!r}; expected a list of captions")
    out = tuple(values)
    if not out:
        raise DataError(f"{where} is empty; expected at least one caption")
    for i, text in enumerate(out):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}[{i}] is {text!r}; expected a caption")
    return out
