"""Base classes of methods whose slices are parts of each class, or components of one mixture of all examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import ConfigError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import needed
from slicebench_methods._per_class import doubt, ranked_by_confidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

    Floats = NDArray[np.float64]


class MembershipMethod(SliceMethod):
    """Method that divides each class into parts, some of which are slices.

    A subclass sets `name`, for messages, and implements `_judged`; `needs` lists the fields of a
    split that scoring needs and `_features` does not read. Its `fit` sets `slices_`, entries that
    end in class and part, and `fallbacks_`, a reason for each class about which nothing was learnt;
    it sets `names_` if slices have names.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("labels", "correct")
    slices_: Sequence[tuple[Any, ...]]
    fallbacks_: Mapping[int, str]
    names_: tuple[str, ...] | None = None

    def score(self, split: Split) -> SliceScores:
        """Return hardness (n,), flags (n,) and membership (n, k), which is 0 outside the class of a slice.

        In a class about which nothing was learnt, hardness is the base model's doubt, and
        misclassified examples are flagged.

        Raises
        ------
        DataError
            if `split` lacks a field that the method needs.

        """
        slices = self._fitted("slices_")
        X, membership = self._features(split), np.zeros((split.n, len(slices)))
        for field in self.needs:
            needed(split, field, self.name)
        hardness, flagged = doubt(split), np.zeros(split.n, dtype=bool) if split.correct is None else ~split.correct
        for c, rows in split.by_class():
            judged = self._judged(c, X[rows])
            if judged is not None:
                hardness[rows], shares = judged
                for j, (*_, owner, part) in enumerate(slices):
                    if owner == c:
                        membership[rows, j] = shares[:, part]
                flagged[rows] = self._flagged(c, shares, membership[rows])
        inside = np.clip(membership, 0, 1).astype(np.float32)
        return SliceScores(hardness=hardness, flagged=flagged, membership=inside, names=self.names_)

    def notes(self) -> tuple[str, ...]:
        """List the classes that fell back to the base model's confidence, with the reason."""
        return ranked_by_confidence(self._fitted("fallbacks_"))

    def _features(self, split: Split) -> NDArray[Any]:
        """Return the features that define the parts, one row per example; raise `DataError` if `split` lacks them."""
        return split.embeddings

    def _judged(self, c: int, X: NDArray[Any]) -> tuple[Floats, NDArray[Any]] | None:
        """Return hardness (n,) and shares (n, parts) of examples of class `c`; None if nothing was learnt about it."""
        raise NotImplementedError

    def _flagged(self, c: int, shares: NDArray[Any], inside: Floats) -> NDArray[np.bool_]:  # noqa: ARG002 - for others
        """Flag the examples of class `c` whose likeliest part is a slice; a subclass may use `inside` (n, k)."""
        return np.isin(shares.argmax(axis=1), [part for *_, owner, part in self.slices_ if owner == c])


class MixtureMethod(SliceMethod):
    """Method whose slices are components of one mixture of all examples.

    A subclass stores `n_slices` and `n_components`, sets `name`, for messages, and implements
    `_responsibilities`. Its `fit` calls `_rate`. Hardness is the expected error rate, Σ_s
    responsibility_s · error_rate_s over all components.
    """

    requires = frozenset({"embeddings", "labels", "probs"})
    name: ClassVar[str]
    n_slices: int
    n_components: int

    def score(self, split: Split) -> SliceScores:
        """Return hardness (n,), flags (n,) and membership (n, n_slices) of any examples of the classes.

        Raises
        ------
        DataError
            if `split` has no labels or no probabilities.

        """
        slices: NDArray[np.int64] = self._fitted("slices_")
        resp = self._responsibilities(split)
        return SliceScores(
            hardness=resp @ self.error_rate_,
            flagged=np.isin(resp.argmax(axis=1), slices),
            membership=np.clip(resp[:, slices], 0, 1).astype(np.float32),
        )

    def _responsibilities(self, split: Split) -> Floats:
        """Return the probability of each component for each example, shape (n, n_components)."""
        raise NotImplementedError

    def _rate(self, val: Split, resp: Floats) -> None:
        """Set mass and error rate of each component, and the slices: highest error rate first, then largest mass."""
        wrong = ~needed(val, "correct", self.name)
        self.mass_ = resp.sum(axis=0)
        self.error_rate_ = wrong @ resp / np.where(self.mass_ > 0, self.mass_, 1.0)
        self.slices_ = np.lexsort((-self.mass_, -self.error_rate_))[: self.n_slices]

    def _too_few_examples(self, data: AuditData) -> str | None:
        """Return a reason if val has fewer examples than components."""
        if data.val.n < self.n_components:
            return f"needs at least as many val examples as components: {data.val.n} for {self.n_components}"
        return None

    def _check_n_slices(self) -> None:
        if not 1 <= self.n_slices <= self.n_components:
            raise ConfigError(f"n_slices is {self.n_slices}; expected 1 to n_components = {self.n_components}")
