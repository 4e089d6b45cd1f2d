"""Conjunctions of metadata values under which the model errs most, found exactly."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.data.metadata_codes import coded, learnt_codes
from slicebench.errors import ConfigError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._exact_slices import exact_slices
from slicebench_methods._needed import at_least, metadata_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class SliceLine(SliceMethod):
    """Find conjunctions of conditions on metadata: "time is night and place is road".

    The score of a conjunction weighs its mean error against its size: α (ē_S / ē − 1) − (1 − α) (n
    / |S| − 1). The search prunes by bounds without losing any of the best. Hardness is the largest
    mean val error of an example's slices; their members are flagged.

    The search goes level by level; a bound holds for everything below a slice. Its conditions,
    joined by "and", name a slice. The search is that of the package `sliceline` with three faults
    corrected (`_exact_slices`), so that the true best are returned.

    Errors are 0/1, or the losses in a task without right and wrong. Errors are compared within a
    class only, so each class is searched by itself; the paper searches all rows at once. A slice
    needs a score above 0, and so more than the class's mean error. Of slices with the same val
    members the shortest is kept. Slices are returned by descending score, which is relative to the
    class and so comparable between classes.

    An example in no slice has the mean error of the class's val examples in no slice (or of the
    class, if there are none) as hardness. Metadata are coded on val: numeric columns with more than
    `n_bins` values are cut at quantiles, all others are taken by value. Missing is a category; a
    category that val lacks meets no condition.

    Parameters
    ----------
    k : int, default 4
        Slices per class; the default of the authors' implementation in SystemDS.
    alpha : float, default 0.95
        Weight of error against size, as in the authors' published experiments.
    max_conditions : int, default 3
        Maximum number of conditions; the authors use 3 on two of their data sets.
    min_support : int, default 20
        Minimum number of val examples in a slice. Ours: the authors' 1% of the rows is meant for
        tables of many thousands. It would be three examples of a class of 300, and their error rate
        says little.
    n_bins : int, default 5
        Intervals of a numeric column. Ours: the authors make 10 of equal width, which leaves some
        of them empty; with 5 quantiles, a class of 100 has `min_support` examples in each.

    Attributes
    ----------
    columns_ : tuple of ColumnCodes
        Coding of the metadata.
    conditions_ : tuple of dict
        Code that each of a slice's columns must have.
    names_ : tuple of str
        Each slice in words, preceded by its class if there are several.
    class_, score_, error_ : (k',) int64, float64 and float64
        Class, SliceLine score and mean val error of each slice.
    base_ : dict of int to float
        Mean error of the examples in no slice, for each class of val.

    Complexity: O(n) per conjunction that is not pruned, at most (m v)^max_conditions of them for m
    columns of v values; usually all pairs and few longer ones.

    References
    ----------
    Sagadeeva, Boehm, "SliceLine: Fast, Linear-Algebra-based Slice Finding for ML Model Debugging", SIGMOD 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=300):
    ...     time, place = rng.choice(["day", "night"], n), rng.choice(["road", "roof"], n)
    ...     wrong = rng.random(n) < np.where((time == "night") & (place == "road"), 0.7, 0.05)
    ...     probs = np.where(wrong[:, None], [0.1, 0.9], [0.9, 0.1])
    ...     known, ids = pd.DataFrame({"time": time, "place": place}), [f"{name}{i}" for i in range(n)]
    ...     return Split.from_probs(
    ...         ids=ids, embeddings=np.ones((n, 1)), labels=np.zeros(n, int), probs=probs, metadata=known
    ...     )
    >>> data = AuditData(train=split("train"), val=split("val"), class_names=("car", "cat"))
    >>> SliceLine(k=1).fit(data).score(split("test")).names
    ('car: time is night and place is road',)

    """

    requires = frozenset({"metadata", "losses"})

    def __init__(
        self, k: int = 4, alpha: float = 0.95, max_conditions: int = 3, min_support: int = 20, n_bins: int = 5
    ) -> None:
        self.k = k
        self.alpha = alpha
        self.max_conditions = max_conditions
        self.min_support = min_support
        self.n_bins = n_bins

    def supports(self, data: AuditData) -> str | None:
        """Check what every method needs, the package, and that losses used as errors are not negative."""
        if find_spec("sliceline") is None:
            return "needs the package sliceline: pip install 'slicebench[sliceline]'"
        reason = super().supports(data)
        if reason is None and data.val.correct is None and data.val.losses.min() < 0:
            return (
                f"needs losses of at least 0, because they serve as errors; the smallest is {data.val.losses.min():g}"
            )
        return reason

    def fit(self, data: AuditData) -> Self:
        """Search val, class by class; deterministic.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check_parameters()
        val, metadata = data.val, metadata_of(data.val, "sliceline")
        self.columns_ = learnt_codes(metadata, self.n_bins)
        codes = coded(metadata, self.columns_)
        errors = (val.losses if val.correct is None else ~val.correct).astype(np.float64)
        found = [
            (score, c, float(errors[rows][inside].mean()), conditions)
            for c, rows in val.by_class()
            for score, conditions, inside in self._search(codes[rows], errors[rows])
        ]
        found.sort(key=lambda one: -one[0])
        self.score_ = np.array([score for score, *_ in found])
        self.class_ = np.array([c for _, c, *_ in found], dtype=np.int64)
        self.error_ = np.array([error for *_, error, _ in found])
        self.conditions_ = tuple(conditions for *_, conditions in found)
        self.names_ = tuple(self._words(c, conditions, data.class_names) for _, c, _, conditions in found)
        inside = self._members(val)
        self.base_ = {c: _mean_outside(errors[rows], inside[rows]) for c, rows in val.by_class()}
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness (n,), flags (n,), membership 0/1 (n, k') and names.

        Examples of a class that val lacks all have hardness 0.

        Raises
        ------
        DataError
            if `split` has no metadata, or lacks a column of val.

        """
        errors: NDArray[np.float64] = self._fitted("error_")
        inside, hardness = self._members(split), np.zeros(split.n)
        for c, rows in split.by_class():
            hardness[rows] = self.base_.get(c, 0.0)
        flagged: NDArray[np.bool_] = np.any(inside, axis=1)
        hardness[flagged] = np.where(inside[flagged], errors, 0).max(axis=1, initial=0)
        return SliceScores(hardness=hardness, flagged=flagged, membership=inside.astype(np.float32), names=self.names_)

    def _search(
        self, codes: NDArray[np.int64], errors: NDArray[np.float64]
    ) -> list[tuple[float, dict[int, int], NDArray[np.bool_]]]:
        """Find score, conditions and members of the best slices of one class, no two with the same members."""
        varied = np.flatnonzero(
            np.ptp(codes, axis=0) > 0
        )  # a condition that all examples meet makes twins of all slices
        if not len(varied) or not errors.any():
            return []
        best = exact_slices(
            codes[:, varied],
            errors,
            k=self.k,
            alpha=self.alpha,
            max_conditions=self.max_conditions,
            min_support=self.min_support,
        )
        kept: dict[bytes, tuple[float, dict[int, int], NDArray[np.bool_]]] = {}
        for score, slots in sorted(best, key=lambda one: (-one[0], len(one[1]))):
            conditions = {int(varied[j]): code for j, code in slots.items()}
            inside = _meets(codes, conditions)
            kept.setdefault(inside.tobytes(), (score, conditions, inside))
        return list(kept.values())[: self.k]

    def _words(self, c: int, conditions: dict[int, int], class_names: tuple[str, ...]) -> str:
        """Describe a slice in words, preceded by its class if there are several."""
        said = " and ".join(self.columns_[j].words(code) for j, code in conditions.items())
        return f"{class_names[c]}: {said}" if len(class_names) > 1 else said

    def _members(self, split: Split) -> NDArray[np.bool_]:
        """Return which examples are in which slice, shape (n, k')."""
        codes = coded(metadata_of(split, "sliceline"), self.columns_)
        inside = np.zeros((split.n, len(self.conditions_)), dtype=bool)
        for c, rows in split.by_class():
            for j in np.flatnonzero(self.class_ == c):
                inside[rows, j] = _meets(codes[rows], self.conditions_[j])
        return inside

    def _check_parameters(self) -> None:
        at_least(1, self, "k", "max_conditions", "min_support", "n_bins")
        if not 0 < self.alpha <= 1:
            raise ConfigError(f"alpha is {self.alpha}; expected a weight above 0 and up to 1")


def _meets(codes: NDArray[np.int64], conditions: dict[int, int]) -> NDArray[np.bool_]:
    """Check which rows of `codes` meet all of `conditions`, shape (n,)."""
    columns = list(conditions)
    met: NDArray[np.bool_] = (codes[:, columns] == [conditions[j] for j in columns]).all(axis=1)
    return met


def _mean_outside(errors: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Average `errors` (n,) over the rows in no slice of `inside` (n, k'), or over all if there are none."""
    outside = ~np.any(inside, axis=1)
    return float(errors.mean(where=outside if outside.any() else True))
