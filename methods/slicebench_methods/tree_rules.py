"""Rules on known attributes that raise the error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.data.metadata_codes import UNSEEN, coded, learnt_codes
from slicebench_methods._error_trees import LeafMethod
from slicebench_methods._needed import at_least, metadata_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class TreeRules(LeafMethod):
    """A decision tree on metadata that says in words where the model errs.

    Each value of a metadata column (each fifth, of a number with many) is a yes or no. Within each true class a shallow tree on
    them separates failures from successes. It grows on half of val; a leaf is a slice, the worst first and named by its rule,
    if the other half bears it out (20 members, error rate .05 above the rest's, Fisher, Holm, 5 %), so that where nothing is to
    be found the answer is usually no slice. Hardness is the error rate of an example's leaf among all of val, shrunk towards
    the class's by one example; flagged are the members of slices. A class with nothing to learn falls back to the base model's
    confidence, and `notes` says so. Values that val did not have meet no condition; a missing value is a value.

    Parameters
    ----------
    depth : int, default 3
        Conditions in a rule at most: what a reader keeps in mind. Ours.
    min_leaf : float, default 0.05
        Least share of the half of a class in a leaf, and no fewer than 20 examples. Ours, as in `barlow`.
    n_bins : int, default 5
        Intervals of equal share that a number of more values is cut into. Ours, as in `sliceline`.
    seed : int, default 0
        Halves val.

    Attributes
    ----------
    columns_ : tuple of ColumnCodes
        How each metadata column is coded.
    forest_ : Forest
        Trees by class, fallbacks, and the leaves that are slices.

    Complexity: O(v · n_c log n_c) for v values of all columns together; scoring O(n v).

    References
    ----------
    Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984. Error analysis by trees
    on metadata is common; Chung, Kraska, Polyzotis, Tae, Whang, "Slice Finder", 2019, names it as the baseline.

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
        """Decline what every method declines, and metadata without a column."""
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
        self.columns_ = learnt_codes(metadata_of(data.val, "tree_rules"), self.n_bins)
        self.values_ = [(j, code) for j, column in enumerate(self.columns_) for code in range(1, column.missing + 1)]
        return self._grow(data, self._features(data.val))

    def _features(self, split: Split) -> NDArray[np.float64]:
        """Whether each example has each value, shape (n, v)."""
        codes = coded(metadata_of(split, "tree_rules"), self.columns_)
        codes[codes == UNSEEN] = -1
        return np.column_stack([codes[:, j] == code for j, code in self.values_]).astype(np.float64)

    def _condition(self, c: int, feature: int, threshold: float, *, above: bool) -> str:  # noqa: ARG002 - yes or no
        j, code = self.values_[feature]
        return f"{'' if above else 'not '}{self.columns_[j].words(code)}"
