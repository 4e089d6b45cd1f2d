"""Auditors that learn where the model's probabilities are wrong, and by how much to correct them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError, DataError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import at_least, needed
from slicebench_methods._space import whitened, whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

    Floats = NDArray[np.float64]
    Coefficients = tuple[int, Floats]

SURE = 2.0
"""Standard errors by which an auditor has to exceed the bound."""

ALL = -1
"""Part of an auditor that uses all examples; part c ≥ 0 uses those predicted as class c."""


class Multiaccuracy(SliceMethod):
    """Rank by how far boosted auditors move the probabilities.

    Auditors are ridge regressions of the residual y − p on the whitened embedding, over all of val
    or the examples predicted as one class. The auditor that correlates best with held-out residuals
    corrects the probabilities, p_c ∝ p_c · exp(η h_c(x)), until none correlates by more than
    `alpha`. Examples whose prediction changes are flagged.

    A model is multiaccurate if no auditor of a simple class can predict its residual. Hardness is
    the total variation between the corrected and the model's own probabilities, ½ Σ_c |p'_c − p_c|:
    how wrong the model is on examples like this one, whether or not this one is an error. (The
    correction of the true class alone would rank an error above a right answer of the same
    subgroup, which the auditors lower.) Scoring uses no labels.

    Flags are mostly errors that the embedding contradicts. Scored without outcomes, as in the
    controls, the method flags almost nothing. If no auditor passes, all hardness is 0 and nothing
    is flagged. The paper has two classes; here each class has a residual.

    Parameters
    ----------
    alpha : float, default 0
        Bound that the mean product of auditor and residual on the held-out half must exceed by two
        standard errors, with the auditor scaled into [−1, 1]. It is the paper's α; 0 accepts
        whatever the data can tell from 0. Value and standard errors are ours.
    eta : float, default 1.0
        Step of the correction, the paper's η; its value is ours.
    ridge : float, default 1.0
        Penalty of the regression, per example and unit of variance. Ours: with as many features as
        examples in a half, a weaker penalty fits noise.
    max_rounds : int, default 20
        Maximum number of corrections.
    seed : int, default 0
        Seed of the halves of val.

    Attributes
    ----------
    auditors_ : list of (part, (d + 1, C) float64)
        Part (−1 for all, or a predicted class) and coefficients of each correction, the last row the intercept.
    correlations_ : (rounds,) float64
        Correlation of each auditor on the held-out half when it was chosen, minus two standard
        errors.

    Complexity: O(rounds · (C + 1) · (n d² + d³)) to fit; O(rounds · n d C) to score.

    References
    ----------
    Kim, Ghorbani, Zou, "Multiaccuracy: Black-Box Post-Processing for Fairness in Classification", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=400):
    ...     x, y = rng.normal(size=(n, 4)), rng.integers(0, 2, n)
    ...     right = np.where(x[:, 0] > 1, 0.2, 0.9)  # hard where feature 0 is large
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs)
    >>> method = Multiaccuracy().fit(AuditData(train=split("train"), val=split("val"), class_names=("a", "b")))
    >>> test = split("test")
    >>> hardest = np.argsort(-method.score(test).hardness)[:20]
    >>> bool((test.embeddings[hardest, 0] > 0.5).all())
    True

    """

    requires = frozenset({"embeddings", "labels", "probs"})

    def __init__(
        self,
        alpha: float = 0.0,
        eta: float = 1.0,
        ridge: float = 1.0,
        max_rounds: int = 20,
        seed: int = 0,
    ) -> None:
        self.alpha = alpha
        self.eta = eta
        self.ridge = ridge
        self.max_rounds = max_rounds
        self.seed = seed

    def fit(self, data: AuditData) -> Self:
        """Boost auditors on one half of val, as long as they pass on the other half.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        if self.alpha < 0:
            raise ConfigError(f"alpha is {self.alpha}; expected 0 or more")
        for name in ("eta", "ridge"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0")
        at_least(1, self, "max_rounds")
        self.center_, self.scale_ = whitening(data.train.embeddings)
        val = data.val
        X, predicted, log_p = self._arrays(val)
        Y = np.eye(log_p.shape[1])[needed(val, "labels", "multiaccuracy")]
        audit = np.random.default_rng(self.seed).permutation(val.n) < (val.n + 1) // 2
        self.auditors_: list[Coefficients] = []
        correlations: list[float] = []
        parts = self._parts(X, predicted, audit) if audit.any() and not audit.all() else []
        n_held = int((~audit).sum())
        while len(correlations) < self.max_rounds:
            residuals = Y - np.exp(log_p)
            candidates = (_candidate(part, X, residuals, n_held) for part in parts)
            found = max(candidates, key=lambda one: one[0], default=None)
            if found is None or found[0] <= self.alpha:
                break
            correlations.append(found[0])
            self.auditors_.append(found[1])
            log_p = _normalised(log_p + self.eta * _audited(found[1], X, predicted))
        self.correlations_ = np.array(correlations)
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness (n,), the total variation between corrected and own probabilities, and flags (n,).

        Raises
        ------
        DataError
            if `split` has no probabilities, or probabilities of other classes.

        """
        auditors = self._fitted("auditors_")
        X, predicted, log_p = self._arrays(split)
        corrections = np.zeros_like(log_p)
        for auditor in auditors:
            if auditor[1].shape[1] != log_p.shape[1]:
                raise DataError(
                    f"probs has {log_p.shape[1]} columns; this method was fitted on {auditor[1].shape[1]} classes"
                )
            corrections += self.eta * _audited(auditor, X, predicted)
        corrected = np.exp(_normalised(log_p + corrections))
        moved = np.abs(corrected - np.exp(_normalised(log_p))).sum(axis=1) / 2
        return SliceScores(hardness=moved, flagged=corrected.argmax(axis=1) != predicted)

    def notes(self) -> tuple[str, ...]:
        """Note whether no auditor passed."""
        found = bool(self._fitted("auditors_"))
        return () if found else ("no auditor correlates with the residuals: all hardness is 0",)

    def _parts(self, X: Floats, predicted: NDArray[np.int64], audit: NDArray[np.bool_]) -> list[Part]:
        """Make the parts (all examples, and each predicted class) with what no round changes of their regressions."""
        parts = []
        for name in (ALL, *np.unique(predicted).tolist()):
            rows = (predicted == name) | (name == ALL)
            inside = np.flatnonzero(audit & rows)
            if len(inside) >= 2:
                parts.append(Part(name, inside, np.flatnonzero(~audit & rows), _ridge(X[inside], self.ridge)))
        return parts

    def _arrays(self, split: Split) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return whitened embeddings with ones (n, d + 1), predicted classes (n,) and log-probabilities (n, C)."""
        probs = needed(split, "probs", "multiaccuracy").astype(np.float64)
        Z = whitened(split.embeddings, self._fitted("center_"), self.scale_)
        return np.column_stack([Z, np.ones(split.n)]), probs.argmax(axis=1), np.log(np.maximum(probs, 1e-12))


@dataclass(frozen=True, eq=False)
class Part:
    """Examples of one auditor: rows of the audited half and of the held-out half, and `_ridge` of the former."""

    name: int
    inside: NDArray[np.intp]
    held: NDArray[np.intp]
    regression: Floats


def _candidate(part: Part, X: Floats, residuals: Floats, n_held: int) -> tuple[float, Coefficients]:
    """Fit the auditor of a part; return its mean product with the held-out residuals, less its error, and itself."""
    coefficients = part.regression @ residuals[part.inside]
    coefficients /= max(np.abs(X[part.inside] @ coefficients).max(), 1e-12)
    said = np.clip(X[part.held] @ coefficients, -1, 1)
    products = np.einsum("ik,ik->i", said, residuals[part.held])
    mean = products.sum() / n_held  # outside its part an auditor says 0
    spread = np.sqrt(max(np.square(products).sum() / n_held - mean**2, 0.0))
    return float(mean - SURE * spread / n_held**0.5), (part.name, coefficients)


def _ridge(X: Floats, penalty: float) -> Floats:
    """Compute the matrix (d + 1, n) from residuals to ridge coefficients; the intercept, last, is free."""
    weights = np.full(X.shape[1], penalty * len(X))
    weights[-1] = 1e-9 * len(X)
    gram = X.T @ X + np.diag(weights)
    try:
        return np.asarray(np.linalg.solve(gram, X.T), dtype=np.float64)
    except np.linalg.LinAlgError:  # examples so far out that the penalty is lost in rounding
        return np.asarray(np.linalg.lstsq(gram, X.T, rcond=None)[0], dtype=np.float64)


def _audited(auditor: Coefficients, X: Floats, predicted: NDArray[np.int64]) -> Floats:
    """Apply an auditor: shape (n, C) in [−1, 1], 0 outside its part. einsum works row by row."""
    part, coefficients = auditor
    said = np.zeros((len(X), coefficients.shape[1]))
    rows = np.flatnonzero((predicted == part) | (part == ALL))
    said[rows] = np.clip(np.einsum("ij,jk->ik", X[rows], coefficients), -1, 1)
    return said


def _normalised(log_p: Floats) -> Floats:
    """Normalise log-probabilities, so that rows of probabilities sum to 1."""
    peak = log_p.max(axis=1, keepdims=True)
    normalised: Floats = log_p - peak - np.log(np.exp(log_p - peak).sum(axis=1, keepdims=True))
    return normalised
