"""Compute accuracies of retrained models in the parts of a test split, also on resampled examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.metrics.statistics.bootstrap import resample_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


LEAST_GROUP = 10
"""Least number of test examples for a group to count as the worst; with fewer, accuracy is noise."""


def groups_of(labels: NDArray[np.int64], minority: Bools, class_names: Sequence[str] = ()) -> dict[str, Bools]:
    """Return masks (n,) of class × planted membership, named like "circle, planted" and "circle, rest".

    Empty groups are left out.
    """
    out = {}
    for c in np.unique(labels).tolist():
        name = class_names[c] if c < len(class_names) else f"class {c}"
        for kind, mask in (("planted", minority), ("rest", ~minority)):
            if (own := mask & (labels == c)).any():
                out[f"{name}, {kind}"] = own
    return out


def parts_of(arrays: Arrays) -> dict[str, Bools]:
    """Return masks (n,) of the parts of a test split whose accuracies are reported.

    Empty parts are included.
    """
    minority = arrays["minority"]
    parts = {"overall": np.ones(len(minority), dtype=bool), "minority": minority, "majority": ~minority}
    parts["heldout"] = ~arrays["base_correct"]
    return parts | {name.removeprefix("subset."): mask for name, mask in arrays.items() if name.startswith("subset.")}


def accuracies(arrays: Arrays, *, base: bool = False) -> dict[str, Floats]:
    """Compute accuracy in every part and in the worst group, by retraining seed, shape (S,).

    It is NaN for an empty part. With `base`, it is that of the base model on test, shape (1,).
    """
    correct = arrays["base_correct"][None] if base else arrays["correct"]
    out = {name: _mean(correct[:, mask]) for name, mask in parts_of(arrays).items()}
    groups = [correct[:, mask].mean(axis=1) for mask in _large_groups(arrays)]
    out["worst_group"] = np.min(groups, axis=0) if groups else np.full(len(correct), np.nan)
    if not base:
        out |= {name: _mean(rows) for name, rows in _apart(arrays).items()}
    return out


def resampled(arrays: Arrays, draws: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Compute the `accuracies` on `draws` resamples of the test examples, shape (S, draws).

    Resampling is within class × planted membership. Arms with generators in the same state get the same
    resamples, so their differences are paired.
    """
    counts = np.zeros((draws, arrays["correct"].shape[1]), dtype=np.float32)
    for mask in groups_of(arrays["labels"], arrays["minority"]).values():
        counts[:, mask] = resample_counts(int(mask.sum()), draws, rng).T
    correct = arrays["correct"].astype(np.float32)
    out = {name: _weighted(correct, counts, mask) for name, mask in parts_of(arrays).items()}
    groups = [_weighted(correct, counts, mask) for mask in _large_groups(arrays)]
    out["worst_group"] = np.min(groups, axis=0) if groups else np.full((len(correct), draws), np.nan)
    for name, rows in _apart(arrays).items():
        size = rows.shape[1]
        picked = resample_counts(size, draws, rng).T if size else np.zeros((draws, 0), dtype=np.intp)
        out[name] = _weighted(rows.astype(np.float32), picked.astype(np.float32), np.ones(size, dtype=bool))
    return out


def _apart(arrays: Arrays) -> dict[str, Bools]:
    """Return right answers (S, m) on examples outside test: "seed" and "deval".

    "seed" has the val examples that the base model gets wrong, and "deval" those put aside.
    """
    return {name.removeprefix("own."): rows for name, rows in arrays.items() if name.startswith("own.")}


def _large_groups(arrays: Arrays) -> list[Bools]:
    groups = groups_of(arrays["labels"], arrays["minority"]).values()
    return [mask for mask in groups if mask.sum() >= LEAST_GROUP]


def _mean(rows: Bools) -> Floats:
    mean: Floats = rows.mean(axis=1) if rows.shape[1] else np.full(len(rows), np.nan)
    return mean


def _weighted(correct: NDArray[np.float32], counts: NDArray[np.float32], mask: Bools) -> Floats:
    """Compute accuracy (S, B) in a part, with examples counted as often as they are drawn.

    It is NaN where none is drawn.
    """
    drawn = counts[:, mask]
    size = drawn.sum(axis=1)
    hits = correct[:, mask] @ drawn.T
    accuracy: Floats = np.where(size > 0, hits / np.maximum(size, 1), np.nan).astype(np.float64)
    return accuracy
