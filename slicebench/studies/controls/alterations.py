"""Alter outcomes and labels so that a split has nothing to find.

The *outcome* of an example is the base model's probabilities, loss and correctness, which move together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.permuted import with_outcomes_of
from slicebench.data.split import Split, cross_entropy
from slicebench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


HOMOGENEOUS_RATE = 0.35
"""Error rate of the class whose errors are random (C4)."""

LABEL_NOISE = 0.15
"""Share of labels replaced (C5)."""

SINGLED_OUT = 0
"""The class without errors (C3), or with random errors (C4)."""


def joined(first: Split, second: Split) -> Split:
    """Join the examples of two splits; raw inputs are then in memory, as an array or a list."""
    import pandas as pd

    def both(name: str) -> Any:
        parts = [getattr(split, name) for split in (first, second)]
        if any(part is None for part in parts):
            return None
        if isinstance(parts[0], pd.DataFrame):
            return pd.concat(parts, ignore_index=True)
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts)
        return [example for part in parts for example in (part[i] for i in range(len(part)))]

    names = ("ids", "embeddings", "losses", "labels", "probs", "correct", "inputs", "metadata")
    return Split(**{name: both(name) for name in names})


def unaltered(split: Split, rng: np.random.Generator) -> Split:  # noqa: ARG001 - as the others
    """Return the split as it is; used by C1, C2 and power."""
    return split


def no_errors_in_one_class(split: Split, rng: np.random.Generator) -> Split:
    """Give every example of the class `SINGLED_OUT` the outcome of one of its right answers (C3)."""
    rows, right, _ = _singled_out(split)
    source = np.arange(split.n)
    source[rows] = rng.choice(right, len(rows))
    return with_outcomes_of(split, source)


def homogeneous_errors(split: Split, rng: np.random.Generator) -> Split:
    """Make a random share of the class `SINGLED_OUT` wrong (C4).

    A share `HOMOGENEOUS_RATE` gets outcomes of the class's wrong answers, and the rest gets outcomes
    of its right ones. Errors in the class are thus random; other classes stay as they are.
    """
    rows, right, wrong = _singled_out(split)
    hard = rng.permutation(len(rows)) < round(HOMOGENEOUS_RATE * len(rows))
    source = np.arange(split.n)
    source[rows] = np.where(hard, rng.choice(wrong, len(rows)), rng.choice(right, len(rows)))
    return with_outcomes_of(split, source)


def label_noise_only(split: Split, rng: np.random.Generator) -> Split:
    """Give a random share `LABEL_NOISE` of the examples the label of another class (C5).

    Only examples that the model gets right are kept, so noise is the only cause of errors.
    Probabilities stay; correctness and losses follow the new labels.
    """
    if split.labels is None or split.probs is None or split.correct is None:
        raise DataError("label noise needs labels and probabilities")
    right = split.take(np.flatnonzero(split.correct))
    assert right.labels is not None
    assert right.probs is not None
    C = right.probs.shape[1]
    noisy = rng.permutation(right.n) < round(LABEL_NOISE * right.n)
    other = (right.labels + rng.integers(1, C, right.n)) % C
    labels = np.where(noisy, other, right.labels)
    return replace(right, labels=labels, correct=None, losses=cross_entropy(right.probs, labels))


def _singled_out(split: Split) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of the class `SINGLED_OUT`, and those of its right and its wrong answers."""
    rows = dict(split.by_class()).get(SINGLED_OUT, np.arange(0))
    if split.correct is None:
        raise DataError("the control needs correctness, but the split does not say where the model is right")
    right, wrong = rows[split.correct[rows]], rows[~split.correct[rows]]
    if not (len(right) and len(wrong)):
        raise DataError(
            f"class {SINGLED_OUT} has {len(right)} right and {len(wrong)} wrong answers; the control needs at least one "
            "of each"
        )
    return rows, right, wrong
