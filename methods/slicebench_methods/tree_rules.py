"""Rules on metadata that raise the error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.data.metadata_codes import UNSEEN, coded, learnt_codes
from slicebench_methods._error_trees import LeafMethod
from slicebench_methods._needed import at_least, metadata_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


BY_VALUE = 50
"""Most whole numbers of a column that are looked at one by one."""


class TreeRules(LeafMethod):
    """Find rules on metadata with a decision tree: "time is night".

    Each class gets a shallow decision tree, grown on one half of val, that separates errors from
    right answers by the values of metadata columns. Numbers are cut into fifths. A leaf that is
    significant on the other half is a slice, named by its rule. Hardness is the leaf's error rate.

    Each value of a metadata column is a yes/no feature; a numeric column with more than `n_bins`
    values is cut into intervals first, unless it holds at most 50 different whole numbers: those keep
    their values, and may also be split by their order. Because of the test, usually no slice is returned where
    there is none.

    The error rate of a leaf is that of all of val, shrunk towards the class's by one example.
    Significant slices (at least 20 members, an error rate 0.05 above the rest's, Fisher's test at
    5% with Holm's correction) come worst first, and their members are flagged. A class with nothing
    to learn from falls back to the base model's confidence, and `notes` says so. Values that val
    lacks meet no condition; a missing value is a value.

    Parameters
    ----------
    depth : int, default 3
        Maximum number of conditions in a rule, as many as a reader keeps in mind. Ours.
    min_leaf : float, default 0.05
        Minimum share of the half of a class in a leaf, and at least 20 examples. Ours, as in
        `barlow`.
    n_bins : int, default 5
        Number of intervals of equal share that a numeric column with more values is cut into. Ours,
        as in `sliceline`.
    seed : int, default 0
        Seed of the halves of val.

    Attributes
    ----------
    columns_ : tuple of ColumnCodes
        Coding of each metadata column.
    forest_ : Forest
        Trees by class, fallbacks, and the leaves that are slices.

    Complexity: O(v · n_c log n_c) for v values of all columns; scoring O(n v).

    References
    ----------
    Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984. Error analysis by
    trees on metadata is common; Chung et al., "Slice Finder", 2019, name it as the baseline.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=600):
    ...     time, y = rng.choice(["day", "dusk", "night"], n), rng.integers(0, 2, n)
    ...     right = np.where((time == "night") & (y == 1), 0.2, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     ids = [f"{name}{i}" for i in range(n)]
    ...     return Split.from_probs(
    ...         ids=ids, embeddings=np.ones((n, 1)), labels=y, probs=probs, metadata=pd.DataFrame({"time": time})
    ...     )
    >>> data = AuditData(train=split("train"), val=split("val"), class_names=("cat", "dog"))
    >>> TreeRules().fit(data).score(split("test")).names
    ('dog: time is night',)

    """

    name = "tree_rules"
    needs = ("correct",)
    requires = frozenset({"metadata", "correct"})

    def __init__(self, depth: int = 3, min_leaf: float = 0.05, n_bins: int = 5, seed: int = 0) -> None:
        self.depth = depth
        self.min_leaf = min_leaf
        self.n_bins = n_bins
        self.seed = seed

    def supports(self, data: AuditData) -> str | None:
        """Check what every method needs, and that metadata have a column."""
        reason = super().supports(data)
        if reason is None and not len(metadata_of(data.val, "tree_rules").columns):
            return "needs a metadata column"
        return reason

    def fit(self, data: AuditData) -> Self:
        """Code the metadata of val and grow a tree per class.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        at_least(2, self, "n_bins")
        self.class_names_ = data.class_names or ("all",)
        self.columns_ = learnt_codes(metadata_of(data.val, "tree_rules"), self.n_bins, BY_VALUE)
        self.values_ = [(j, code) for j, column in enumerate(self.columns_) for code in range(1, column.missing + 1)]
        self.ordered_ = [j for j, column in enumerate(self.columns_) if column.ordered and not column.binned]
        X = self._features(data.val)
        self.gaps_ = {j for j in self.ordered_ if (X[:, j] == self.columns_[j].missing).any()}
        return self._grow(data, X)

    def _features(self, split: Split) -> NDArray[np.int64]:
        """Codes of the m columns, and the order of whole numbers; a value that val does not have is coded as -1."""
        metadata = metadata_of(split, "tree_rules")
        codes = coded(metadata, self.columns_)
        codes[codes == UNSEEN] = -1
        order = [self.columns_[j].order(metadata[self.columns_[j].name]) for j in self.ordered_]
        return np.column_stack([codes, *order])

    def _columns(self, c: int, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ARG002 - the same for every class
        """Return what a tree splits on: each value as yes or no, then the order of whole numbers, shape (n, v)."""
        values = [X[:, j] == code for j, code in self.values_]
        return np.column_stack([*values, X[:, len(self.columns_) :]]).astype(np.float64)

    def _condition(self, c: int, feature: int, threshold: float, *, above: bool) -> str:  # noqa: ARG002 - the same for all
        if feature < len(self.values_):
            j, code = self.values_[feature]
            return f"{'' if above else 'not '}{self.columns_[j].words(code)}"
        j = self.ordered_[feature - len(self.values_)]
        first = int(np.floor(threshold)) + 1
        if first < 1:  # the split is between the missing values and all others
            return f"{'not ' if above else ''}{self.columns_[j].words(self.columns_[j].missing)}"
        if above:
            return self.columns_[j].from_on(first)
        return self.columns_[j].below(first) + (" or missing" if j in self.gaps_ else "")
