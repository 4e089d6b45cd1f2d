"""Keywords that the model's errors resemble more than its right answers do."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.metrics.statistics.comparison import holm
from slicebench.plugins.method import SliceMethod, SliceScores, candidates_of
from slicebench_methods._needed import at_least, needed
from slicebench_methods._per_class import doubt, ranked_by_confidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

    Floats = NDArray[np.float64]


class B2T(SliceMethod):
    """Explain errors by the captions that fit them.

    Per class, a candidate caption's CLIP score is its mean cosine with the misclassified val
    examples minus that with the right ones. A caption whose score is significant is a keyword and
    names a slice: examples with a cosine above the midpoint of the two means. Hardness is the
    cosine with the best keyword.

    The test is Welch's one-sided t-test at level `alpha`, with Holm's correction over all
    candidates of all classes. The slice must also hold a higher share of val errors than the class.
    The `n_keywords` with the highest scores in each class are returned, by descending score, and
    their members are flagged. A class without a keyword falls back to the base model's confidence,
    its errors are flagged, and `notes` says so.

    The paper extracts keywords from captions generated for the errors, and assigns an example to a
    keyword's subgroup if its own caption has the word. Here candidates are given and examples have
    no captions, so cosines replace both. The paper has no test: it lists the captions with the
    highest scores for a person to judge.

    Parameters
    ----------
    n_keywords : int, default 3
        Maximum number of keywords of a class. Ours: the paper shows a person long lists, but there
        should be few slices.
    alpha : float, default 0.05
        Level of the test. Ours, as the paper has none.

    Attributes
    ----------
    scores_ : (C, m) float64
        CLIP scores; 0 for captions that are not candidates, and in classes without errors or
        without right answers.
    p_ : (C, m) float64
        Corrected p; 1 where there is no score.
    keywords_, class_, threshold_ : (k,) int64, int64 and float64
        Caption, class and minimum cosine of each slice.
    vectors_, texts_ : (k, d) float64 and tuple of str
        Captions of the slices as unit vectors and as text.
    best_ : dict of int to (d,) float64
        Unit vector of the best keyword of each class that has one.
    fallbacks_ : dict of int to str
        Classes without a keyword, with the reason.

    Complexity: O(n m d) for m captions; scoring O(n k d).

    References
    ----------
    Kim, Mo, Kim, Lee, Lee, Shin, "Discovering and Mitigating Visual Biases through Keyword Explanation", CVPR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> from slicebench.data.captions.embedded import Captions
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=200):
    ...     night = rng.random(n) < 0.2
    ...     wrong = rng.random(n) < np.where(night, 0.7, 0.05)
    ...     x = rng.normal(size=(n, 2)) + np.where(night[:, None], [0, 4], [4, 0])
    ...     probs = np.where(wrong[:, None], [0.2, 0.8], [0.8, 0.2])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=np.zeros(n, int), probs=probs)
    >>> captions = Captions(
    ...     texts=("a cat by day", "a cat at night"), embeddings=np.eye(2), candidates=np.ones((2, 2), bool),
    ...     reference_texts=("a cat", "a dog"), references=np.ones((2, 2)),
    ... )
    >>> data = AuditData(train=split("train"), val=split("val"), class_names=("cat", "dog"), captions=captions)
    >>> B2T().fit(data).score(split("test")).names
    ('a cat at night',)

    """

    requires = frozenset({"captions", "embeddings", "labels", "correct"})

    def __init__(self, n_keywords: int = 3, alpha: float = 0.05) -> None:
        self.n_keywords = n_keywords
        self.alpha = alpha

    def fit(self, data: AuditData) -> Self:
        """Score the candidate captions on val and keep the keywords; deterministic.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        at_least(1, self, "n_keywords")
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha is {self.alpha}; expected a level between 0 and 1")
        val, captions, C = data.val, candidates_of(data), len(data.class_names)
        labels, wrong = needed(val, "labels", "b2t"), ~needed(val, "correct", "b2t")
        texts, X = _unit(captions.embeddings), _unit(val.embeddings)
        self.scores_ = np.zeros(captions.candidates.shape)
        p, middle, excess = (np.full(self.scores_.shape, value) for value in (1.0, np.inf, 0.0))
        self.fallbacks_: dict[int, str] = {}
        for c in range(C):
            rows, candidates = np.flatnonzero(labels == c), np.flatnonzero(captions.candidates[c])
            cosines, bad = X[rows] @ texts[candidates].T, wrong[rows]
            if min(bad.sum(), (~bad).sum()) < 1:
                self.fallbacks_[c] = f"class {c} has {bad.sum()} wrong and {(~bad).sum()} right answers in val"
                continue
            means = cosines[bad].mean(axis=0), cosines[~bad].mean(axis=0)
            self.scores_[c, candidates] = means[0] - means[1]
            p[c, candidates] = _welch(cosines[bad], cosines[~bad])
            middle[c, candidates] = (means[0] + means[1]) / 2
            inside = cosines > middle[c, candidates]
            excess[c, candidates] = bad.astype(np.float64) @ inside / np.maximum(inside.sum(axis=0), 1) - bad.mean()
        tested = captions.candidates & np.isfinite(middle)
        self.p_ = np.ones_like(p)
        self.p_[tested] = holm(p[tested])
        found = (self.p_ <= self.alpha) & (self.scores_ > 0) & (excess > 0)
        self._keep(found, middle, texts, captions.texts)
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness (n,), flags (n,) and membership 0/1 (n, k), with the keywords as names.

        Raises
        ------
        DataError
            if `split` lacks labels or correctness.

        """
        best: dict[int, Floats] = self._fitted("best_")
        labels, correct = needed(split, "labels", "b2t"), needed(split, "correct", "b2t")
        X, hardness = _unit(split.embeddings), doubt(split)
        # einsum works row by row: equal examples get equal cosines, wherever they stand
        inside = np.einsum("ij,kj->ik", X, self.vectors_) > self.threshold_
        inside &= labels[:, None] == self.class_
        flagged: NDArray[np.bool_] = np.any(inside, axis=1)
        for c, rows in split.by_class():
            if c in best:
                hardness[rows] = np.einsum("ij,j->i", X[rows], best[c])
            else:
                flagged[rows] = ~correct[rows]
        return SliceScores(hardness=hardness, flagged=flagged, membership=inside.astype(np.float32), names=self.texts_)

    def directions(self, data: AuditData) -> Floats:
        """Return each class's best keyword, shape (C, d); the default direction in a class without one."""
        best: dict[int, Floats] = self._fitted("best_")
        directions = super().directions(data) if self.fallbacks_ else np.zeros((len(data.class_names), data.val.d))
        for c, vector in best.items():
            directions[c] = vector
        return directions

    def caption_hardness(self, data: AuditData) -> Floats:  # noqa: ARG002 - of the captions that fit saw
        """Return the CLIP score of each candidate, shape (C, m)."""
        scores: Floats = self._fitted("scores_")
        return scores

    def notes(self) -> tuple[str, ...]:
        """List the classes without a keyword, with the reason."""
        return ranked_by_confidence(self._fitted("fallbacks_"))

    def _keep(self, found: NDArray[np.bool_], middle: Floats, vectors: Floats, texts: tuple[str, ...]) -> None:
        """Keep the best of the captions `found` (C, m) of each class as slices."""
        kept: list[tuple[float, int, int]] = []
        self.best_: dict[int, Floats] = {}
        for c in range(len(found)):
            order = np.argsort(-self.scores_[c], kind="stable")
            best = order[found[c, order]][: self.n_keywords]
            kept += [(-self.scores_[c, j], c, int(j)) for j in best]
            if len(best):
                self.best_[c] = vectors[best[0]]
            else:
                self.fallbacks_.setdefault(c, f"class {c} has no caption that its errors resemble significantly more")
        kept.sort()
        self.class_ = np.array([c for _, c, _ in kept], dtype=np.int64)
        self.keywords_ = np.array([j for *_, j in kept], dtype=np.int64)
        self.threshold_ = middle[self.class_, self.keywords_]
        self.vectors_, self.texts_ = vectors[self.keywords_], tuple(texts[j] for j in self.keywords_)


def _unit(X: NDArray[np.float32]) -> Floats:
    """Scale rows to length 1; a row of zeros stays as it is."""
    X64 = X.astype(np.float64)
    unit: Floats = X64 / np.maximum(np.linalg.norm(X64, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return unit


def _welch(wrong: Floats, right: Floats) -> Floats:
    """Test per column whether the mean of `wrong` is above that of `right`, one-sided; p is 1 with too little data."""
    from scipy.stats import ttest_ind

    spread = np.maximum(np.ptp(wrong, axis=0), np.ptp(right, axis=0)) > 1e-9  # less is rounding
    p = np.ones(wrong.shape[1])
    if min(len(wrong), len(right)) > 1 and spread.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # one side may be constant; then the other decides
            tested = ttest_ind(wrong[:, spread], right[:, spread], equal_var=False, alternative="greater").pvalue
        p[spread] = np.nan_to_num(tested, nan=1.0)
    return p
