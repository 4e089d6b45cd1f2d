"""Describe a slice by a rule on metadata, or by words that its texts have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.discovery.searches.conditions import Condition, Conjunction
from slicebench.metrics.slices.significance import excess_p
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from slicebench.data.metadata_codes import ColumnCodes
    from slicebench.discovery.searches.conditions import Coded

    Bools = NDArray[np.bool_]
    Integers = NDArray[np.int64]


MOST_VALUES = 4
"""Most values of a column that one condition may list."""
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


def describing_rule(table: Coded, inside: Bools, learn: NDArray[np.intp], check: NDArray[np.intp]) -> Rule | None:
    """Find the conjunction of up to three conditions that best describes `inside` (n,).

    Conditions are chosen on the rows `learn`, one by one, by the highest κ. The result is None if its κ on the rows `check`
    is below `EXPLAINS`. Its shares count the rows of both.
    """
    met, chosen, best = np.ones(len(inside), dtype=bool), list[Condition](), 0.0
    while len(chosen) < MOST_CONDITIONS and len(learn):
        found = _best(table, met[learn], inside[learn], learn)
        if found is None or found[0] < best + GAIN:
            break
        best = found[0]
        chosen.append(found[1])
        met &= found[1].meets(table.codes[found[1].column])
    if not chosen or not len(check):
        return None
    kappa = float(kappas(met[check][:, None], inside[check])[0])
    every = np.concatenate([learn, check])
    said, members = met[every], inside[every]
    hits = int((said & members).sum())
    rule = Rule(
        text=Conjunction(tuple(chosen), table).text,
        precision=hits / max(1, int(said.sum())),
        recall=hits / max(1, int(members.sum())),
        kappa=kappa,
    )
    return rule if kappa >= EXPLAINS else None


def _best(table: Coded, met: Bools, inside: Bools, rows: NDArray[np.intp]) -> tuple[float, Condition] | None:
    """Return the condition that adds most to those met already, over all columns, and its κ; O(n) per column."""
    n, members = len(inside), int(inside.sum())
    best: tuple[float, Condition] | None = None
    for j, (column, every) in enumerate(zip(table.columns, table.codes, strict=True)):
        codes = every[rows]
        count = np.bincount(codes[met], minlength=column.missing + 1)
        hits = np.bincount(codes[met & inside], minlength=column.missing + 1)
        for found in _conditions(j, column, count, hits, n, members):
            if best is None or found[0] > best[0]:
                best = found
    return best


def _conditions(
    j: int, column: ColumnCodes, count: Integers, hits: Integers, n: int, members: int
) -> Iterator[tuple[float, Condition]]:
    """Yield the best condition of each form on one column: a value, at least, below; a set of values if it adds to these."""
    best = 0.0
    for found in (*_single(j, column, count, hits, n, members), *_cuts(j, column, count, hits, n, members)):
        best = max(best, found[0])
        yield found
    values = column.values(count)
    # of all sets of a size, the one with the highest shares of members is best
    order = values[np.argsort(-hits[values] / count[values], kind="stable")][:MOST_VALUES]
    kappa = _kappa(np.cumsum(count[order]), np.cumsum(hits[order]), n, members)
    if len(order) > 1 and kappa.max() >= best + GAIN:
        yield float(kappa.max()), Condition(j, values=tuple(sorted(order[: int(np.argmax(kappa)) + 1].tolist())))


def _single(
    j: int, column: ColumnCodes, count: Integers, hits: Integers, n: int, members: int
) -> Iterator[tuple[float, Condition]]:
    values = column.values(count)
    if len(values):
        kappa = _kappa(count[values], hits[values], n, members)
        yield float(kappa.max()), Condition(j, values=(int(values[np.argmax(kappa)]),))


def _cuts(
    j: int, column: ColumnCodes, count: Integers, hits: Integers, n: int, members: int
) -> Iterator[tuple[float, Condition]]:
    if column.ordered and column.last > 1:
        below, caught = np.cumsum(count[1 : column.last]), np.cumsum(hits[1 : column.last])
        total, all_hits = count[1 : column.last + 1].sum(), hits[1 : column.last + 1].sum()
        low = _kappa(below, caught, n, members)
        high = _kappa(total - below, all_hits - caught, n, members)
        yield float(low.max()), Condition(j, low=1, high=int(np.argmax(low)) + 1)
        yield float(high.max()), Condition(j, low=int(np.argmax(high)) + 2, high=column.last)


def _kappa(count: Integers, hits: Integers, n: int, members: int) -> NDArray[np.float64]:
    """Compute Cohen's κ of sets of `count` examples, `hits` of them members; 0 where chance agrees perfectly."""
    agree = (n - count - members + 2.0 * hits) / n
    chance = (count * float(members) + (n - count) * float(n - members)) / n**2
    kappa: NDArray[np.float64] = np.where(chance < 1, (agree - chance) / np.maximum(1 - chance, 1e-12), 0.0)
    return kappa


def kappas(said: Bools, inside: Bools) -> NDArray[np.float64]:
    """Compute Cohen's κ of each column of `said` (n, v) with `inside` (n,), shape (v,).

    It is 0 where chance agrees perfectly.
    """
    hits = inside.astype(np.float32) @ said.astype(np.float32)
    return _kappa(said.sum(axis=0), hits.astype(np.intp), len(inside), int(inside.sum()))


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
