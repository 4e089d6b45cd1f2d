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


_Extension = tuple[int, float, Condition]
"""The number of a rule in the beam, the gain with one more condition, and that condition."""


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
            longer = self._longer(beam)
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

    def _longer(self, beam: Sequence[_Found]) -> list[_Found]:
        """Return the best extensions by one condition, one or a few for each rule of the beam and column.

        The rows of all rules are summed at once: on a small table, a call takes longer than what it sums.
        """
        met = [np.flatnonzero(self._met(found.conditions)) for found in beam]
        at, of = np.concatenate(met), np.repeat(np.arange(len(beam)), [len(rows) for rows in met])
        bad, expected = self.bad[at], self.expected[at]
        taken = [{one.column for one in found.conditions} for found in beam]
        few = len(self.at) <= MANY
        least = np.array([HINT if few and not found.conditions else found.gain + WORTH for found in beam])
        out = [list[_Found]() for _ in beam]
        for j, column in enumerate(self.table.columns):
            length = column.missing + 1
            cell = of * length + self.codes[j][at]
            sums = [
                np.bincount(cell, weights=weights, minlength=len(beam) * length).reshape(len(beam), length)
                for weights in (bad, None, expected)
            ]
            worth = np.where([j in columns for columns in taken], np.inf, least)
            for i, gain, condition in self._conditions(j, worth, *(one.astype(np.float64) for one in sums)):
                out[i].append(_Found(gain, (*beam[i].conditions, condition)))
        return [one for longer in out for one in longer]

    def _conditions(self, j: int, least: Floats, bad: Floats, size: Floats, expected: Floats) -> Iterator[_Extension]:
        """Yield the best conditions of each form on one column: a value, a range, several values if they add to these.

        The sums are over the rows of each of b rules, by code, (b, length). Conditions whose gain is at most that in `least` (b,)
        are left out.
        """
        column = self.table.columns[j]
        names = column.nameable
        sums = bad[:, names], size[:, names], expected[:, names]
        there = sums[1] > 0
        gains = np.where(there, self._gain(*sums), -np.inf)
        first, top = gains.argmax(axis=1), gains.max(axis=1)
        for i in np.flatnonzero(top > least).tolist():
            yield i, float(top[i]), Condition(j, values=(int(names[first[i]]),))
        best = np.where(there.any(axis=1), top, 0.0)
        if column.ordered and column.last > 1:
            codes = slice(1, column.last + 1)
            ranges, reached = self._ranges(j, least, bad[:, codes], size[:, codes], expected[:, codes])
            yield from ranges
            best = np.maximum(best, reached)
        if len(names) > 1:
            yield from self._lists(j, least, best, sums, there)

    def _lists(self, j: int, least: Floats, best: Floats, sums: Sequence[Floats], there: Bools) -> Iterator[_Extension]:
        """Yield the best list of values for each rule, if it gains more than `least` and, for each further value, than `best`.

        The `sums` of badness, rows, and expected badness are over the values that a condition may name, of which `there` occur,
        (b, v) each.
        """
        bad, size, expected = sums
        with np.errstate(divide="ignore", invalid="ignore"):
            order = np.where(there, -(bad - expected) / size, np.inf)
        worst = np.argsort(order, axis=1, kind="stable")[:, :MOST_VALUES]
        several = self._gain(*(np.cumsum(np.take_along_axis(one, worst, axis=1), axis=1) for one in sums))
        several[~np.take_along_axis(there, worst, axis=1)] = -np.inf
        added = WORTH_OF_VALUE * np.arange(several.shape[1])
        last = (several - added).argmax(axis=1)
        gains, names = several[np.arange(len(last)), last], self.table.columns[j].nameable
        for i in np.flatnonzero((last > 0) & (gains > np.maximum(least, best + added[last]))).tolist():
            yield i, float(gains[i]), Condition(j, values=tuple(sorted(names[worst[i, : last[i] + 1]].tolist())))

    def _ranges(
        self, j: int, least: Floats, bad: Floats, size: Floats, expected: Floats
    ) -> tuple[list[_Extension], Floats]:
        """Return the best "at least", "below" and "between" of an ordered column for each rule, and the gains reached, (b,).

        The sums (b, last) begin with code 1.
        """
        total = [np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1) for one in (bad, size, expected)]
        rules, last = np.arange(len(bad)), bad.shape[1]
        # [low, high): from code low + 1 to code high
        gains = self._gain(*(one[:, None, :] - one[:, :, None] for one in total))
        below, above = gains[:, 0, 1:last], gains[:, 1:last, last]
        between = gains[:, 1:last, 1:last].reshape(len(bad), -1)
        ends, starts, pairs = (one.argmax(axis=1) for one in (below, above, between))
        up, down, both = below[rules, ends], above[rules, starts], between[rules, pairs]
        one_sided = np.maximum(up, down)
        both = np.where(both > one_sided + WORTH_OF_VALUE, both, -np.inf)
        reached = np.maximum(one_sided, both)
        out = list[_Extension]()
        for i in np.flatnonzero(reached > least).tolist():
            low, high = divmod(int(pairs[i]), last - 1)
            forms = (
                (up[i], Condition(j, low=1, high=int(ends[i]) + 1)),
                (down[i], Condition(j, low=int(starts[i]) + 2, high=last)),
                (both[i], Condition(j, low=low + 2, high=high + 1)),
            )
            out += [(i, float(gain), condition) for gain, condition in forms if gain > least[i]]
        return out, reached

    def _gain(self, bad: Floats, size: Floats, expected: Floats) -> Floats:
        """Return the gain of sets, -1 for those too small or too large."""
        allowed = (size >= LEAST_MEMBERS) & (size <= LARGEST * len(self.at))
        gains = np.full(np.shape(size), -1.0)
        gains[allowed] = likelihood_gain(bad[allowed], size[allowed], expected[allowed])
        return gains

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
