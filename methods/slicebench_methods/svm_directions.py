"""Failure modes as directions: one linear SVM per class between right and wrong examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError
from slicebench_methods._linear_directions import LinearDirections
from slicebench_methods._per_class import balanced_accuracy
from slicebench_methods._squared_hinge import fit_best

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SOLVERS = ("svc", "squared_hinge")
PAPER_CS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0)


class SVMDirections(LinearDirections):
    """Per class, the direction in embedding space along which the base model fails.

    Embeddings are whitened by train's mean and standard deviation, then L2-normalised. In each true
    class, a linear SVM with balanced weights separates right from wrong val examples. Hardness is
    the signed distance; the wrong side is flagged. Strength is the cross-validated balanced
    accuracy.

    The standard deviation is unbiased. A class with nothing to learn from (absent from val, or
    fewer than `cv` errors or right answers) falls back to the base model's confidence; `fallbacks_`
    gives the reason.

    Hardness is comparable *within a class only*: each class has its own SVM with its own C, and a
    small C gives small decision values. In every class, 0 divides flagged from unflagged examples.
    The order of the val rows decides which examples share a cross-validation fold (stratified,
    unshuffled, as in the paper's code), and so may change C; it changes nothing else.

    Parameters
    ----------
    Cs : sequence of float, default 1e-6 to 1 in seven steps
        Inverse regularisations to choose from by cross-validated balanced accuracy; the first best
        wins. The paper's grid tends to choose its edge, C = 1, where flags are sharpest but the
        ranking is not always best.
    cv : int, default 2
        Number of folds.
    solver : {"svc", "squared_hinge"}, default "svc"
        "svc" is the paper's SVM, solved by libsvm from one Gram matrix per class. "squared_hinge"
        squares the loss and solves all classes, C and folds together by matrix products, several
        times faster. It is another estimator: it ranks better on large classes, but worse on the
        standard suite (nAMF 0.684 against 0.695 over 23 problems, 15 of them worse, Wilcoxon p =
        0.048), so it is not the default.

    Attributes
    ----------
    directions_ : (C, d) float64
        Weight vector per class in whitened, normalised space; it points towards "right". NaN where the class fell back.
    intercepts_, best_C_ : (C,) float64
        NaN where the class fell back.
    cv_scores_ : (C, len(Cs)) float64
        Cross-validated balanced accuracy. NaN where the class fell back.
    whiten_mean_, whiten_std_ : (d,) float32
        Statistics of train; a feature that is constant there is only centred (std 1).
    fallbacks_ : dict of int to str
        Classes that fell back to confidences, with the reason.

    Complexity: per class of n_c val examples, O(n_c² d) and 8 n_c² bytes for a Gram matrix, then
    `len(Cs) · cv + 1` kernel SVMs on it; scoring O(n d). "squared_hinge": at most 300 steps of
    O(n_c min(n_c, d) len(Cs) cv), 4 n_c min(n_c, 2 d) bytes.

    References
    ----------
    Jain, Lawrence, Moitra, Madry, "Distilling Model Failures as Directions in Latent Space", 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=200):
    ...     x, y = rng.normal(size=(n, 4)), rng.integers(0, 2, n)
    ...     right = np.where(x[:, 0] > 1, 0.2, 0.9)  # hard where feature 0 is large
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs)
    >>> data = AuditData(train=split("train"), val=split("val"), class_names=("a", "b"))
    >>> method = SVMDirections().fit(data)
    >>> test = split("test")
    >>> hardest = np.argsort(-method.score(test).hardness)[:20]
    >>> bool((test.embeddings[hardest, 0] > 0.5).all())
    True

    """

    name = "svm_directions"

    def __init__(self, Cs: Sequence[float] = PAPER_CS, cv: int = 2, solver: str = "svc") -> None:
        self.Cs = Cs
        self.cv = cv
        self.solver = solver

    def _begin(self, C: int, d: int) -> None:
        self.directions_ = np.full((C, d), np.nan)
        self.intercepts_, self.best_C_ = np.full(C, np.nan), np.full(C, np.nan)
        self.cv_scores_ = np.full((C, len(self.Cs)), np.nan)

    def _fit_classes(
        self, Z: NDArray[np.float64], correct: NDArray[np.bool_], learnable: Mapping[int, NDArray[np.intp]]
    ) -> None:
        if self.solver not in SOLVERS:
            raise ConfigError(f"solver is {self.solver!r}; expected one of {', '.join(SOLVERS)}")
        if self.solver == "svc":
            super()._fit_classes(Z, correct, learnable)
            return
        parts = [Z[rows] for rows in learnable.values()]
        targets = [correct[rows].astype(np.int64) for rows in learnable.values()]
        for c, best in zip(learnable, fit_best(parts, targets, self.Cs, self.cv), strict=True):
            self.cv_scores_[c], self.best_C_[c] = best.scores, self.Cs[best.chosen]
            self.directions_[c], self.intercepts_[c] = best.weights, best.intercept

    def _fit_class(self, c: int, Z: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        gram, target = Z @ Z.T, correct.astype(np.int64)
        scores = _cross_validate(gram, target, self.Cs, self.cv)
        best = int(np.argmax(scores))  # the first of equals
        svm = _fitted_svc(self.Cs[best], gram, target)
        self.cv_scores_[c], self.best_C_[c] = scores, self.Cs[best]
        self.directions_[c] = svm.dual_coef_[0] @ Z[svm.support_]
        self.intercepts_[c] = svm.intercept_[0]


def _fitted_svc(C: float, gram: NDArray[np.float64], target: NDArray[np.int64]) -> Any:
    """Fit the SVM of right (1) against wrong (0) with balanced weights.

    Arrays and parameters are known to be valid here; checking them again, and asking scikit-learn
    for the balanced weights, would take longer than a fit of a few hundred examples.
    """
    from sklearn import config_context
    from sklearn.svm import SVC

    balance = len(target) / (2 * np.bincount(target, minlength=2))
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return SVC(kernel="precomputed", C=C).fit(gram, target, sample_weight=balance[target])


def _cross_validate(
    gram: NDArray[np.float64], target: NDArray[np.int64], Cs: Sequence[float], cv: int
) -> NDArray[np.float64]:
    """Average balanced accuracy over stratified folds for each C, shape (len(Cs),), from one Gram matrix."""
    from sklearn.model_selection import StratifiedKFold

    scores = np.empty((len(Cs), cv))
    for fold, (train, held_out) in enumerate(StratifiedKFold(cv).split(gram, target)):
        fit_gram, test_gram = gram[np.ix_(train, train)], gram[np.ix_(held_out, train)]
        for i, C in enumerate(Cs):
            svm = _fitted_svc(C, fit_gram, target[train])
            decision = test_gram[:, svm.support_] @ svm.dual_coef_[0] + svm.intercept_[0]
            scores[i, fold] = balanced_accuracy(decision, target[held_out])
    mean: NDArray[np.float64] = scores.mean(axis=1)
    return mean
