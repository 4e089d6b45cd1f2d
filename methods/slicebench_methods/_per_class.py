"""Base class of methods that learn, class by class, to separate what the model gets right from what it gets wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from slicebench.errors import ConfigError, DataError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._needed import needed
from slicebench_methods._space import whitening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split


class PerClass(SliceMethod):
    """Method with one model of right against wrong per class, on whitened, normalised embeddings.

    A class with nothing to learn from falls back to confidences. A subclass stores a parameter
    `cv`, sets `name`, for messages, and implements `_begin`, `_fit_class` and `_hardness`.
    """

    requires = frozenset({"embeddings", "labels", "correct"})
    name: ClassVar[str]
    cv: int

    def fit(self, data: AuditData) -> Self:
        """Learn whitening from train and one model per class from val.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        if self.cv < 2:
            raise ConfigError(f"cv is {self.cv}; expected at least 2 folds")
        val, C = data.val, len(data.class_names)
        needed(val, "labels", self.name)
        correct = needed(val, "correct", self.name)
        self.whiten_mean_, self.whiten_std_ = whitening(data.train.embeddings)
        self.n_classes_ = C
        self._begin(C, val.d)
        learnable, self.fallbacks_ = learnable_classes(val, correct, C, self.cv)
        self._fit_classes(self._preprocess(val.embeddings), correct, learnable)
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness, shape (n,), by the model of the true class; examples above 0 are flagged.

        In a class that fell back, hardness is ½ − p_true, or the loss if the split has no
        probabilities, and misclassified examples are flagged.

        Raises
        ------
        DataError
            if `split` lacks labels or correctness, or has a class that was unknown in `fit`.

        """
        fallbacks: dict[int, str] = self._fitted("fallbacks_")
        labels, correct = needed(split, "labels", self.name), needed(split, "correct", self.name)
        if labels.max() >= self.n_classes_:
            row = int(np.argmax(labels >= self.n_classes_))
            raise DataError(
                f"labels is {labels[row]} at row {row}; this method was fitted on classes 0..{self.n_classes_ - 1}"
            )
        hardness = self._hardness(self._preprocess(split.embeddings), labels)
        flagged = hardness > 0
        fell = np.isin(labels, list(fallbacks))
        hardness[fell], flagged[fell] = doubt(split)[fell], ~correct[fell]
        return SliceScores(hardness=hardness, flagged=flagged)

    def notes(self) -> tuple[str, ...]:
        """List the classes that fell back to the base model's confidence, with the reason."""
        return ranked_by_confidence(self._fitted("fallbacks_"))

    def _begin(self, C: int, d: int) -> None:
        raise NotImplementedError

    def _fit_classes(
        self, Z: NDArray[np.float64], correct: NDArray[np.bool_], learnable: Mapping[int, NDArray[np.intp]]
    ) -> None:
        """Learn each class from its rows of `Z`, one after the other; a subclass may do them together."""
        for c, rows in learnable.items():
            self._fit_class(c, Z[rows], correct[rows])

    def _fit_class(self, c: int, Z: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        raise NotImplementedError

    def _hardness(self, Z: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute the hardness of preprocessed rows; any value will do in classes that fell back."""
        raise NotImplementedError

    def _preprocess(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Whiten, then L2-normalise; a row at the mean of train stays zero."""
        Z: NDArray[np.float32] = (X - self.whiten_mean_) / self.whiten_std_
        norms = np.linalg.norm(Z, axis=1, keepdims=True)
        Z /= np.where(norms > 0, norms, 1)
        return Z.astype(np.float64)


def learnable_classes(
    val: Split, correct: NDArray[np.bool_], n_classes: int, least: int
) -> tuple[dict[int, NDArray[np.intp]], dict[int, str]]:
    """Return the rows of each class to learn from, and the reason (`nothing_to_learn`) for each other class."""
    by_class = dict(val.by_class())
    rows = {c: by_class.get(c, np.arange(0)) for c in range(n_classes)}
    reasons = {c: nothing_to_learn(c, correct[rows[c]], least) for c in rows}
    fallbacks = {c: reason for c, reason in reasons.items() if reason is not None}
    return {c: rows[c] for c in rows if c not in fallbacks}, fallbacks


def nothing_to_learn(c: int, correct: NDArray[np.bool_], least: int) -> str | None:
    """Return why class `c` offers nothing to learn from (fewer than `least` errors or right answers), or None."""
    right, wrong = int(correct.sum()), int((~correct).sum())
    if right + wrong == 0:
        return f"class {c} has no validation examples"
    for count, what in ((wrong, "errors"), (right, "right answers")):
        if count < least:
            few = f"too few {what} to learn from: {count}, needs {least}"
            return f"class {c} has {few if count else f'no {what} to learn from'}"
    return None


def ranked_by_confidence(fallbacks: Mapping[int, str]) -> tuple[str, ...]:
    """Return a note on each class that fell back to the base model's confidence, from its reason."""
    return tuple(f"{reason}; ranked by confidence" for reason in fallbacks.values())


def doubt(split: Split) -> NDArray[np.float64]:
    """Return the base model's doubt in the true class: ½ − p_true, or its loss without probabilities."""
    if split.probs is None or split.labels is None:
        return split.losses.astype(np.float64)
    doubts: NDArray[np.float64] = 0.5 - split.probs[np.arange(split.n), split.labels].astype(np.float64)
    return doubts


def balanced_accuracy(decision: NDArray[np.float64], target: NDArray[np.int64]) -> float:
    """Average the shares of right (1, decision above 0) and wrong (0) examples that are decided correctly."""
    return float(np.mean([((decision > 0) == side)[target == side].mean() for side in (0, 1)]))
