"""scikit-learn: use any slice-discovery method as a transformer, alone or in a Pipeline.

X, the output of the steps before, is the embedding; the audited model is a parameter. As usual, the
constructor stores its parameters, `fit(X, y)` learns, `transform(X)` returns an array, and the names
of learnt attributes end in "_".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_predict
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from slicebench.data.checks import probs_of
from slicebench.data.problem import AuditData
from slicebench.data.split import Split, cross_entropy, deal
from slicebench.discovery.interop.found import found_by
from slicebench.errors import ConfigError, DataError, MethodError
from slicebench.plugins.method import SliceMethod, SliceScores, refuse_truth
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from slicebench.discovery.interop.found import Found


SHARES = {"train": 0.2, "val": 0.8}
"""Shares of the examples of `fit`: methods take means and deviations from train, and learn from val."""


class SliceTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Hardness and memberships of examples, as features.

    `transform` takes no labels: it uses the class that the model predicts, so that no label leaks into
    later steps. `scores` and `findings` take labels, for audits of labelled data.

    Parameters
    ----------
    method : str or SliceMethod, default "kmeans_errors"
        Registered name, or a method with parameters of its own.
    model : classifier with predict_proba, optional
        The audited model. A model in a `FrozenEstimator` is used as it is, and should not have been
        trained on the examples of `fit`. Any other is cloned: `fit` uses its predictions on folds
        that it was not trained on, and trains it on all examples for `transform`. Without a model,
        `fit` and `transform` need `probs`.
    cv : int or splitter, default 5
        Folds for a model that is not frozen.
    random_state : int, default 0
        Seed of the random split of the examples of `fit`: methods standardise by a fifth of each
        class, and learn from the rest.

    Attributes
    ----------
    classes_ : (C,) array
    method_ : SliceMethod
        The fitted method.
    model_ : classifier or None
    n_features_in_ : int
    n_slices_ : int
        Number of the method's slices; 0 for methods that only rank.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), SliceTransformer("domino", model=LogisticRegression()))
    >>> pipe.fit(X, y).transform(X).shape[0]
    400
    >>> pipe.get_feature_names_out()[:2].tolist()
    ['hardness', 'slice_1']

    """

    def __init__(
        self, method: str | SliceMethod = "kmeans_errors", model: Any = None, *, cv: Any = 5, random_state: int = 0
    ) -> None:
        self.method = method
        self.model = model
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, probs: ArrayLike | None = None) -> Self:
        """Fit the method.

        Parameters
        ----------
        X : (n, d) array
            Embeddings.
        y : (n,) classes
            Numbers or words, of at least two classes.
        probs : (n, C) array, optional
            Predictions of the audited model, if there is no `model`; columns are in the sorted order
            of the classes.

        Raises
        ------
        ConfigError
            if the method cannot run on such data, or needs the planted truth.
        DataError
            if there is neither a `model` nor `probs`, or `probs` are not probabilities.

        """
        self._fit(X, y, probs)
        return self

    def fit_transform(self, X: ArrayLike, y: ArrayLike, probs: ArrayLike | None = None) -> NDArray[np.float64]:
        """Fit, then transform the same examples by the predictions that `fit` used.

        These come from models that were not trained on the examples. `fit(X, y).transform(X)` differs:
        it uses a model that was.
        """
        P = self._fit(X, y, probs)
        split = self._split(np.asarray(validate_data(self, X, reset=False)), None, P, None)
        return self._features(self.method_.score(split))

    def transform(self, X: ArrayLike, probs: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return hardness and, if the method has slices, memberships, shape (n, 1 + n_slices_)."""
        return self._features(self.scores(X, probs=probs))

    def scores(self, X: ArrayLike, y: ArrayLike | None = None, probs: ArrayLike | None = None) -> SliceScores:
        """Return the method's scores of n examples.

        Without `y`, the predicted class is used instead of the true one.
        """
        split = self._examples(X, y, probs, None)
        return self.method_.score(split)

    def findings(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        ids: Sequence[object] | None = None,
        probs: ArrayLike | None = None,
    ) -> Found:
        """Return the members of the slices and the hardness as tables, the input of the other modules here.

        Without `ids`, examples are numbered from 0.
        """
        split = self._examples(X, y, probs, ids)
        name = self.method if isinstance(self.method, str) else type(self.method).__name__.lower()
        return found_by(self.method_.score(split), split, [str(c) for c in self.classes_], name)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Return the names of the columns: hardness, then slice_1, slice_2, ...

        The most suspicious slice comes first.
        """
        check_is_fitted(self)
        return np.array(["hardness", *(f"slice_{j + 1}" for j in range(self.n_slices_))], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.requires_fit = True
        return tags

    def _fit(self, X: ArrayLike, y: ArrayLike, probs: ArrayLike | None) -> NDArray[np.float32]:
        """Fit, and return the probabilities that were used."""
        vectors, labels = validate_data(self, X, y, dtype="numeric", ensure_min_samples=2)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y holds 1 class, {self._names()}; expected two or more")
        P = self._audited(np.asarray(vectors), labels, probs)
        split = self._split(np.asarray(vectors), codes, P, None)
        rng = np.random.default_rng(self.random_state)
        dealt = [deal(rows, SHARES, rng) for _, rows in split.by_class()]
        at = {name: np.sort(np.concatenate([part[name] for part in dealt])) for name in SHARES}
        if not len(at["train"]):  # classes of one or two
            at = {"train": at["val"][:1], "val": at["val"][1:]}
        names = tuple(str(c) for c in self.classes_)
        data = AuditData(train=split.take(at["train"]), val=split.take(at["val"]), class_names=names)
        self.method_ = self._fresh(data).fit(data)
        membership = self.method_.score(data.val).membership
        self.n_slices_ = 0 if membership is None else membership.shape[1]
        return P

    def _fresh(self, data: AuditData) -> SliceMethod:
        """Return an unfitted method that can work on `data`."""
        given = METHODS.load(self.method)() if isinstance(self.method, str) else self.method
        if not isinstance(given, SliceMethod):
            raise ConfigError(f"method is a {type(given).__name__}; expected a registered name or a SliceMethod")
        refuse_truth(f"the method {self.method!r}", given)
        reason = given.supports(data)
        if reason is not None:
            raise ConfigError(f"the method {self.method!r} cannot run on this data: {reason}")
        return type(given)(**given.get_params())

    def _audited(self, X: NDArray[Any], y: NDArray[Any], probs: ArrayLike | None) -> NDArray[np.float32]:
        """Return probabilities (n, C) of a model that was not trained on the examples.

        For `probs` and a frozen model, the caller must see to that.
        """
        if probs is not None:
            self.model_ = None if self.model is None else clone(self.model).fit(X, y)
            return self._checked(probs, len(X))
        if self.model is None:
            raise DataError(
                "the predictions of the audited model are missing; set model, or pass probs to fit and transform"
            )
        self.model_ = clone(self.model).fit(X, y)  # a frozen one stays what it is
        if isinstance(self.model, FrozenEstimator):
            return self._predicted(X)
        return self._checked(cross_val_predict(self.model, X, y, cv=self.cv, method="predict_proba"), len(X))

    def _predicted(self, X: NDArray[Any]) -> NDArray[np.float32]:
        if self.model_ is None:
            raise DataError(
                "the transformer has no model: it was fitted with probs; give the probs of these examples too"
            )
        if not np.array_equal(self.model_.classes_, self.classes_):
            known = ", ".join(map(str, self.model_.classes_[:5]))
            raise DataError(f"the model knows the classes {known}, but y has {self._names()}; expected the same")
        return self._checked(self.model_.predict_proba(X), len(X))

    def _checked(self, probs: ArrayLike, n: int) -> NDArray[np.float32]:
        P: NDArray[np.float32] = probs_of("probs", np.asarray(probs), n)
        if P.shape[1] != len(self.classes_):
            raise DataError(f"probs has {P.shape[1]} columns for {len(self.classes_)} classes")
        return P

    def _codes(self, y: ArrayLike, n: int) -> NDArray[np.int64]:
        labels = column_or_1d(y)
        codes = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[codes] != labels
        if len(labels) != n or unknown.any():
            said = (
                f"{len(labels)} labels for {n} examples"
                if len(labels) != n
                else f"the class {str(labels[unknown][0])!r}"
            )
            raise DataError(f"y has {said}; expected one of {self._names()} for each example")
        numbers: NDArray[np.int64] = codes.astype(np.int64)
        return numbers

    def _names(self) -> str:
        """Return the first few classes, for messages."""
        return ", ".join(map(str, self.classes_[:5])) + (", ..." if len(self.classes_) > 5 else "")

    def _examples(
        self, X: ArrayLike, y: ArrayLike | None, probs: ArrayLike | None, ids: Sequence[object] | None
    ) -> Split:
        """Return examples with the model's predictions, after the fit."""
        check_is_fitted(self)
        vectors = np.asarray(validate_data(self, X, reset=False))
        P = self._predicted(vectors) if probs is None else self._checked(probs, len(vectors))
        return self._split(vectors, None if y is None else self._codes(y, len(vectors)), P, ids)

    def _split(
        self,
        X: NDArray[Any],
        codes: NDArray[np.integer[Any]] | None,
        P: NDArray[np.float32],
        ids: Sequence[object] | None,
    ) -> Split:
        """Return examples as methods see them.

        The predicted class is used if the true one is not known.
        """
        y = P.argmax(axis=1) if codes is None else codes.astype(np.int64)
        names = np.arange(len(X)).astype(str) if ids is None else np.asarray(ids)
        return Split(ids=names, embeddings=X, losses=cross_entropy(P, y), labels=y, probs=P, inputs=X)

    def _features(self, scores: SliceScores) -> NDArray[np.float64]:
        k = 0 if scores.membership is None else scores.membership.shape[1]
        if k != self.n_slices_:
            raise MethodError(
                f"{self.method!r} has {k} slices here and {self.n_slices_} on val; a transformer needs a fixed number"
            )
        columns = [scores.hardness[:, None]]
        if scores.membership is not None:
            columns.append(scores.membership.astype(np.float64))
        return np.hstack(columns)
