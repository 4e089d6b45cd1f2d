"""A shallow tree per class that splits right from wrong; its leaves are slices if examples that it did not see bear them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import ConfigError
from slicebench.metrics.slices.significance import MIN_SUPPORT
from slicebench_methods._per_class import nothing_to_learn
from slicebench_methods._supported import supported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from slicebench.data.split import Split

    Features = Callable[[int, NDArray[np.intp]], NDArray[np.float64]]


SPLIT_G = 10.83
"""G of a split below which it is not made: .001 of χ² with one degree of freedom, since the best of many is looked at."""


@dataclass(frozen=True, eq=False)
class ErrorTree:
    """Leaves of a tree: conditions (feature, threshold, above or not) of each, and its error rate, shrunk towards its class's."""

    conditions: tuple[tuple[tuple[int, float, bool], ...], ...]
    rates: NDArray[np.float64]

    def leaf_of(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        """Leaf of each row, shape (n,); every row meets the conditions of exactly one."""
        leaves = np.zeros(len(X), dtype=np.intp)
        for j, conditions in enumerate(self.conditions):
            inside = np.ones(len(X), dtype=bool)
            for feature, threshold, above in conditions:
                inside &= (X[:, feature] > threshold) == above
            leaves[inside] = j
        return leaves


def grown(X: NDArray[np.float64], wrong: NDArray[np.bool_], *, depth: int, least: int, seed: int) -> ErrorTree:
    """Tree of at most `depth` that tells `wrong` (n,) by `X` (n, d), at least `least` examples in a leaf.

    A split has to pass a likelihood-ratio test at .001: with entropy as the criterion, n Δ entropy is half of G.
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
    """Error rate of each of k leaves with one example of the overall rate added, shape (k,)."""
    sizes, errors = np.bincount(leaves, minlength=k), np.bincount(leaves, wrong, minlength=k)
    rates: NDArray[np.float64] = (errors + wrong.mean()) / (sizes + 1)
    return rates


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees by class, the reasons of the classes without one, and the leaves that are slices: (class, leaf), worst first."""

    trees: Mapping[int, ErrorTree]
    fallbacks: Mapping[int, str]
    slices: tuple[tuple[int, int], ...]


def grow_forest(val: Split, n_classes: int, features: Features, *, depth: int, least: float, seed: int) -> Forest:
    """Per class a tree on a random half of val; rates from all of val; slices are what the other half bears out.

    `features(c, rows)` gives the columns for class `c`; `least` is a leaf's least share of the half, and no leaf has fewer than
    10.
    """
    if depth < 1:
        raise ConfigError(f"depth is {depth}; expected at least 1")
    if not 0 < least < 0.5:
        raise ConfigError(f"min_leaf is {least}; expected a share between 0 and ½")
    assert val.correct is not None
    rng, by_class = np.random.default_rng(seed), dict(val.by_class())
    trees, fallbacks, held = dict[int, ErrorTree](), dict[int, str](), np.zeros(val.n, dtype=bool)
    for c in range(max(n_classes, 1)):
        rows = by_class.get(c, np.arange(0))
        wrong = ~val.correct[rows]
        reason = nothing_to_learn(c, ~wrong, 2)
        half = rng.permutation(len(rows)) < (len(rows) + 1) // 2
        if reason is None and (wrong[half].all() or not wrong[half].any()):
            reason = f"half of class {c} has errors only, or none"
        if reason is not None:
            fallbacks[c] = reason
            continue
        X, held[rows] = features(c, rows), ~half
        tree = grown(X[half], wrong[half], depth=depth, least=max(MIN_SUPPORT, round(least * half.sum())), seed=seed)
        trees[c] = ErrorTree(tree.conditions, leaf_rates(tree.leaf_of(X), wrong, len(tree.conditions)))
    return Forest(trees, fallbacks, _borne_out(trees, val, by_class, features, held))


def _borne_out(
    trees: Mapping[int, ErrorTree],
    val: Split,
    by_class: Mapping[int, NDArray[np.intp]],
    features: Features,
    held: NDArray[np.bool_],
) -> tuple[tuple[int, int], ...]:
    """Leaves that the held examples support, by falling error rate."""
    leaves = [(c, j) for c, tree in trees.items() for j in range(len(tree.conditions))]
    members = np.zeros((val.n, len(leaves)), dtype=bool)
    for k, (c, j) in enumerate(leaves):
        rows = by_class[c]
        members[rows, k] = trees[c].leaf_of(features(c, rows)) == j
    if not leaves or not held.any():
        return ()
    good = supported(members[held], val.take(np.flatnonzero(held)))
    return tuple(sorted((leaves[k] for k in np.flatnonzero(good)), key=lambda leaf: -trees[leaf[0]].rates[leaf[1]]))


def forest_scores(
    forest: Forest, split: Split, features: Features, hardness: NDArray[np.float64], flagged: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float32]]:
    """Hardness (n,), flags (n,) and membership (n, k); classes without a tree keep the `hardness` and `flagged` given."""
    membership = np.zeros((split.n, len(forest.slices)), dtype=np.float32)
    for c, rows in split.by_class():
        if c not in forest.trees:
            continue
        leaves = forest.trees[c].leaf_of(features(c, rows))
        hardness[rows] = forest.trees[c].rates[leaves]
        for k, (owner, leaf) in enumerate(forest.slices):
            if owner == c:
                membership[rows, k] = leaves == leaf
        flagged[rows] = membership[rows].any(axis=1)
    return hardness, flagged, membership
