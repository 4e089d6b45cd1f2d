"""Base class of clustering methods: parts of each class, their error rates, and the parts that are slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from slicebench_methods._membership import MembershipMethod
from slicebench_methods._needed import needed
from slicebench_methods._per_class import learnable_classes
from slicebench_methods._space import whitened, whitening
from slicebench_methods._supported import borne_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

    Floats = NDArray[np.float64]


class Parts(Protocol):
    """Division of a class into k parts."""

    @property
    def candidates(self) -> NDArray[np.intp]:
        """Parts, out of the k, that may be slices."""
        ...

    def shares(self, Z: Floats) -> Floats:
        """Return the share of each whitened example in each part, shape (n, k); rows sum to 1."""
        ...


class Clustered(MembershipMethod):
    """Method that divides each class of whitened embeddings into parts.

    A subclass sets `name`, for messages, and divides a class in `_parts`. Hardness is the expected
    error rate, Σ_k share_k · rate_k, unless the subclass overrides `_hardness`. Parts that are
    significant on val (`supported`) are slices, worst first. A class without errors or without
    right answers falls back to confidences.
    """

    requires = frozenset({"embeddings", "labels", "correct"})

    def fit(self, data: AuditData) -> Self:
        """Divide each class of val and measure the parts.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check()
        val = data.val
        needed(val, "labels", self.name)
        correct = needed(val, "correct", self.name)
        self.center_, self.scale_ = whitening(data.train.embeddings)
        self.parts_: dict[int, Parts] = {}
        self.rates_: dict[int, Floats] = {}
        learnable, self.fallbacks_ = learnable_classes(val, correct, len(data.class_names), 1)
        members: dict[tuple[int, int], NDArray[np.intp]] = {}
        Z, wrong = self._features(val), ~correct
        for c, rows in learnable.items():
            parts = self.parts_[c] = self._parts(Z[rows], wrong[rows])
            shares = parts.shares(Z[rows])
            self.rates_[c] = (wrong[rows] @ shares + wrong[rows].mean()) / (shares.sum(axis=0) + 1)
            likeliest = shares.argmax(axis=1)
            members |= {(c, int(k)): rows[likeliest == k] for k in parts.candidates}
        self.slices_ = sorted(borne_out(members, val), key=lambda part: -self.rates_[part[0]][part[1]])
        return self

    def _check(self) -> None:
        """Raise `ConfigError` for parameters that cannot be used."""

    def _parts(self, Z: Floats, wrong: NDArray[np.bool_]) -> Parts:
        raise NotImplementedError

    def _features(self, split: Split) -> Floats:
        return whitened(split.embeddings, self.center_, self.scale_)

    def _judged(self, c: int, X: Floats) -> tuple[Floats, Floats] | None:
        if c not in self.parts_:
            return None
        shares = self.parts_[c].shares(X)
        return self._hardness(c, X, shares), shares

    def _hardness(self, c: int, Z: Floats, shares: Floats) -> Floats:  # noqa: ARG002 - for those that look closer
        """Hardness of whitened examples of class `c`, shape (n,)."""
        hardness: Floats = np.einsum("ik,k->i", shares, self.rates_[c])
        return hardness


def distances(Z: Floats, centres: Floats) -> Floats:
    """Compute the Euclidean distance of each row to each centre, shape (n, k).

    It goes one centre at a time, so that equal rows get equal distances.
    """
    out = np.empty((len(Z), len(centres)))
    for k, centre in enumerate(centres):
        out[:, k] = np.sqrt(np.square(Z - centre).sum(axis=1))
    return out
