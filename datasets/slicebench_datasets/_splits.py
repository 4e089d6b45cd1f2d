"""Splits of local datasets: rows of train, val, test and pool, and the raw splits made of them."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.split import deal as deal  # with the other ways of choosing rows, for adapters
from slicebench.errors import ConfigError
from slicebench.problems.raw import RawSplit, detached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.models.training import Recipe
    from slicebench.plugins.dataset import DatasetAdapter

    Rows = NDArray[np.intp]


def recipe_from(paper: Mapping[str, Any], changes: Mapping[str, Any] | None) -> Recipe:
    """Apply a user's changes to the paper's recipe; the peak moves to the last epoch if that comes earlier."""
    from slicebench.models.training import Recipe

    merged = dict(paper) | dict(changes or {})
    if "peak_epoch" not in (changes or {}) and isinstance(merged.get("epochs"), int):
        merged["peak_epoch"] = min(merged["peak_epoch"], merged["epochs"])
    return Recipe(**merged)


def at_most(rows: Rows, n: int | None, name: str, rng: np.random.Generator) -> Rows:
    """Choose `n` of `rows` at random, in ascending order; None keeps all."""
    if n is None:
        return rows
    if n > len(rows):
        raise ConfigError(f"{name} is {n}, but only {len(rows)} examples are left for it; lower it")
    return np.sort(rng.choice(rows, n, replace=False))


def thinned(rows: Rows, rare: NDArray[np.bool_], keep: float) -> Rows:
    """Keep only the share `keep` of the `rare` ((N,) bool) among `rows`, evenly spread.

    A share of 1/4 keeps every fourth, from the first on.
    """
    those = rows[rare[rows]]
    steps = np.floor(np.arange(-1, len(those)) * keep + 1e-9)
    stays = np.diff(steps) > 0
    return np.setdiff1d(rows, those[~stays])


def in_each_class(rare: NDArray[np.bool_], labels: NDArray[np.int64], n_classes: int = 2) -> NDArray[np.bool_]:
    """Make one group per class, its rare examples: (n, n_classes)."""
    groups: NDArray[np.bool_] = rare[:, None] & (labels[:, None] == np.arange(n_classes))
    return groups


def capped(adapter: DatasetAdapter, parts: Mapping[str, Rows], rng: np.random.Generator) -> dict[str, Rows]:
    """Cut each part at random to the size in the parameter `n_<part>`; None keeps it whole."""
    return {name: at_most(rows, getattr(adapter, f"n_{name}"), f"n_{name}", rng) for name, rows in parts.items()}


def split_up(
    parts: Mapping[str, Rows],
    *,
    ids: Sequence[str] | NDArray[np.str_],
    inputs: Callable[[Rows], Inputs],
    labels: NDArray[np.int64],
    groups: NDArray[np.bool_],
    metadata: pd.DataFrame | None = None,
) -> dict[str, RawSplit]:
    """Make raw splits of one table of N examples.

    Parameters
    ----------
    parts : mapping of split name to rows
        Rows of each split; their order is kept.
    ids : N strings
        Ids, which must not reveal the groups.
    inputs : callable
        Returns the raw examples at given rows, such as `lambda rows: decoded(ImageFiles(folder,
        names[rows]), side=75)`.
    labels : (N,) int64
        Class numbers.
    groups : (N, g) bool
        The truth.
    metadata : DataFrame of N rows, optional
        What methods may see, without the planted attribute and any that reveals it.

    """
    names = np.asarray(ids, dtype=np.str_)
    return {
        name: RawSplit(
            ids=names[rows],
            inputs=inputs(rows),
            labels=labels[rows],
            groups=groups[rows],
            metadata=None if metadata is None else detached(metadata, rows),
        )
        for name, rows in parts.items()
    }


def hashed(names: Iterable[str]) -> NDArray[np.str_]:
    """Make ids that reveal nothing: twelve hexadecimal digits of each name's SHA-256."""
    return np.array([sha256(name.encode()).hexdigest()[:12] for name in names], dtype=np.str_)
