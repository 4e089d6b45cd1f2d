"""Test whether a slice is significant: Fisher's exact test, Holm's correction, effect, support.

The errors of a slice are compared with those of the rest of its class.

A slice over several classes is tested class by class, since errors are compared only within a
class. All of its *parts* with enough support are in Holm's family. Support depends on membership
alone, so the tests stay valid if small parts are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError
from slicebench.metrics.statistics import ALPHA, holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Split

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


MIN_EFFECT = 0.05
MIN_SUPPORT = 20

ABOUT_LIFT = 1.5
"""Least ratio of a group's share in a part to its share in the class, for the part to be about it."""


@dataclass(frozen=True, eq=False)
class Parts:
    """m tested parts, each a slice within a class; all arrays have shape (m,).

    `slices` and `classes` are numbers, `support` counts members, `effect` is the error rate of the part minus that of the rest
    of its class, `p` the one-sided Fisher p and `p_holm` the same corrected over the m.
    """

    slices: NDArray[np.intp]
    classes: NDArray[np.int64]
    support: NDArray[np.intp]
    effect: Floats
    p: Floats
    p_holm: Floats

    def smallest_p(self, among: Bools | None = None) -> float:
        """Return the smallest Holm p of the parts with a large effect; 1 if there is none.

        `among`, (m,) bool, restricts them further.
        """
        eligible = self.effect >= MIN_EFFECT
        if among is not None:
            eligible &= among
        return float(self.p_holm[eligible].min(initial=1.0))

    def in_class(self, c: int | None) -> Bools:
        """Mark the parts in class `c`, shape (m,); all of them for None."""
        return np.ones(len(self.classes), dtype=bool) if c is None else self.classes == c


def judged_parts(hard: Bools, split: Split) -> Parts:
    """Test slices, `hard` (n, k) bool, for a higher error rate than the rest of each class of `split`. O(n k).

    Raises
    ------
    DataError
        if the split does not say which predictions are correct.

    """
    if split.correct is None:
        raise DataError("cannot test the error rate of slices: the split does not say which predictions are correct")
    wrong = ~split.correct
    found = [_of_class(c, hard[rows], wrong[rows]) for c, rows in split.by_class()]
    slices, classes, support, effect, p = (np.concatenate(column) for column in zip(*found, strict=True))
    return Parts(slices, classes, support, effect, p, holm(p))


def _of_class(c: int, inside: Bools, wrong: Bools) -> tuple[NDArray[Any], ...]:
    """Test the slices with enough support in class `c`.

    Returns the slices, the class, and support, effect and p of each.
    """
    n, support = len(inside), inside.sum(axis=0)
    slices = np.flatnonzero((support >= MIN_SUPPORT) & (support < n))
    support, inside = support[slices], inside[:, slices]
    errors = wrong.astype(np.intp) @ inside
    effect = errors / support - (wrong.sum() - errors) / (n - support)
    return slices, np.full(len(slices), c), support, effect, excess_p(errors, support, int(wrong.sum()), n)


def excess_p(
    hits: NDArray[np.intp],
    support: NDArray[np.intp] | int,
    total: NDArray[np.intp] | int,
    n: NDArray[np.intp] | int,
) -> Floats:
    """Compute the one-sided Fisher p; arguments are arrays (m,) or numbers.

    It is the probability that `support` of n examples, drawn at random, include at least `hits` of
    the `total`.
    """
    from scipy.stats import hypergeom

    p: Floats = hypergeom.sf(hits - 1, n, total, support)
    return p


def about_group(parts: Parts, hard: Bools, split: Split, group: Bools) -> Bools:
    """Mark the parts that are about the planted `group`, (n,) bool; shape (m,).

    The group's share among the members is at least `ABOUT_LIFT` times its share in the class, and
    this is significant at 5 % in Fisher's one-sided test.
    """
    about = np.zeros(len(parts.slices), dtype=bool)
    for c, rows in split.by_class():
        here = np.flatnonzero(parts.in_class(c))
        if not len(here):
            continue
        g, support = group[rows], parts.support[here]
        members = g.astype(np.intp) @ hard[np.ix_(rows, parts.slices[here])]
        enriched = excess_p(members, support, int(g.sum()), len(rows)) <= ALPHA
        about[here] = enriched & (members / support >= ABOUT_LIFT * g.mean())
    return about
