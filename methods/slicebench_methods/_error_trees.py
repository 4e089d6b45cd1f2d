"""A shallow tree per class that splits right from wrong; a leaf is a slice if it is significant on unseen examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.metrics.slices.significance import MIN_SUPPORT
from slicebench_methods._membership import MembershipMethod
from slicebench_methods._needed import at_least
from slicebench_methods._per_class import nothing_to_learn
from slicebench_methods._supported import borne_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData

SPLIT_G = 10.83
"""Minimum G of a split: p = 0.001 of χ² with one degree of freedom, because it is the best of many splits."""


@dataclass(frozen=True, eq=False)
class ErrorTree:
    """Leaves of a tree, each with its conditions (feature, threshold, above or not) and its shrunk error rate."""

    conditions: tuple[tuple[tuple[int, float, bool], ...], ...]
    rates: NDArray[np.float64]

    def leaf_of(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the leaf of each row, shape (n,); every row meets the conditions of exactly one leaf."""
        leaves = np.zeros(len(X), dtype=np.intp)
        for j, conditions in enumerate(self.conditions):
            inside = np.ones(len(X), dtype=bool)
            for feature, threshold, above in conditions:
                inside &= (X[:, feature] > threshold) == above
            leaves[inside] = j
        return leaves


def grown(X: NDArray[np.float64], wrong: NDArray[np.bool_], *, depth: int, least: int, seed: int) -> ErrorTree:
    """Grow a tree of at most `depth` that predicts `wrong` (n,) from `X` (n, d); a leaf has `least` examples or more.

    A split has to pass a likelihood-ratio test at 0.001: with entropy as the criterion, n Δ entropy
    is half of G.
    """
    from sklearn.tree import DecisionTreeClassifier

    X = X.astype(np.float32).astype(np.float64)  # the tree compares in float32
    model = DecisionTreeClassifier(
        criterion="entropy",
        max_depth=depth,
        min_samples_leaf=least,
        min_impurity_decrease=SPLIT_G / (2 * np.log(2) * len(X)),
        random_state=seed,
    )
    tree = model.fit(X, wrong).tree_
    conditions: list[tuple[tuple[int, float, bool], ...]] = []
    todo: list[tuple[int, tuple[tuple[int, float, bool], ...]]] = [(0, ())]
    while todo:
        node, path = todo.pop()
        if tree.children_left[node] < 0:
            conditions.append(path)
            continue
        split = int(tree.feature[node]), float(tree.threshold[node])
        todo += [
            (tree.children_right[node], (*path, (*split, True))),
            (tree.children_left[node], (*path, (*split, False))),
        ]
    found = ErrorTree(tuple(conditions), np.zeros(len(conditions)))
    return ErrorTree(found.conditions, leaf_rates(found.leaf_of(X), wrong, len(conditions)))


def leaf_rates(leaves: NDArray[np.intp], wrong: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Compute the error rate of each of k leaves, with one example of the overall rate added, shape (k,)."""
    sizes, errors = np.bincount(leaves, minlength=k), np.bincount(leaves, wrong, minlength=k)
    rates: NDArray[np.float64] = (errors + wrong.mean()) / (sizes + 1)
    return rates


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees by class, reasons why classes have none, and the leaves that are slices: (class, leaf), worst first."""

    trees: Mapping[int, ErrorTree]
    fallbacks: Mapping[int, str]
    slices: tuple[tuple[int, int], ...]


class LeafMethod(MembershipMethod):
    """Method whose slices are leaves of one tree per class.

    A subclass stores `depth`, `min_leaf` and `seed`, calls `_grow` in `fit`, and implements
    `_features` and `_condition`, and `_columns` if a class uses only some of the features.
    """

    depth: int
    min_leaf: float
    seed: int
    class_names_: tuple[str, ...]

    def _grow(self, data: AuditData, X: NDArray[Any]) -> Self:
        """Grow a tree per class on a random half of val, with features `X` (n, d).

        Rates are those of all of val. Slices are the leaves that are significant on the other half.
        A leaf holds at least the share `min_leaf` of its half.
        """
        at_least(1, self, "depth")
        if not 0 < self.min_leaf < 0.5:
            raise ConfigError(f"min_leaf is {self.min_leaf}; expected a share between 0 and ½")
        val = data.val
        assert val.correct is not None
        rng, by_class, held = np.random.default_rng(self.seed), dict(val.by_class()), np.zeros(val.n, dtype=bool)
        trees: dict[int, ErrorTree] = {}
        members: dict[tuple[int, int], NDArray[np.intp]] = {}
        self.fallbacks_: dict[int, str] = {}
        for c in range(max(len(data.class_names), 1)):
            rows = by_class.get(c, np.arange(0))
            wrong = ~val.correct[rows]
            reason = nothing_to_learn(c, ~wrong, 2)
            half = rng.permutation(len(rows)) < (len(rows) + 1) // 2
            if reason is None and (wrong[half].all() or not wrong[half].any()):
                reason = f"the half of class {c} that the tree grows on has only errors, or none"
            if reason is not None:
                self.fallbacks_[c] = reason
                continue
            columns, held[rows] = self._columns(c, X[rows]), ~half
            least = max(MIN_SUPPORT, round(self.min_leaf * half.sum()))
            tree = grown(columns[half], wrong[half], depth=self.depth, least=least, seed=self.seed)
            leaves, k = tree.leaf_of(columns), len(tree.conditions)
            trees[c] = ErrorTree(tree.conditions, leaf_rates(leaves, wrong, k))
            members |= {(c, j): rows[leaves == j] for j in range(k)}
        good = borne_out(members, val, np.flatnonzero(held)) if trees else []
        self.slices_ = tuple(sorted(good, key=lambda leaf: -trees[leaf[0]].rates[leaf[1]]))
        self.forest_ = Forest(trees, self.fallbacks_, self.slices_)
        self.names_ = tuple(self._rule(c, leaf) for c, leaf in self.slices_)
        return self

    def _columns(self, c: int, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ARG002 - for those that choose
        """Return the features that the tree of class `c` uses."""
        return X

    def _condition(self, c: int, feature: int, threshold: float, *, above: bool) -> str:
        """Describe a condition in a rule of class `c`."""
        raise NotImplementedError

    def _judged(self, c: int, X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        if c not in self.forest_.trees:
            return None
        tree = self.forest_.trees[c]
        leaves = tree.leaf_of(self._columns(c, X))
        return tree.rates[leaves], np.eye(len(tree.rates))[leaves]

    def _rule(self, c: int, leaf: int) -> str:
        conditions = self.forest_.trees[c].conditions[leaf]
        said = [self._condition(c, feature, threshold, above=above) for feature, threshold, above in conditions]
        return f"{self.class_names_[c]}: {' and '.join(said) or 'all'}"
