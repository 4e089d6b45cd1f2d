"""What clustering methods share: per class a way to divide examples, error rates of the parts, and which parts are slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np

from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import needed
from slicebench_methods._per_class import doubt, nothing_to_learn, ranked_by_confidence
from slicebench_methods._space import whitened, whitening
from slicebench_methods._supported import supported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

    Floats = NDArray[np.float64]


class Parts(Protocol):
    """Division of a class into k parts."""

    @property
    def candidates(self) -> NDArray[np.intp]:
        """Which of the k parts may be slices."""
        ...

    def shares(self, Z: Floats) -> Floats:
        """How far each whitened example belongs to each part, shape (n, k), rows summing to 1."""
        ...


class Clustered(SliceMethod):
    """Whitened embeddings, a division of each class, and confidences in classes without errors or without right answers.

    A subclass gives itself a `name` for messages and divides a class in `_parts`. Hardness is the error rate to be expected,
    Σ_k share_k · rate_k, unless it says otherwise in `_hardness`. Parts that val bears out (`supported`) are slices, worst first.
    """

    requires = frozenset({"embeddings", "labels", "correct"})
    name: ClassVar[str]

    def fit(self, data: AuditData) -> Self:
        """Divide each class of val and measure the parts.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check()
        val, classes = data.val, dict(data.val.by_class())
        needed(val, "labels", self.name)
        wrong = ~needed(val, "correct", self.name)
        self.center_, self.scale_ = whitening(data.train.embeddings)
        self.parts_: dict[int, Parts] = {}
        self.rates_: dict[int, Floats] = {}
        self.fallbacks_: dict[int, str] = {}
        Z, found, members = self._whitened(val), list[tuple[int, int]](), [np.zeros((val.n, 0), dtype=bool)]
        for c in range(len(data.class_names)):
            rows = classes.get(c, np.arange(0))
            reason = nothing_to_learn(c, ~wrong[rows], 1)
            if reason is not None:
                self.fallbacks_[c] = reason
                continue
            parts = self.parts_[c] = self._parts(Z[rows], wrong[rows])
            shares = parts.shares(Z[rows])
            self.rates_[c] = (wrong[rows] @ shares + wrong[rows].mean()) / (shares.sum(axis=0) + 1)
            found += [(c, int(k)) for k in parts.candidates]
            members.append(np.zeros((val.n, len(parts.candidates)), dtype=bool))
            members[-1][rows] = shares.argmax(axis=1)[:, None] == parts.candidates
        good = np.flatnonzero(supported(np.hstack(members), val))
        self.slices_ = sorted((found[k] for k in good), key=lambda part: -self.rates_[part[0]][part[1]])
        return self

    def score(self, split: Split) -> SliceScores:
        """Hardness (n,), flags (n,) and membership (n, k): the shares of the slices, 0 outside their class.

        Raises
        ------
        DataError
            if `split` has no labels, or does not say where the model is right.

        """
        slices: list[tuple[int, int]] = self._fitted("slices_")
        needed(split, "labels", self.name)
        hardness, flagged = doubt(split), ~needed(split, "correct", self.name)
        membership = np.zeros((split.n, len(slices)), dtype=np.float32)
        Z = self._whitened(split)
        for c, rows in split.by_class():
            if c not in self.parts_:
                continue
            shares = self.parts_[c].shares(Z[rows])
            hardness[rows] = self._hardness(c, Z[rows], shares)
            own = [(j, k) for j, (owner, k) in enumerate(slices) if owner == c]
            for j, k in own:
                membership[rows, j] = np.clip(shares[:, k], 0, 1)
            flagged[rows] = np.isin(shares.argmax(axis=1), [k for _, k in own])
        return SliceScores(hardness=hardness, flagged=flagged, membership=membership)

    def notes(self) -> tuple[str, ...]:
        """Classes that fell back to the base model's confidence, with the reason."""
        return ranked_by_confidence(self._fitted("fallbacks_"))

    def _check(self) -> None:
        """Raise `ConfigError` for parameters that cannot be used."""

    def _parts(self, Z: Floats, wrong: NDArray[np.bool_]) -> Parts:
        raise NotImplementedError

    def _hardness(self, c: int, Z: Floats, shares: Floats) -> Floats:  # noqa: ARG002 - for those that look closer
        """Hardness of whitened examples of class `c`, shape (n,)."""
        hardness: Floats = np.einsum("ik,k->i", shares, self.rates_[c])
        return hardness

    def _whitened(self, split: Split) -> Floats:
        return whitened(split.embeddings, self.center_, self.scale_)


def distances(Z: Floats, centres: Floats) -> Floats:
    """Euclidean distance of each row to each centre, shape (n, k), one centre at a time: equal rows get equal distances."""
    out = np.empty((len(Z), len(centres)))
    for k, centre in enumerate(centres):
        out[:, k] = np.sqrt(np.square(Z - centre).sum(axis=1))
    return out


def projection(Z: Floats, dimensions: int, seed: int) -> tuple[Floats, Floats]:
    """Mean (d,) and principal axes (d', d) of `Z` (n, d), d' at most `dimensions`."""
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # the share of variance explained, 0/0 for constant embeddings, is not used
        pca = PCA(min(dimensions, *Z.shape), random_state=seed).fit(Z)
    return pca.mean_, pca.components_
