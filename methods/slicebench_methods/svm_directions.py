"""Failure modes as directions: one linear SVM per class between what the model gets right and what it gets wrong."""

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

    Embeddings are whitened per dimension by the mean and unbiased standard deviation of train and L2-normalised, once. Within
    each true class a linear SVM with balanced class weights then separates the right from the wrong examples of val; the side
    of its hyperplane is the flag, the signed distance the hardness. How well it does so in cross-validation is the strength of
    the failure mode.

    A class that offers nothing to learn from (not in val, fewer than `cv` errors, or fewer than `cv` right answers) falls back
    to the base model's confidence, and `fallbacks_` says why.

    Hardness is comparable *within a class only*: each class has its own SVM with its own C, and small C means small decision
    values. Zero divides flagged from unflagged in all of them. Row order does not change scores, but it does decide which
    examples share a cross-validation fold (stratified, unshuffled, as in the paper's code), and so may change C.

    Parameters
    ----------
    Cs : sequence of float, default 1e-6 to 1 in seven steps
        Inverse regularisations to choose from, by cross-validated balanced accuracy; the first strictly best wins. The paper's
        grid tends to choose its edge, C = 1, where flags are sharpest but the ranking is not always best.
    cv : int, default 2
        Number of folds.
    solver : {"svc", "squared_hinge"}, default "svc"
        "svc" is the paper's SVM, solved by libsvm from one Gram matrix per class. "squared_hinge" squares the loss and solves all
        classes, C and folds together by matrix products, several times faster. It is another estimator: on large classes it ranks
        better, on the standard suite worse (nAMF .684 against .695 over 23 problems, 15 of them worse, Wilcoxon p .048), which is
        why it is not the default.

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
        The classes that fell back to confidences, with the reason.

    Complexity: O(n_c² d) for the Gram matrix of a class of n_c val examples, which all C and folds share (8 n_c² bytes), then
    `len(Cs) · cv + 1` kernel SVMs that never touch the d features again; with "squared_hinge" O(n_c min(n_c, d) len(Cs) cv) per
    step of at most 300, 4 n_c min(n_c, 2 d) bytes; scoring O(n d).

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
    """Return the SVM of right (1) against wrong (0), both sides weighing the same.

    Arrays and parameters are known to be sound here; checking them again, and asking scikit-learn for the balanced weights,
    would take longer than a fit of a few hundred examples.
    """
    from sklearn import config_context
    from sklearn.svm import SVC

    balance = len(target) / (2 * np.bincount(target, minlength=2))
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return SVC(kernel="precomputed", C=C).fit(gram, target, sample_weight=balance[target])


def _cross_validate(
    gram: NDArray[np.float64], target: NDArray[np.int64], Cs: Sequence[float], cv: int
) -> NDArray[np.float64]:
    """Mean balanced accuracy over stratified folds for each C, shape (len(Cs),), from one Gram matrix."""
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
