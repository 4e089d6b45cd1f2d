"""Search for conjunctions of conditions on columns that raise the error rate.

A beam search over all columns, with the class as one of them: a cause in all classes is one rule, a cause in one class is a rule
with a condition on the class. Each example is compared with the mean of its class. Rules are found one after the other, each
without the members of those before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.candidates import Candidate
from slicebench.discovery.holdout.excess import likelihood_gain
from slicebench.discovery.searches.conditions import Coded, Condition, Conjunction, meeting_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.holdout.excess import Excess
    from slicebench.discovery.holdout.folds import Folds

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


MOST_CONDITIONS = 4
"""A class and three more."""
MOST_VALUES = 4
"""Most values of a column that one condition may list."""
BEAM, NARROW = 24, 12
"""Conjunctions that are extended by one more condition; `NARROW` on more than `MANY` rows."""
MANY = 20_000
"""Rows from which each condition of a cause shows alone; on fewer, those that say little alone are extended, too."""
ALIKE = 1.0
"""Gain in log-likelihood by which rules must differ for the better to be taken; else columns that come first are."""
PREFERENCE = 1.5
"""How much more a region must explain than a rule, which a reader can check."""
MOST_RULES = 6
LEAST_MEMBERS = 10
LARGEST = 0.6
"""Largest share of the rows compared that a rule may select: what is left over by a cause is no cause."""
LEAST_GAIN = 6.0
"""Least gain in log-likelihood of a rule; with thousands of conditions, chance reaches about 8."""
WORTH = 3.0
"""Least gain in log-likelihood that each condition adds."""
HINT = 1.0
"""The same for the first condition of a rule, on few rows: with others, it may say more."""
WORTH_OF_VALUE = 2.0
"""Least gain in log-likelihood that each further value of a condition adds."""


def find_rules(
    table: Coded, excess: Excess, folds: Folds, class_column: int | None, class_names: Sequence[str]
) -> list[Candidate]:
    """Find rules for every tested fold; `class_column` is the number of the column that holds the class, if any."""
    out = list[Candidate]()
    for fold in folds.tested:
        left = folds.learn(fold)
        for _ in range(MOST_RULES):
            search = _Beam(table, excess, left)
            best = search.best()
            if best is None:
                break
            rule = Conjunction(best.conditions, table)
            members = rule.members()
            out.append(
                Candidate(
                    method="rules",
                    label=rule.text,
                    fold=fold,
                    members=members,
                    strength=members.astype(np.float64),
                    class_number=_class_of(rule, class_column, class_names),
                    rule=rule,
                    preference=PREFERENCE,
                )
            )
            left = left & ~members
    return out


def _class_of(rule: Conjunction, class_column: int | None, class_names: Sequence[str]) -> int | None:
    """Return the class, by number, that a rule names alone; None if it names none or several."""
    for one in rule.conditions:
        if one.column == class_column and len(one.values) == 1:
            return class_names.index(rule.table.columns[one.column].levels[one.values[0] - 1])
    return None


@dataclass(frozen=True)
class _Found:
    gain: float
    conditions: tuple[Condition, ...]


class _Beam:
    """The search on some rows, `rows` (n,) bool."""

    def __init__(self, table: Coded, excess: Excess, rows: Bools) -> None:
        self.table, self.at = table, np.flatnonzero(rows)
        self.bad = excess.badness[self.at]
        self.expected = self.bad - excess.over_mean(rows)[self.at]
        self.codes = [codes[self.at] for codes in table.codes]

    def best(self) -> _Found | None:
        """Return the rule with the largest gain, each condition of which is worth having; None if no rule has enough."""
        if len(self.at) < 4 * LEAST_MEMBERS:
            return None
        beam, best = [_Found(0.0, ())], _Found(0.0, ())
        width = NARROW if len(self.at) > MANY else BEAM
        for _ in range(MOST_CONDITIONS):
            longer = [one for found in beam for one in self._longer(found)]
            distinct = {frozenset(one.conditions): one for one in longer}
            beam = sorted(distinct.values(), key=lambda one: -one.gain)[:width]
            if not beam:
                break
            if beam[0].gain > best.gain + WORTH:
                best = min(
                    (one for one in beam if one.gain >= beam[0].gain - ALIKE),
                    key=lambda one: (sorted(condition.column for condition in one.conditions), -one.gain),
                )
        best = self._pruned(best)
        return best if best.gain >= LEAST_GAIN else None

    def _longer(self, found: _Found) -> list[_Found]:
        """Return the best extensions by one condition, one or a few for each column."""
        met = self._met(found.conditions)
        some = np.flatnonzero(met)
        bad, expected = self.bad[some], self.expected[some]
        taken = {one.column for one in found.conditions}
        least = found.gain + WORTH if found.conditions or len(self.at) > MANY else HINT
        out = list[_Found]()
        for j, column in enumerate(self.table.columns):
            if j in taken:
                continue
            codes, length = self.codes[j][some], column.missing + 1
            sums = (
                np.bincount(codes, weights=bad, minlength=length).astype(np.float64),
                np.bincount(codes, minlength=length).astype(np.float64),
                np.bincount(codes, weights=expected, minlength=length).astype(np.float64),
            )
            for gain, condition in self._conditions(j, *sums):
                if gain > least:
                    out.append(_Found(gain, (*found.conditions, condition)))
        return out

    def _conditions(self, j: int, bad: Floats, size: Floats, expected: Floats) -> Iterator[tuple[float, Condition]]:
        """Yield the best conditions of each form on one column: a value, a range, several values if they add to these."""
        column = self.table.columns[j]
        values, best = column.values(size), 0.0
        if len(values):
            gains = self._gain(bad[values], size[values], expected[values])
            i = int(np.argmax(gains))
            best = float(gains[i])
            yield best, Condition(j, values=(int(values[i]),))
        if column.ordered and column.last > 1:
            codes = slice(1, column.last + 1)
            for gain, condition in self._ranges(j, bad[codes], size[codes], expected[codes]):
                best = max(best, gain)
                yield gain, condition
        if len(values):
            worst = values[np.argsort(-(bad[values] - expected[values]) / size[values], kind="stable")][:MOST_VALUES]
            several = self._gain(np.cumsum(bad[worst]), np.cumsum(size[worst]), np.cumsum(expected[worst]))
            k = int(np.argmax(several - WORTH_OF_VALUE * np.arange(len(worst))))
            if k > 0 and several[k] > best + WORTH_OF_VALUE * k:
                yield float(several[k]), Condition(j, values=tuple(sorted(worst[: k + 1].tolist())))

    def _ranges(self, j: int, bad: Floats, size: Floats, expected: Floats) -> Iterator[tuple[float, Condition]]:
        """Yield the best "at least", "below" and "between" of an ordered column; codes begin at 1 with the first entry."""
        total = [np.concatenate([[0.0], np.cumsum(one)]) for one in (bad, size, expected)]
        last = len(bad)
        gains = self._gain(
            *(one[None, :] - one[:, None] for one in total)
        )  # [low, high): from code low + 1 to code high
        below, above = gains[0, 1:last], gains[1:last, last]
        if len(below):
            i = int(np.argmax(below))
            yield float(below[i]), Condition(j, low=1, high=i + 1)
            i = int(np.argmax(above))
            yield float(above[i]), Condition(j, low=i + 2, high=last)
            one_sided = max(below.max(), above.max())
            inner = gains[1:last, 1:last]
            i, k = (int(at) for at in np.unravel_index(int(np.argmax(inner)), inner.shape))
            if inner[i, k] > one_sided + WORTH_OF_VALUE:
                yield float(inner[i, k]), Condition(j, low=i + 2, high=k + 1)

    def _gain(self, bad: Floats, size: Floats, expected: Floats) -> Floats:
        """Return the gain of sets, -1 for those too small or too large."""
        allowed = (size >= LEAST_MEMBERS) & (size <= LARGEST * len(self.at))
        return np.where(allowed, likelihood_gain(bad, size, expected), -1.0)

    def _met(self, conditions: tuple[Condition, ...]) -> Bools:
        return meeting_all(conditions, self.codes, len(self.at))

    def _pruned(self, found: _Found) -> _Found:
        """Drop conditions without which the rule is as good."""
        for one in found.conditions:
            fewer = tuple(other for other in found.conditions if other != one)
            met = self._met(fewer)
            if fewer:
                gain = float(self._gain(self.bad[met].sum(), met.sum(), self.expected[met].sum()))
                if gain > found.gain - WORTH:
                    return self._pruned(_Found(gain, fewer))
        return found
