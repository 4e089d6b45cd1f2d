"""Inspect a decision layer: few features per class, their descriptions, their ablation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import ConfigError, DataError
from slicebench.models.sparse.path import DecisionLayer, SparsePath, fit_held_out, standardisation, standardised
from slicebench.models.sparse.solver import settled_biases
from slicebench.studies.sparse.features import caption_effects, texts_of, word_effects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.problem import Problem
    from slicebench.data.split import Split

    Describe = Callable[[int, int, float], tuple[str, ...]]
    """Function of class, feature and sign: the words or captions that move the feature most in that sense."""


HELD_OUT = 0.1
"""Share of train that is held out to choose the layer, as in the paper."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Studied:
    """A path of layers on a problem's train embeddings, and the layer chosen from it.

    `chosen` is the layer's position in `path`, and `test_accuracies` (k,) are those of all layers.
    Embeddings are standardised by `center` and `scale`.
    """

    problem: Problem
    path: SparsePath
    chosen: int
    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    test_accuracies: NDArray[np.float64]

    @property
    def layer(self) -> DecisionLayer:
        """The chosen layer."""
        return self.path.layers[self.chosen]

    @cached_property
    def train_features(self) -> NDArray[np.float32]:
        """Standardised features of train, shape (n, d)."""
        return self._standardised(self.problem.data.train)

    @cached_property
    def test_features(self) -> NDArray[np.float32]:
        """Standardised features of test, shape (n, d)."""
        return self._standardised(self.problem.test)

    def _standardised(self, split: Split) -> NDArray[np.float32]:
        Z: NDArray[np.float32] = (split.embeddings - self.center) * self.scale
        return Z


@dataclass(frozen=True, kw_only=True)
class GroupAccuracy:
    """Accuracy of a layer on the test examples of a class.

    It is of all examples, of those in a planted group, and of the others; None if there are none.
    """

    all: float
    minority: float | None
    majority: float | None

    @property
    def gap(self) -> float | None:
        """Accuracy of the majority minus that of the minority."""
        return None if self.minority is None or self.majority is None else self.majority - self.minority


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature of one class.

    `described` are the words or captions that move it towards the class: up, or down if the weight is
    negative. `examples` are ids of the train examples in which it speaks most strongly for the class.
    `without` is the accuracy on the class of the layer without the feature.
    """

    index: int
    weight: float
    described: tuple[str, ...]
    examples: tuple[str, ...]
    without: GroupAccuracy


def study(
    problem: Problem,
    *,
    drop: float | None = None,
    features: float | None = None,
    grouped: bool = False,
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Studied:
    """Fit the path to train and choose a layer.

    The layer is at most `drop` below the best accuracy (default 0.02), or has `features` per class.

    Raises
    ------
    DataError
        if the problem has no labels.
    ConfigError
        if both `drop` and `features` are given, or a value is out of range.

    """
    train, test = problem.data.train, problem.test
    if train.labels is None or test.labels is None:
        raise DataError(f"problem {problem.name!r} has no class labels; a decision layer needs them")
    if drop is not None and features is not None:
        raise ConfigError("choose the layer by accuracy drop or by features per class, not by both")
    if features is not None and features <= 0:
        raise ConfigError(f"features per class is {features}; expected more than 0")
    center, scale = standardisation(train.embeddings)
    path = fit_held_out(
        standardised(train.embeddings, center, scale),
        train,
        n_classes=len(problem.data.class_names),
        held_out=HELD_OUT,
        seed=seed,
        grouped=grouped,
        on_progress=on_progress,
    )
    at_test = standardised(test.embeddings, center, scale)
    return Studied(
        problem=problem,
        path=path,
        chosen=path.within(0.02 if drop is None else drop) if features is None else path.with_features(features),
        center=center,
        scale=scale,
        test_accuracies=np.array([layer.accuracy(at_test, test.labels) for layer in path.layers]),
    )


def without(studied: Studied, features: Sequence[int]) -> DecisionLayer:
    """Return the layer in which `features` count as 0, their mean, for every class.

    Other weights stay. The biases are fitted again, so that on train the expected number of each class
    is the true one. Otherwise, removing features that speak for one class would make that class rarer,
    whatever the other features say.

    Raises
    ------
    ConfigError
        if the layer has no such feature.

    """
    layer, train = studied.layer, studied.problem.data.train
    d = layer.weights.shape[1]
    for j in features:
        if not 0 <= j < d:
            raise ConfigError(f"there is no feature {j}; the layer has features 0 to {d - 1}")
    weights = layer.weights.copy()
    weights[:, list(features)] = 0
    assert train.labels is not None
    bare = replace(layer, weights=weights)
    return replace(bare, biases=settled_biases(bare.logits(studied.train_features), train.labels, layer.biases))


def group_accuracies(studied: Studied, layer: DecisionLayer) -> dict[int, GroupAccuracy]:
    """Compute the accuracy of `layer` on test by class, in and outside the planted groups."""
    problem, test = studied.problem, studied.problem.test
    right = layer.logits(studied.test_features).argmax(axis=1) == test.labels
    minority = problem.truth.minority(test.ids)

    def mean(rows: NDArray[np.intp]) -> float | None:
        return float(right[rows].mean()) if len(rows) else None

    return {
        c: GroupAccuracy(
            all=float(right[rows].mean()), minority=mean(rows[minority[rows]]), majority=mean(rows[~minority[rows]])
        )
        for c, rows in test.by_class()
    }


def class_features(
    studied: Studied, *, words: int = 8, examples: int = 8, captioned: Problem | None = None
) -> dict[int, list[Feature]]:
    """Return the features of every class of test, largest weight first.

    Each has at most `words` words or captions and `examples` ids. Features of texts are described by
    words. Others are described by the captions of the problem, or of `captioned`: the same problem
    built with an encoder that reads captions.

    Raises
    ------
    DataError
        if `captioned` has no captions, or has other train examples.

    """
    layer, train = studied.layer, studied.problem.data.train
    Z = studied.train_features
    if captioned is None:
        describe = _by_words_or_captions(studied.problem, train, Z, words)
    else:
        describe = _by_captions(captioned, train, Z, words)
    bare = {
        j: group_accuracies(studied, without(studied, [j])) for j in np.flatnonzero(layer.weights.any(axis=0)).tolist()
    }
    out: dict[int, list[Feature]] = {}
    for c, _ in studied.problem.test.by_class():
        order = np.argsort(-np.abs(layer.weights[c]), kind="stable")[: np.count_nonzero(layer.weights[c])]
        out[c] = []
        for j in order.tolist():
            weight = float(layer.weights[c, j])
            sign = float(np.sign(weight))
            loudest = train.ids[np.argsort(-sign * Z[:, j], kind="stable")[:examples]]
            out[c].append(
                Feature(
                    index=j,
                    weight=weight,
                    described=describe(c, j, sign),
                    examples=tuple(loudest.tolist()),
                    without=bare[j][c],
                )
            )
    return out


def _by_words_or_captions(problem: Problem, train: Split, Z: NDArray[np.float32], count: int) -> Describe:
    """Describe features by words for texts, and by the problem's captions otherwise.

    Without captions, descriptions are empty.
    """
    texts = texts_of(train)
    if texts is not None:
        words, t = word_effects(texts, Z)
        return lambda c, j, sign: _top(words, sign * t[:, j], count)  # noqa: ARG005 - words are those of all classes
    if problem.data.captions is None:
        return lambda c, j, sign: ()  # noqa: ARG005
    return _by_captions(problem, train, Z, count)


def _by_captions(problem: Problem, train: Split, Z: NDArray[np.float32], count: int) -> Describe:
    captions, embedded = problem.data.captions, problem.data.train
    if captions is None:
        raise DataError(
            f"problem {problem.name!r} has no captions with the encoder {problem.encoder!r}; use one that reads text, "
            "such as 'nano-clip', to describe features, if the dataset has captions"
        )
    if not np.array_equal(embedded.ids, train.ids):
        raise DataError(
            "the problem that describes the features has other train examples; build both from the same dataset and seed"
        )
    effects = [caption_effects(captions, c, embedded.embeddings, Z) for c in range(len(captions.reference_texts))]
    return lambda c, j, sign: _top(
        captions.texts, np.where(captions.candidates[c], sign * effects[c][:, j], -np.inf), count
    )


def _top(names: Sequence[str], effects: NDArray[np.float64], count: int) -> tuple[str, ...]:
    """Return the names with the largest effects above 0."""
    order = np.argsort(-effects, kind="stable")[:count]
    return tuple(names[i] for i in order if effects[i] > 0)


def features_named(found: Mapping[int, Sequence[Feature]], wanted: Sequence[str]) -> list[int]:
    """Return the features that `wanted` names.

    A number names one feature; a word names all features whose description contains it.

    Raises
    ------
    ConfigError
        if a word is in no description.

    """
    features: set[int] = set()
    for one in wanted:
        if one.isdigit():
            features.add(int(one))
            continue
        said = {
            f.index
            for fs in found.values()
            for f in fs
            if any(one.lower() in text.lower().split() for text in f.described)
        }
        if not said:
            raise ConfigError(
                f"no feature is described by {one!r}; give a feature's number or a word of the descriptions"
            )
        features |= said
    return sorted(features)
