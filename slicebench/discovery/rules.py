"""Describe a slice by a rule on metadata, or by words that its texts have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.metadata_codes import ColumnCodes
from slicebench.metrics.slices.significance import excess_p
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]


N_BINS = 10
"""Number of quantile bins of a numeric column; conditions cut at their edges."""
MOST_CONDITIONS = 3
GAIN = 0.02
"""Least gain in Cohen's κ for which a condition is added to a rule."""
EXPLAINS = 0.4
"""Least κ, on examples not used to find the rule, for a rule to be reported: "moderate" in Landis and Koch's terms."""
MOST_WORDS = 5
LEAST_TEXTS = 5
LIFT = 2.0
"""Least ratio of a word's frequency among the members to that in the rest of the class."""


@dataclass(frozen=True)
class Rule:
    """A conjunction of conditions, and how well it separates the slice from the rest of the class.

    `precision` is the share of members among the examples that meet it; `recall` is the share of
    members that meet it. Both are high for any rule if a slice holds most of its class; `kappa`
    (Cohen's) corrects for such chance agreement.
    """

    text: str
    precision: float
    recall: float
    kappa: float


@dataclass(frozen=True, eq=False)
class Conditions:
    """Conditions on the columns of a table.

    `met` (n, v) bool says which of n examples meet which of v conditions.
    """

    names: tuple[str, ...]
    met: Bools

    @classmethod
    def of(cls, metadata: pd.DataFrame) -> Conditions:
        """Return the conditions on metadata columns.

        Categories and numbers with few values give equalities. Other numbers give "at least" and
        "below" at their quantiles.
        """
        names: list[str] = []
        met: list[Bools] = []
        for column in metadata:
            known = ColumnCodes.learnt(metadata[column], N_BINS)
            codes = known.codes(metadata[column])
            last = known.missing - 1
            if known.binned:
                for cut in range(1, last):
                    names += [f"{known.name} < {known.levels[cut - 1]:g}", f"{known.name} >= {known.levels[cut - 1]:g}"]
                    met += [codes <= cut, (codes > cut) & (codes <= last)]
            else:
                names += [known.words(code) for code in range(1, last + 1)]
                met += [codes == code for code in range(1, last + 1)]
            if (codes == known.missing).any():
                names.append(known.words(known.missing))
                met.append(codes == known.missing)
        return cls(tuple(names), np.stack(met, axis=1) if met else np.zeros((len(metadata), 0), dtype=bool))

    def rule(self, inside: Bools, learn: NDArray[np.intp], check: NDArray[np.intp]) -> Rule | None:
        """Return the conjunction of up to three conditions that best describes `inside` (n,).

        Conditions are added greedily, by the highest κ on the rows `learn`. Returns None if κ on the
        rows `check` is below `EXPLAINS`.
        """
        chosen, best = list[int](), 0.0
        while len(chosen) < MOST_CONDITIONS and self.met.shape[1] and len(learn):
            kappa = kappas(self.met[learn] & self._all(chosen)[learn, None], inside[learn])
            v = int(np.argmax(kappa))
            if kappa[v] < best + GAIN:
                break
            chosen, best = [*chosen, v], float(kappa[v])
        if not chosen or not len(check):
            return None
        said, members = self._all(chosen)[check], inside[check]
        hits = int((said & members).sum())
        rule = Rule(
            text=" and ".join(self.names[v] for v in chosen),
            precision=hits / max(1, int(said.sum())),
            recall=hits / max(1, int(members.sum())),
            kappa=float(kappas(said[:, None], members)[0]),
        )
        return rule if rule.kappa >= EXPLAINS else None

    def _all(self, chosen: Sequence[int]) -> Bools:
        every: Bools = np.all(self.met[:, list(chosen)], axis=1)
        return every


def kappas(said: Bools, inside: Bools) -> NDArray[np.float64]:
    """Compute Cohen's κ of each column of `said` (n, v) with `inside` (n,), shape (v,).

    It is 0 where chance agreement is perfect.
    """
    n, members = len(inside), float(inside.sum())
    hits = inside.astype(np.float32) @ said.astype(np.float32)
    counts = said.sum(axis=0).astype(np.float64)
    agree = (n - counts - members + 2 * hits) / n
    chance = (counts * members + (n - counts) * (n - members)) / n**2
    kappa: NDArray[np.float64] = np.where(chance < 1, (agree - chance) / np.maximum(1 - chance, 1e-12), 0.0)
    return kappa


@dataclass(frozen=True)
class Word:
    """A word, or two in a row.

    `inside` and `outside` are the shares of texts that hold it, in the slice and in the rest of its
    class.
    """

    text: str
    inside: float
    outside: float


class Words:
    """Words and pairs of words in the texts of a class, `held` (n, v) sparse.

    The texts are tokenised once for all slices of the class.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(binary=True, ngram_range=(1, 2), min_df=min(LEAST_TEXTS, len(texts)))
        try:
            self.held: Any = vectorizer.fit_transform(texts)
        except ValueError:  # no word is in enough texts
            self.held, self.names = None, np.zeros(0, dtype=str)
            return
        self.names = vectorizer.get_feature_names_out()

    def of(self, inside: Bools) -> tuple[Word, ...]:
        """Return the words that are at least twice as frequent in the texts `inside` (n,) as in the others.

        The difference must be significant by Fisher's test, with Holm's correction over all words.
        The smallest p comes first.
        """
        n, m = len(inside), int(inside.sum())
        if self.held is None or m in (0, n):
            return ()
        total = np.asarray(self.held.sum(axis=0)).ravel().astype(np.intp)
        hits = np.asarray(self.held[np.flatnonzero(inside)].sum(axis=0)).ravel().astype(np.intp)
        p = excess_p(hits, m, total, n)
        good = (holm(p) <= ALPHA) & (hits / m >= LIFT * (total - hits) / (n - m))
        order = [int(v) for v in np.argsort(p, kind="stable") if good[v]]
        words = [Word(str(self.names[v]), hits[v] / m, (total[v] - hits[v]) / (n - m)) for v in order]
        return _without_parts(words)[:MOST_WORDS]


def _without_parts(words: Sequence[Word]) -> tuple[Word, ...]:
    """Drop words and pairs that share a word with a more significant one."""
    kept: list[Word] = []
    for word in words:
        own = set(word.text.split())
        if not any(own & set(one.text.split()) for one in kept):
            kept.append(word)
    return tuple(kept)
