"""Caption metrics as pure functions on arrays.

Do captions name the planted subgroup, and do they separate easy from hard images?

Setting: the candidates of one class, `h` (m,) the hardness a method gives each caption, `names` (m,) bool which of them name a
planted group of the class. Ties count as the expectation over all orders of the tied block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


LABELS = {"hit_at_1": "Hit@1", "hit_at_2": "Hit@2", "mrr": "MRR"}
GAP_KS = tuple(range(20, 200, 5))
"""Numbers of nearest images at which the easy–hard gap is taken (Jain et al. 2022: 20 to 195)."""
GAP_SHARES = tuple(s / 100 for s in range(2, 21))
"""The same as shares of the class's test images."""
GAP_DRAWS = 500
SHORT = 1e-6
"""Largest rounding error of a hit; a sum of hits may lack as much for each of them."""


def first_rank_odds(m: int, r: int) -> Floats:
    """Compute P(best rank of r marked among m items in random order = k), k = 1..m-r+1.

    It is C(m-k, r-1) / C(m, r).
    """
    return np.array([comb(m - k, r - 1) / comb(m, r) for k in range(1, m - r + 2)])


def naming_scores(h: Floats, names: Bools) -> dict[str, float]:
    """Return Hit@1, Hit@2 and the reciprocal rank of the first naming caption.

    Captions are ranked hardest first. The keys are those of `LABELS`.

    At least one caption must name a group. If the first hit is tied with other captions, these come
    in random order after those that are strictly harder.
    """
    top = h[names].max()
    before = int((h > top).sum())
    block = h == top
    odds = first_rank_odds(int(block.sum()), int(names[block].sum()))
    return _of_ranks(before + np.arange(1, len(odds) + 1), odds)


def naming_chance(m: int, r: int) -> dict[str, float]:
    """Return the values of `naming_scores` for a random order of m captions.

    r of them name a group; for r = 1 the values are 1/m, 2/m, H_m/m.
    """
    odds = first_rank_odds(m, r)
    return _of_ranks(np.arange(1, len(odds) + 1), odds)


def _of_ranks(ranks: NDArray[np.intp], odds: Floats) -> dict[str, float]:
    return {
        "hit_at_1": float(odds[ranks <= 1].sum()),
        "hit_at_2": float(odds[ranks <= 2].sum()),
        "mrr": float((odds / ranks).sum()),
    }


def exact_p(hits: float, chances: Sequence[float]) -> float:
    """Compute P(at least `hits` successes) for independent trials.

    Trial i succeeds with probability `chances[i]`.

    It is the binomial tail if all chances are equal, else the tail of the Poisson binomial, by
    convolution in O(n²). `hits` need not be whole, since tied captions share a hit. It is rounded
    down: rounded up, a method that says nothing would score more than it expects. The p is then
    conservative, which tests/metrics/test_calibration_of_statistics.py simulates.

    >>> f"{exact_p(16, [0.2] * 20):.1e}"
    '1.4e-08'
    >>> f"{exact_p(4.9, [0.2] * 20):.2f}", f"{exact_p(4, [0.2] * 20):.2f}"
    ('0.59', '0.59')
    """
    odds = np.ones(1)
    for p in chances:
        odds = np.convolve(odds, [1 - p, p])
    # committed records hold six digits, so that whole numbers come out a little short
    return float(min(1.0, odds[max(0, int(np.floor(hits + SHORT * len(chances)))) :].sum()))


@dataclass(frozen=True, eq=False)
class Gap:
    """Easy–hard gap of one class: accuracy of the K images nearest the easy caption minus that nearest the hard one.

    `easy` and `hard` are accuracies at each K of `ks`; `draws` (B,) bootstrap values of `area`, the mean gap over `ks`.
    """

    ks: tuple[int, ...]
    easy: Floats
    hard: Floats
    draws: Floats

    @property
    def area(self) -> float:
        """Mean gap over the Ks."""
        return float((self.easy - self.hard).mean())


def easy_hard_gap(
    to_easy: Floats,
    to_hard: Floats,
    correct: Bools,
    ks: Sequence[int],
    *,
    seed: int = 0,
    draws: int = GAP_DRAWS,
) -> Gap | None:
    """Compute the easy–hard gap of one class; None if it has fewer images than the smallest K.

    `to_easy` and `to_hard` (n,) are similarities of the class's test images to the two captions.
    `ks` increase; those above n are left out. The draws of the interval resample the images with
    replacement. Of equally similar images, the earlier row comes first. O(B n).
    """
    n, kept = len(correct), tuple(k for k in ks if k <= len(correct))
    if not kept:
        return None
    (easy, easy_drawn), (hard, hard_drawn) = (
        _accuracies(s, correct, kept, _drawn(n, seed, draws)) for s in (to_easy, to_hard)
    )
    return Gap(kept, easy, hard, (easy_drawn - hard_drawn).mean(axis=1))


@lru_cache(maxsize=16)
def _drawn(n: int, seed: int, draws: int) -> NDArray[np.int32]:
    """Draw the images of each resample with replacement, shape (draws, n).

    They are the same for all methods and both captions.
    """
    return np.random.default_rng(seed).integers(n, size=(draws, n), dtype=np.int32)


def _accuracies(
    similarity: Floats, correct: Bools, ks: Sequence[int], drawn: NDArray[np.int32]
) -> tuple[Floats, Floats]:
    """Compute the accuracy of the `ks` nearest images, shape (len(ks),).

    Also return the same in every resample, shape (draws, len(ks)).

    The nearest K of a resample are its K smallest places in the order of all images.
    """
    order = np.argsort(-similarity, kind="stable")
    right, last = correct[order], np.array(ks)
    place = np.empty(len(order), dtype=np.int16 if len(order) < 2**15 else np.int32)  # 16 bits are sorted by radix
    place[order] = np.arange(len(order), dtype=place.dtype)
    nearest = np.sort(place.take(drawn), axis=1)[:, : last[-1]]
    between = np.add.reduceat(right.take(nearest), np.append(0, last[:-1]), axis=1, dtype=np.int32)
    observed: Floats = np.cumsum(right)[last - 1] / last
    resampled: Floats = np.cumsum(between, axis=1) / last
    return observed, resampled


def shares_of(n: int, shares: Sequence[float] = GAP_SHARES) -> tuple[int, ...]:
    """Return the Ks that are the given shares of `n` images, without repetition."""
    return tuple(sorted({max(1, round(s * n)) for s in shares}))


def pooled(
    rows: Sequence[Mapping[str, float | None]], chances: Sequence[Mapping[str, float | None]]
) -> dict[str, dict[str, float]]:
    """Average scores and chances over classes, and test the two hit rates.

    The classes may come from several problems and seeds. The p of the two hit rates is exact.

    Every row must have a number for each of `LABELS`: the caller leaves out classes in which no
    candidate names a group.
    """
    columns = {key: np.array([row[key] for row in rows], dtype=float) for key in LABELS}
    odds = {key: np.array([row[key] for row in chances], dtype=float) for key in LABELS}
    return {
        "value": {key: float(column.mean()) for key, column in columns.items()},
        "chance": {key: float(column.mean()) for key, column in odds.items()},
        "p": {key: exact_p(sum(columns[key].tolist()), odds[key].tolist()) for key in ("hit_at_1", "hit_at_2")},
    }
