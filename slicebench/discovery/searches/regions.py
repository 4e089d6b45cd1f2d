"""Find regions of embedding space where the model does worse.

In each class, and over all classes, a kernel ridge regression of the outcomes ranks examples: it is linear in the likeness to a
few hundred examples (Nyström), so that the regressions for all folds are sums of the same small matrices. Each example is ranked
by regressions that did not see it. The ranking is cut, and the members are split if they lie in several places. Clusters that
were found without outcomes are candidates, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.candidates import Candidate
from slicebench.discovery.holdout.excess import ranks_within
from slicebench.discovery.holdout.masks import marked
from slicebench.discovery.searches.clusters import PREFERENCE, clusters_of
from slicebench.discovery.searches.cuts import LEAST_MEMBERS, cut_of, places
from slicebench.discovery.searches.kernels import BANDWIDTH, likeness, solved, squared_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.holdout.excess import Excess
    from slicebench.discovery.holdout.folds import Folds

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]


LANDMARKS = 300
RIDGES = (0.02, 0.1, 0.5, 2.0)
"""Shares of the mean eigenvalue that are added to all: little for a small cause with many errors, much for a large weak one."""
PEELS = 3
"""Slices that are looked for one after the other, each without the members of those before."""
ONE_CLASS = 0.75
"""Largest share of the excess errors of a slice over all classes that may lie in one class, of two or more."""
LEAST_BAD = 5.0
"""Least sum of badness of a class, on the rows that are learnt from."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Candidates from embedding space, and how hard each example is by rank within its class, `hardness` (n,)."""

    candidates: tuple[Candidate, ...]
    hardness: Floats


def find_regions(X: Vectors, excess: Excess, folds: Folds, class_names: Sequence[str], seed: int) -> Regions:
    """Find regions of the vectors X (n, d) for every tested fold, in each class and over all classes."""
    hardness = np.zeros(len(X))
    parts: list[tuple[int | None, NDArray[np.intp]]] = [
        (int(c), np.flatnonzero(excess.classes == c)) for c in np.unique(excess.classes)
    ]
    if len(parts) > 1:
        parts.append((None, np.arange(len(X))))
    found = list[Candidate]()
    for c, rows in parts:
        if len(rows) < 4 * LEAST_MEMBERS or excess.badness[rows].sum() < LEAST_BAD:
            continue
        search = _Search(X[rows], rows, excess, folds, seed)
        for fold in folds.tested:
            found += search.candidates(fold, c, "all classes" if c is None else class_names[c])
        if c is not None or len(parts) == 1:
            hardness[rows] = search.hardness()
    return Regions(tuple(found), ranks_within(hardness, excess.classes))


class _Search:
    """Rankings of the rows of one class, or of all, for all folds."""

    def __init__(self, X: Vectors, rows: NDArray[np.intp], excess: Excess, folds: Folds, seed: int) -> None:
        self.X, self.rows, self.excess, self.folds, self.seed = X, rows, excess, folds, seed
        self.number = folds.number[rows]
        self.features = kernel_features(X, seed)
        self.grams = {int(f): self._gram(self.number == f) for f in np.unique(self.number)}
        self.clusters = clusters_of(X, seed)
        self.first: dict[int, Floats] = {}

    def candidates(self, fold: int, c: int | None, class_name: str) -> list[Candidate]:
        """Return the slices found without `fold`."""
        out = self._worse_clusters(fold, c, class_name)
        left = np.ones(len(self.rows), dtype=bool)
        grams = dict(self.grams)
        for _ in range(PEELS):
            over = self._over(left & (self.number != fold))
            ranking = self._ranking(fold, left, over, grams)
            self.first.setdefault(fold, ranking)
            learn = left & (self.number != fold)
            cut = cut_of(ranking[learn], over[learn])
            if cut is None:
                break
            members = left & (ranking >= cut)
            if not _worse(over[learn], members[learn]):
                break
            for inside in places(self.X, members, learn, self.number, self.seed + fold):
                if self._belongs(inside & learn, over, c):
                    out.append(self._candidate(inside, ranking, fold, c, class_name))
            left &= ~members
            if left[learn].sum() < 4 * LEAST_MEMBERS:
                break
            grams = {f: gram - self._gram(members & (self.number == f)) for f, gram in grams.items()}
        return out

    def _worse_clusters(self, fold: int, c: int | None, class_name: str) -> list[Candidate]:
        learn = self.number != fold
        over = self._over(learn)
        return [
            replace(self._candidate(one.members, one.nearness, fold, c, class_name), preference=PREFERENCE)
            for one in self.clusters
            if _worse(over[learn], one.members[learn]) and self._belongs(one.members & learn, over, c)
        ]

    def hardness(self) -> Floats:
        """Return the ranking of each tested row by regressions that did not see it; of others, by the first fold's."""
        out = self.first[self.folds.tested[0]].copy()
        for fold, ranking in self.first.items():
            out[self.number == fold] = ranking[self.number == fold]
        return out

    def _over(self, rows: Bools) -> Floats:
        """Return badness minus the mean of the class over `rows`, of all rows of this search."""
        return self.excess.over_mean(marked(self.rows[rows], len(self.excess.badness)))[self.rows]

    def _gram(self, rows: Bools) -> Floats:
        some = self.features[rows]
        gram: Floats = (some.T @ some).astype(np.float64)
        return gram

    def _ranking(self, fold: int, left: Bools, over: Floats, grams: dict[int, Floats]) -> Floats:
        """Rank rows for `fold`: those of another fold without both, those of `fold` by the mean of all these rankings."""
        others = [f for f in grams if f != fold]
        moments = {f: self.features[left & (self.number == f)].T @ over[left & (self.number == f)] for f in others}
        rankings = np.zeros((len(self.rows), len(RIDGES)), dtype=np.float32)
        own = self.number == fold
        for g in others:
            gram = sum((grams[f] for f in others if f != g), np.zeros_like(grams[g]))
            moment = sum((moments[f] for f in others if f != g), np.zeros(len(gram)))
            weights = np.stack([solved(gram, moment, ridge) for ridge in RIDGES], axis=1)
            held = self.number == g
            rankings[held] = self.features[held] @ weights
            rankings[own] += self.features[own] @ (weights / len(others))
        return rankings[:, _best_ridge(rankings, over, left & ~own)].astype(np.float64)

    def _belongs(self, inside: Bools, over: Floats, c: int | None) -> bool:
        """Check that members over all classes have not nearly all of their excess in one: that cause is found better there."""
        if c is not None:
            return True
        above = np.bincount(self.excess.classes[self.rows[inside]], weights=over[inside])
        return bool(np.maximum(above, 0).max(initial=0) <= ONE_CLASS * np.maximum(above, 0).sum())

    def _candidate(
        self, inside: Bools, ranking: NDArray[np.floating], fold: int, c: int | None, class_name: str
    ) -> Candidate:
        n = len(self.excess.badness)
        members, strength = marked(self.rows[inside], n), np.zeros(n)
        strength[self.rows] = ranking
        return Candidate(
            method="regions",
            label=f"a region of {class_name}",
            fold=fold,
            members=members,
            strength=strength,
            class_number=c,
            crossed=True,
        )


def _best_ridge(rankings: Vectors, over: Floats, learn: Bools) -> int:
    """Return the number of the ranking that best agrees with the outcomes of the rows `learn`, which it did not see."""
    seen = rankings[learn].astype(np.float64)
    agreement = seen.T @ over[learn] / np.maximum(np.sqrt((seen**2).sum(axis=0)), 1e-12)
    return int(np.argmax(agreement))


def _worse(over: Floats, inside: Bools) -> bool:
    """Check that members are worse than the others by twice the standard error; the tests are elsewhere, this saves time."""
    m, n = int(inside.sum()), len(over)
    if m < LEAST_MEMBERS or m == n:
        return False
    error = over.std() * np.sqrt(1 / m + 1 / (n - m))
    return bool(over[inside].mean() - over[~inside].mean() > 2 * error)


def kernel_features(X: Vectors, seed: int) -> Vectors:
    """Return the likeness of each row of X (n, d) to at most `LANDMARKS` of them, minus its mean; shape (n, k).

    Likeness is a Gaussian kernel, whose width is the typical distance of two rows.
    """
    rng = np.random.default_rng(seed)
    k = min(LANDMARKS, max(LEAST_MEMBERS, len(X) // 2))
    landmarks = X[np.sort(rng.permutation(len(X))[:k])]
    some = X[rng.permutation(len(X))[:LANDMARKS]]
    width = float(np.median(squared_distances(some, landmarks))) * BANDWIDTH
    features = likeness(X, landmarks, max(width, 1e-12))
    features -= features.mean(axis=0)
    return features
