"""Build a `Problem` from a user's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of, ids_of, labels_of, probs_of
from slicebench.data.problem import SPLITS, AuditData, Problem, Provenance
from slicebench.data.split import Split, cross_entropy, deal
from slicebench.data.truth import PlantedTruth
from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from slicebench.data.split import Inputs


SHARES = {"train": 0.2, "val": 0.4, "test": 0.4}
"""Shares of the splits by default. Train is small: methods take only means and deviations from it."""


def from_arrays(
    *,
    embeddings: ArrayLike,
    labels: ArrayLike | None = None,
    probs: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    losses: ArrayLike | None = None,
    correct: ArrayLike | None = None,
    groups: Mapping[str, ArrayLike] | None = None,
    ids: Sequence[object] | None = None,
    splits: Sequence[str] | NDArray[np.str_] | None = None,
    class_names: Sequence[str] = (),
    inputs: Inputs | None = None,
    metadata: pd.DataFrame | None = None,
    name: str = "mine",
    seed: int = 0,
    encoder: str = "given",
    modality: str = "unknown",
    provenance: Provenance | None = None,
) -> Problem:
    """Build a problem from your own predictions.

    Parameters
    ----------
    embeddings : (n, d) array
        Any representation of the examples. The better it captures how they differ, the better the
        slices.
    labels : (n,) class numbers, optional
        True classes; a task without classes has none.
    probs : (n, C) array, optional
        The model's class probabilities; (n,) for the score of class 1 of two.
    predictions : (n,) class numbers, optional
        Needed without probabilities, or if the model does not predict the most probable class.
    losses : (n,) array, optional
        By default -log p of the true class; without `probs`, 1 for an error and 0 otherwise.
    correct : (n,) bool, optional
        Whether the model is right; instead of `predictions`.
    groups : mapping of name to (n,) bool, optional
        Known subgroups, with which the methods' findings are compared; no method sees them.
    ids : n strings or integers, optional
        By default the positions.
    splits : n strings, optional
        "train", "val", "test" or "pool"; methods learn from train and val and are judged on test. By
        default a fifth of the examples goes to train and two fifths each to val and test, at random
        within each class. Methods take only means and deviations from train. No split should contain
        data that the model was trained on.
    class_names : C strings, optional
        By default the class numbers.
    inputs, metadata : optional
        The raw examples (n images or texts) and a DataFrame with n rows.
    name, seed, encoder, modality, provenance : optional
        Description of the problem, for records.

    Raises
    ------
    DataError
        naming the array, the first offending row and what was expected.

    """
    whole = split_of(
        embeddings=embeddings,
        labels=labels,
        probs=probs,
        predictions=predictions,
        losses=losses,
        correct=correct,
        ids=ids,
        inputs=inputs,
        metadata=metadata,
    )
    n, y = whole.n, whole.labels
    truth = {key: array_of(f"groups[{key!r}]", value, np.bool_, 1, n) for key, value in (groups or {}).items()}
    table = np.stack([*truth.values()], axis=1) if truth else np.zeros((n, 0), dtype=bool)
    at = split_positions(n, splits, y, seed)
    parts = {key: whole.take(positions) for key, positions in at.items()}
    return Problem(
        name=name,
        family=name,
        dataset=name,
        dataset_version="1",
        params={},
        seed=seed,
        modality=modality,
        encoder=encoder,
        data=AuditData(
            train=parts["train"],
            val=parts["val"],
            pool=parts.get("pool"),
            class_names=names_of_classes(y, whole.probs, class_names),
        ),
        test=parts["test"],
        truth=PlantedTruth(
            ids={key: split.ids for key, split in parts.items()},
            groups={key: table[positions] for key, positions in at.items()},
            group_names=tuple(truth),
            how="groups given by the user" if truth else "no groups known",
            kind="natural",
        ),
        provenance=provenance or Provenance(source="the user's own arrays", licence="the user's"),
    )


def split_of(
    *,
    embeddings: ArrayLike,
    labels: ArrayLike | None = None,
    probs: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    losses: ArrayLike | None = None,
    correct: ArrayLike | None = None,
    ids: Sequence[object] | None = None,
    inputs: Inputs | None = None,
    metadata: pd.DataFrame | None = None,
) -> Split:
    """Return all examples as one split; parameters and errors are those of `from_arrays`."""
    rows: NDArray[np.float32] = array_of("embeddings", embeddings, np.float32, 2)
    n = len(rows)
    names = ids_of("ids", np.arange(n) if ids is None else np.asarray(ids))
    y = None if labels is None else labels_of("labels", labels, n)
    fields = _outcomes(n, y, probs, predictions, losses, correct)
    return Split(ids=names, embeddings=rows, labels=y, inputs=inputs, metadata=metadata, **fields)


def _outcomes(
    n: int, y: NDArray[np.int64] | None, probs: Any, predictions: Any, losses: Any, correct: Any
) -> dict[str, NDArray[Any]]:
    """Return probabilities, correctness and losses.

    Losses that are not given are -log p of the true class or, without probabilities, 0 and 1.
    """
    out: dict[str, NDArray[Any]] = {}
    if probs is not None:
        out["probs"] = probs_of("probs", both_classes(probs, y), n)
    if predictions is not None:
        if y is None:
            raise DataError("predictions are given without labels; give both, or give losses")
        out["correct"] = labels_of("predictions", predictions, n) == y
    if correct is not None:
        out["correct"] = array_of("correct", correct, np.bool_, 1, n)
    if losses is not None:
        out["losses"] = array_of("losses", losses, np.float32, 1, n)
    elif "probs" in out and y is not None:
        if y.max() >= out["probs"].shape[1]:
            raise DataError(
                f"labels reach {y.max()}, but probs has {out['probs'].shape[1]} columns; expected one per class"
            )
        out["losses"] = cross_entropy(out["probs"], y)
    elif "correct" in out:
        out["losses"] = (~out["correct"]).astype(np.float32)
    else:
        raise DataError(
            "the arrays do not say where the model errs; give probs and labels, predictions and labels, correct, or losses"
        )
    return out


def both_classes(probs: Any, y: NDArray[np.int64] | None) -> Any:
    """Return probabilities of both classes where `probs` is the score of class 1 of two, shape (n,) or (n, 1).

    Raises `DataError` for one score and more than two classes.
    """
    given = np.asarray(probs)
    if (given.ndim == 2 and given.shape[1] != 1) or given.ndim > 2 or given.dtype.kind not in "fiu":
        return probs
    if y is not None and y.max(initial=0) > 1:
        raise DataError(
            f"probs has one score for each example, which is enough for two classes; labels reach {y.max()}: give "
            "(n, C) probabilities"
        )
    score = given.reshape(-1).astype(np.float64)
    return np.stack([1 - score, score], axis=1)


def split_positions(n: int, splits: Any, y: NDArray[np.int64] | None, seed: int) -> dict[str, NDArray[np.intp]]:
    """Return the positions of each split among n examples.

    They are as named in `splits`; without names, examples are dealt at random within each class by
    `SHARES`.
    """
    if splits is not None:
        named = np.asarray(splits).astype(str)
        if named.shape != (n,):
            raise DataError(f"splits has shape {named.shape}; expected one name per example, ({n},)")
        unknown = sorted(set(named.tolist()) - set(SPLITS))
        if unknown:
            raise DataError(
                f"splits has {unknown[0]!r} at row {int(np.argmax(named == unknown[0]))}; expected {', '.join(SPLITS)}"
            )
        found = {key: np.flatnonzero(named == key) for key in SPLITS if (named == key).any()}
        if missing := [key for key in SHARES if key not in found]:
            raise DataError(f"splits has no example of {' and '.join(missing)}; train, val and test are all required")
        return found
    return dealt(np.zeros(n) if y is None else y, SHARES, np.random.default_rng(seed))


def dealt(
    y: NDArray[Any], shares: Mapping[str, float], rng: np.random.Generator, what: str = "examples"
) -> dict[str, NDArray[np.intp]]:
    """Return the positions of each part among the examples, dealt at random within each class."""
    parts = [deal(np.flatnonzero(y == c), shares, rng) for c in np.unique(y)]
    at = {key: np.sort(np.concatenate([part[key] for part in parts])) for key in shares}
    if empty := [key for key, rows in at.items() if not len(rows)]:
        *most, last = shares
        raise DataError(
            f"too few {what} ({len(y)}) to deal to {', '.join(most)} and {last}: {' and '.join(empty)} would be "
            "empty; give more rows"
        )
    return at


def split_names(at: Mapping[str, NDArray[np.intp]], n: int) -> NDArray[np.str_]:
    """Return the split of each of n examples, from the positions of each split."""
    names = np.empty(n, dtype="U5")
    for key, rows in at.items():
        names[rows] = key
    return names


def names_of_classes(y: NDArray[np.int64] | None, probs: NDArray[Any] | None, given: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes: those given, else their numbers; none without labels."""
    if y is None:
        return tuple(given)
    C = max(int(y.max()) + 1, 0 if probs is None else probs.shape[1])
    return tuple(given) or tuple(f"class {c}" for c in range(C))
