"""Failures explained by a shallow tree on the features most informative about failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench_methods._error_trees import LeafMethod
from slicebench_methods._information import mutual_information
from slicebench_methods._needed import at_least, needed
from slicebench_methods._space import whitened, whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class Barlow(LeafMethod):
    """Rules on single embedding features that raise the error rate.

    In each true class, a shallow decision tree on the features with most mutual information with
    failure, grown on half of val, separates failures from successes. A leaf that is significant on
    the other half is a slice; its rule is readable if single features mean something. Hardness is
    the leaf's error rate, so ties are common.

    A leaf is a rule that a person can read. Its error rate is that of all of val, shrunk towards
    the class's by one example. Significant slices (at least 20 members, an error rate 0.05 above
    the rest's, Fisher's test at 5% with Holm's correction) are returned, worst first, and their
    members are flagged. A class with nothing to learn from falls back to the base model's
    confidence, and `notes` says so.

    The paper takes its features from an adversarially robust network; here they are the problem's
    embedding, standardised by train. The paper has no test of slices.

    Parameters
    ----------
    n_features : int, default 20
        Features kept per class, as many as a person may look at. Ours.
    depth : int, default 2
        Depth of the tree. The paper asks for a shallow one; two conditions at most are our choice.
    min_leaf : float, default 0.05
        Minimum share of the half of a class in a leaf, and at least 20 examples, so that a slice
        matters. Ours.
    seed : int, default 0
        Seed of the halves of val and of the jitter in the estimate of mutual information.

    Attributes
    ----------
    features_ : dict of int to (n_features,) int64
        Features kept, by class.
    forest_ : Forest
        Trees by class, fallbacks, and the leaves that are slices.
    center_, scale_ : (d,) float32

    Complexity: O(d · n_c log n_c) for mutual information by nearest neighbours, O(n_features · n_c
    log n_c) for a tree; scoring O(n).

    References
    ----------
    Singla, Nushi, Shah, Kamar, Horvitz, "Understanding Failures of Deep Networks via Robust Feature Extraction", CVPR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=600):
    ...     x, y = rng.normal(size=(n, 4)), rng.integers(0, 2, n)
    ...     right = np.where(x[:, 2] > 1, 0.2, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs)
    >>> method = Barlow().fit(AuditData(train=split("train"), val=split("val"), class_names=("a", "b")))
    >>> sorted(name.rpartition(" ")[0] for name in method.score(split("test")).names)
    ['a: feature 2 >', 'b: feature 2 >']

    """

    name = "barlow"
    requires = frozenset({"embeddings", "labels", "correct"})

    def __init__(self, n_features: int = 20, depth: int = 2, min_leaf: float = 0.05, seed: int = 0) -> None:
        self.n_features = n_features
        self.depth = depth
        self.min_leaf = min_leaf
        self.seed = seed

    def fit(self, data: AuditData) -> Self:
        """Choose features and grow a tree per class on val.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        at_least(1, self, "n_features")
        val, self.class_names_ = data.val, data.class_names
        labels, wrong = needed(val, "labels", "barlow"), ~needed(val, "correct", "barlow")
        self.center_, self.scale_ = whitening(data.train.embeddings)
        Z = self._features(val)
        self.features_ = {
            int(c): self._informative(Z[labels == c], wrong[labels == c])
            for c in np.unique(labels)
            if 1 < wrong[labels == c].sum() < (labels == c).sum() - 1
        }
        return self._grow(data, Z)

    def _informative(self, Z: NDArray[np.float64], wrong: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Select the features with the highest mutual information with failure, the best first."""
        neighbours = min(3, int(min(wrong.sum(), (~wrong).sum())) - 1)
        information = mutual_information(Z, wrong, neighbours=max(1, neighbours), seed=self.seed)
        best: NDArray[np.int64] = np.argsort(-information, kind="stable")[: self.n_features]
        return best

    def _features(self, split: Split) -> NDArray[np.float64]:
        return whitened(split.embeddings, self.center_, self.scale_)

    def _columns(self, c: int, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return X[:, self.features_[c]]

    def _condition(self, c: int, feature: int, threshold: float, *, above: bool) -> str:
        return f"feature {self.features_[c][feature]} {'>' if above else '<='} {threshold:.2f}"
