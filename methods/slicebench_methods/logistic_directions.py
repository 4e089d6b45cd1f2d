"""Failure modes as directions, found by logistic regression instead of an SVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import ConfigError
from slicebench_methods._linear_directions import LinearDirections
from slicebench_methods._per_class import balanced_accuracy

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LogisticDirections(LinearDirections):
    """Per class, the log-odds of an error as a linear function of the embedding.

    Like `svm_directions` in all but the loss: logistic regression uses every example, the SVM only
    those near its margin. Hardness is the log-odds of an error; examples above 0 are flagged.

    Embeddings, balanced weights, fallbacks, directions and caption scores are those of
    `svm_directions`.

    Parameters
    ----------
    C : float, default 0.01
        Inverse L2 penalty. A penalty this strong turns the direction towards the difference of the
        two means. Tuned on the families of leaderboard/tuning.json: C chosen by cross-validation is
        large, which sharpens flags and spoils the ranking.
    cv : int, default 2
        Number of folds, stratified and unshuffled, for measuring `strength`; as in
        `svm_directions`.

    Attributes
    ----------
    directions_, intercepts_, best_C_, whiten_mean_, whiten_std_, fallbacks_
        As in `svm_directions`.
    cv_scores_ : (C, 1) float64
        Cross-validated balanced accuracy, which `strength` reports; NaN where the class fell back.

    Complexity: `cv` + 1 fits per class, O(n_c d) per L-BFGS iteration; scoring O(n d).

    References
    ----------
    As `svm_directions`, with another loss.

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
    >>> method = LogisticDirections().fit(data)
    >>> test = split("test")
    >>> hardest = np.argsort(-method.score(test).hardness)[:20]
    >>> bool((test.embeddings[hardest, 0] > 0.5).all())
    True

    """

    name = "logistic_directions"

    def __init__(self, C: float = 0.01, cv: int = 2) -> None:
        self.C = C
        self.cv = cv

    def _begin(self, C: int, d: int) -> None:
        if not 0 < self.C < np.inf:
            raise ConfigError(f"C is {self.C}; expected a finite number above 0")
        self.directions_, self.intercepts_ = np.full((C, d), np.nan), np.full(C, np.nan)
        self.best_C_, self.cv_scores_ = np.full(C, np.nan), np.full((C, 1), np.nan)

    def _fit_class(self, c: int, Z: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        from sklearn.model_selection import StratifiedKFold

        target = correct.astype(np.int64)
        scores = []
        for fit, held_out in StratifiedKFold(self.cv).split(Z, target):
            weights, intercept = _fitted(Z[fit], target[fit], self.C)
            scores.append(balanced_accuracy(Z[held_out] @ weights + intercept, target[held_out]))
        self.cv_scores_[c], self.best_C_[c] = np.mean(scores), self.C
        self.directions_[c], self.intercepts_[c] = _fitted(Z, target, self.C)


def _fitted(Z: NDArray[np.float64], target: NDArray[np.int64], C: float) -> tuple[NDArray[np.float64], float]:
    """Fit weights and intercept of the log-odds of right."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=C, class_weight="balanced", max_iter=1000).fit(Z, target)
    return model.coef_[0], float(model.intercept_[0])
