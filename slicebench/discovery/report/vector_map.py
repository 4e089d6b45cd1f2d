"""Draw the vectors in two dimensions, with the slices coloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.searches.vectors import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.findings import Findings, FoundSlice
    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


MOST_POINTS = 3_000
MOST_MEMBERS = 2_000
"""Most members of slices among the points of the map."""
FITTED = 20_000
"""Rows from which the axes of the map are computed."""
WIDTH, DEPTH, MARGIN = 1000, 640, 14
"""Size of the map, in units of its drawing."""
COLOURS = (1, 0, 2, 3, 4, 6)
"""Colours of slices, by their numbers in board.css; a seventh slice has the first one again."""


@dataclass(frozen=True)
class Dots:
    """Points of the map as SVG paths: of examples that the model gets right, and wrong."""

    right: str
    wrong: str


@dataclass(frozen=True)
class Map:
    """Examples on the first two principal axes of the vectors; `slices` are by key, and `rest` are in none of them.

    `share` has the shares of the variance along the axes.
    """

    rest: Dots
    slices: dict[str, Dots]
    share: tuple[float, ...]
    shown: int


def map_of(findings: Findings) -> Map | None:
    """Place examples on the first two principal axes of the vectors; None without significant slices or vectors."""
    examples, standing = findings.examples, findings.standing
    X = _vectors(examples)
    if not standing or X.shape[1] == 0 or len(X) < 3:
        return None
    rng = np.random.default_rng(findings.seed)
    rows = _mapped(standing, examples.n, rng)
    places, share = _places(X, rows, rng)
    wrong = np.ones(len(rows), dtype=bool) if examples.wrong is None else examples.wrong[rows]
    inside = {one.key: np.isin(rows, one.rows) for one in standing}
    rest = ~np.logical_or.reduce([*inside.values()])
    return Map(
        rest=_dots(places, rest, wrong),
        slices={key: _dots(places, members, wrong) for key, members in inside.items()},
        share=share,
        shown=len(rows),
    )


def _vectors(examples: Examples) -> NDArray[np.float32]:
    """Return the vectors of the map: short embeddings as they are, columns and long embeddings in their compact form.

    Short embeddings are often principal axes; once these are standardised, none of them stands out.
    """
    embeddings = examples.whole.embeddings
    few_columns = len(examples.schema.features.columns) > 0 or embeddings.shape[1] > DIMENSIONS
    return examples.compact if few_columns else embeddings


def _mapped(standing: Sequence[FoundSlice], n: int, rng: np.random.Generator) -> Rows:
    """Draw the rows of the map: members of slices first, others up to `MOST_POINTS`."""
    inside = np.zeros(n, dtype=bool)
    for one in standing:
        inside[one.rows] = True
    members = rng.permutation(np.flatnonzero(inside))[:MOST_MEMBERS]
    others = rng.permutation(np.flatnonzero(~inside))[: MOST_POINTS - len(members)]
    return np.sort(np.concatenate([members, others]))


def _places(
    X: NDArray[np.float32], rows: Rows, rng: np.random.Generator
) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Return the places (r, 2) of rows, and the shares of the variance along the axes.

    The ends of an axis are at the 0.5% and 99.5% quantiles; what lies beyond is on the edge. One number alone is spread
    at random along the second axis.
    """
    from sklearn.decomposition import PCA

    some = X[rng.permutation(len(X))[:FITTED]].astype(np.float64)
    pca = PCA(min(2, X.shape[1]), svd_solver="full").fit(some)
    along = pca.transform(X[rows].astype(np.float64))
    if along.shape[1] == 1:
        along = np.column_stack([along, rng.random(len(rows))])
    low, high = np.quantile(along, [0.005, 0.995], axis=0)
    unit = np.clip((along - low) / np.where(high > low, high - low, 1), 0, 1)
    size = np.array([WIDTH, DEPTH]) - 2 * MARGIN
    places = np.rint(MARGIN + unit * size).astype(np.int64)
    return places, tuple(float(v) for v in np.nan_to_num(pca.explained_variance_ratio_))


def _dots(places: NDArray[np.int64], some: Bools, wrong: Bools) -> Dots:
    return Dots(*("".join(f"M{x} {y}h0" for x, y in places[some & side].tolist()) for side in (~wrong, wrong)))
