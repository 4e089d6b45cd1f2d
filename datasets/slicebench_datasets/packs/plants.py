"""How rows are dealt to splits, and what makes the groups of a planted problem hard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError
from slicebench_datasets._splits import thinned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.problems.raw import RawSplit
    from slicebench_datasets.packs.card import Plant


def dealt(
    used: NDArray[np.intp],
    units: NDArray[Any] | None,
    labels: NDArray[np.int64],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.intp]]:
    """Deal the rows `used` to splits in proportion to `sizes`, at random within each class; cut each to its size.

    Rows with the same unit are in the same split, so a split may be smaller than its size. `units` and
    `labels` are those of all rows of the table. The rows of a split are in random order.

    Raises
    ------
    ConfigError
        if there are fewer rows than the sizes ask for.

    """
    if sum(sizes.values()) > len(used):
        raise ConfigError(f"n_train, n_val and n_test add up to {sum(sizes.values())}; there are {len(used)} examples")
    names = np.arange(len(used)) if units is None else units[used].astype(str)
    _, first, codes, counts = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(_spread(labels[used][first], rng))
    before = np.empty(len(order))
    before[order] = np.cumsum(counts[order]) - counts[order]
    ends = np.cumsum([*sizes.values()]) / sum(sizes.values()) * len(used)
    split = np.searchsorted(ends[:-1], before, side="right")[codes]
    return {name: rng.permutation(used[split == i])[:size] for i, (name, size) in enumerate(sizes.items())}


def _spread(strata: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random place between 0 and 1 for each unit, so that the units of each stratum are evenly spread."""
    places = rng.random(len(strata))
    for stratum in np.unique(strata):
        at = np.flatnonzero(strata == stratum)
        places[at] = (np.argsort(np.argsort(places[at])) + rng.random(len(at))) / len(at)
    return places


def kept_in_train(
    rows: Mapping[str, NDArray[np.intp]], hard: NDArray[np.bool_], plant: Plant | None
) -> dict[str, NDArray[np.intp]]:
    """Thin the rows of the groups in train, if the plant does so; `hard` is (n,) over the table."""
    if plant is None or plant.kind not in ("rare", "correlation"):
        return dict(rows)
    stays = np.isin(rows["train"], thinned(rows["train"], hard, plant.strength))
    return {**rows, "train": rows["train"][stays]}


def flipped(
    labels: NDArray[np.int64], hard: NDArray[np.bool_], n_classes: int, plant: Plant | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Replace labels of the groups' rows by those of another class, if the plant does so."""
    if plant is None or plant.kind != "label_noise":
        return labels
    wrong = hard & (labels >= 0) & (rng.random(len(labels)) < plant.strength)
    return np.where(wrong, (labels + rng.integers(1, n_classes, len(labels))) % n_classes, labels)


def corrupted(name: str, split: RawSplit, plant: Plant | None, train: RawSplit, rng: np.random.Generator) -> RawSplit:
    """Add noise to randomly drawn rows, if the plant does so; these rows are the group.

    Noise on vectors is in standard deviations of each column in train, noise on images in parts of the full range.
    """
    if plant is None or plant.kind != "corruption":
        return split
    n = len(split.labels)
    drawn = rng.random(n) < (plant.train_share if name == "train" else plant.share)
    inputs: Any = split.inputs
    noise = plant.strength * rng.standard_normal(inputs.shape) * drawn.reshape(-1, *(1,) * (inputs.ndim - 1))
    if inputs.dtype == np.uint8:
        inputs = np.clip(np.rint(inputs + 255 * noise), 0, 255).astype(np.uint8)
    else:
        inputs = (inputs + noise * np.std(np.asarray(train.inputs), axis=0)).astype(np.float32)
    embeddings = inputs if split.embeddings is split.inputs else split.embeddings
    return replace(split, inputs=inputs, embeddings=embeddings, groups=drawn[:, None])
