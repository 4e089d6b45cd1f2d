"""Find exact nearest neighbours at about the cost of one matrix product, in bounded memory.

The distance of a pair is *defined* as the direct float64 sum of (a - b)², in whichever block the pair is found. A float32
product of matrices gives lower bounds of all distances, rounding included. Only the few pairs with a small bound are then
measured.

The bounds. With a, b the rows less a common centre c, a', b' their rounded values, u the unit roundoff, d the width and
γ = (d + 2) u / (1 - (d + 2) u), the matrices [-2a', s, 1] and [b', 1, w] with s ≈ ‖a'‖² and w ≈ ‖b'‖² multiply to ‖a - b‖² but
for these errors, each in units of ‖a‖² + ‖b‖²: 8u, since each entry of a' and b' is off by 2u of itself at most; 2γ, since a dot
product in any order of summation is off by at most γ Σ|x||y| (Higham 2002, section 3.1) and 2|a'||b'| ≤ ‖a'‖² + ‖b'‖²; γ for the
norms; and what the float64 sum itself is off, γ of float64 twice. `_relative` adds these and 13u for products of errors and the
last roundings; `_ABSOLUTE` covers underflow. Lower bounds come from s and w made smaller by that share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Numbers = NDArray[np.floating | np.integer]
    Real = NDArray[np.floating]
    Precision = type[np.floating]


POOL_BLOCK = 4096
"""Most pool rows per block."""

TILE, CELLS, PAIRS = 2**23, 2**23, 2**16
"""Most entries of a block of bounds, of a block of the pool, and of the differences that are measured together."""

SMALLEST_BLOCK = 64

_ABSOLUTE = {np.float32: 2.0**-120, np.float64: 2.0**-1000}
_MODERATE = {np.float32: (2.0**-80, 2.0**80), np.float64: (0.0, 1e300)}
"""Squared norms between which no entry of the product over- or underflows (to harm)."""


class Pool(NamedTuple):
    """The rows `rows` (m,), or all, of a matrix (p, d) that may be a file; messages use its `name`."""

    name: str
    matrix: Numbers
    rows: Ints | None = None

    @property
    def n(self) -> int:
        """Number of rows, m."""
        return len(self.matrix) if self.rows is None else len(self.rows)

    def blocks(self, queries: int) -> Iterator[tuple[slice, Numbers]]:
        """Yield positions and rows, block by block.

        Blocks are small enough for the bounds of so many queries.
        """
        most = min(POOL_BLOCK, TILE // queries, CELLS // max(1, self.matrix.shape[1]))
        step = max(most, min(SMALLEST_BLOCK, POOL_BLOCK))
        for start in range(0, self.n, step):
            part = slice(start, min(start + step, self.n))
            yield part, self.matrix[part] if self.rows is None else self.matrix[self.rows[part]]

    def refusal(self, part: slice, bad: NDArray[np.bool_]) -> DataError:
        """Return the error that names the first bad row of a block."""
        at = part.start + int(np.argmax(bad))
        row = at if self.rows is None else int(self.rows[at])
        return DataError(
            f"{self.name} has a value that is not a number, infinite or too large to be squared at row {row}; "
            "expected finite embeddings. Drop or impute these rows first."
        )


def squared_distances(a: Floats, i: Ints, b: Numbers, j: Ints) -> Floats:
    """Compute the float64 sums of (a[i] - b[j])² directly, shape (m,).

    All results of this module are exact in this distance.
    """
    found = np.empty(len(i))
    step = max(1, PAIRS // max(1, a.shape[1]))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        apart = a[i[part]]
        apart -= b[j[part]]
        np.square(apart, out=apart)
        apart.sum(axis=1, out=found[part])
    return found


class _Left(NamedTuple):
    """Left matrix of the product in one precision, with its centre, largest squared norm and relative error."""

    matrix: Real
    centre: Real
    largest: float
    relative: float


class Bounds:
    """Lower bounds of the squared distances from `queries` (q, d), finite float64, to the rows of any block."""

    def __init__(self, queries: Floats) -> None:
        self.queries = queries
        self.centre = queries.mean(axis=0)
        self._lefts: dict[Precision, _Left] = {}
        self._room: dict[Precision, Real] = {}

    def of(self, pool: Pool, part: slice, block: Numbers) -> tuple[Real, float]:
        """Compute bounds (q, b), and the most by which a distance exceeds its bound.

        The bounds are valid until the next call. They are in float64 where float32 would overflow or lose
        all digits.
        """
        for dtype in (np.float32, np.float64):
            left = self._left(dtype)
            right, norms = _centred(block, left.centre, dtype)
            smallest, largest = _MODERATE[dtype]
            if smallest <= np.maximum(left.largest, norms.max()) <= largest and left.relative < 0.25:
                return self._product(left, right, norms)
        raise pool.refusal(part, ~(norms <= largest))

    def _product(self, left: _Left, right: Real, norms: Real) -> tuple[Real, float]:
        dtype = right.dtype.type
        absolute = _ABSOLUTE[dtype] * right.shape[1]
        right[:, -2] = 1
        right[:, -1] = norms * (1 - left.relative) - absolute
        size = len(self.queries) * len(right)
        if len(self._room.get(dtype, ())) < size:
            self._room[dtype] = np.empty(size, dtype)
        tile = self._room[dtype][:size].reshape(len(self.queries), len(right))
        np.matmul(left.matrix, right.T, out=tile)
        return tile, 2 * left.relative * (left.largest + float(norms.max())) + 4 * absolute

    def _left(self, dtype: Precision) -> _Left:
        if dtype not in self._lefts:
            with np.errstate(over="ignore"):
                centre = self.centre.astype(dtype)
            matrix, norms = _centred(self.queries, centre, dtype)
            if dtype is np.float64 and not norms.max() <= _MODERATE[dtype][1]:
                raise DataError("embeddings are too large to be squared; rescale them")
            relative = _relative(self.queries.shape[1], dtype)
            matrix[:, :-2] *= -2
            matrix[:, -2] = norms * (1 - relative)
            matrix[:, -1] = 1
            self._lefts[dtype] = _Left(matrix, centre, float(norms.max()), relative)
        return self._lefts[dtype]


def _centred(rows: Numbers, centre: Real, dtype: Precision) -> tuple[Real, Real]:
    """Return the rows minus `centre`, (b, d + 2), and their squared norms; the last two columns are left free."""
    out = np.empty((len(rows), rows.shape[1] + 2), dtype)
    inside = out[:, :-2]
    with np.errstate(over="ignore", invalid="ignore"):
        np.subtract(rows, centre, out=inside, casting="same_kind")
        return out, np.einsum("ij,ij->i", inside, inside)


def _relative(d: int, dtype: Precision) -> float:
    """Return the largest error of a bound as a share of ‖a‖² + ‖b‖²; the module's docstring derives it."""
    u, fine = np.finfo(dtype).eps / 2, np.finfo(np.float64).eps / 2
    gamma, gamma_fine = ((d + 2) * r / (1 - (d + 2) * r) for r in (u, fine))
    return float(3 * gamma + 2 * gamma_fine + 21 * u)


class Held(NamedTuple):
    """Holder of each row of a pool, (m,): the number of a query or -1, and its distance.

    The distance is infinite if no query holds the row.
    """

    by: Ints
    distance: Floats

    def allow(self, rows: Ints, numbers: Ints, distances: Floats) -> NDArray[np.bool_]:
        """Return whether each row prefers the given query, at the given distance, to its holder.

        The nearer query is preferred; among equals, the one with the lower number.
        """
        now = self.distance[rows]
        better: NDArray[np.bool_] = (distances < now) | ((distances == now) & (numbers < self.by[rows]))
        return better


@dataclass
class Neighbours:
    """Pairs of a query and a pool row with their distance, (m,) each, sorted by query, distance and row.

    `reach` (q,) is the largest distance at which a later row can still be among the `width` nearest. It
    is infinite at first.
    """

    width: int
    reach: Floats
    query: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    row: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    distance: Floats = field(default_factory=lambda: np.empty(0))
    _waiting: list[tuple[Ints, Ints, Floats]] = field(default_factory=list, repr=False)

    def add(self, query: Ints, row: Ints, distance: Floats) -> None:
        """Add pairs whose rows come after all rows so far; they are merged once there are many."""
        self._waiting.append((query, row, distance))
        if 4 * sum(len(waiting) for waiting, _, _ in self._waiting) >= self.width * len(self.reach):
            self.merge()

    def merge(self) -> None:
        """Merge the waiting pairs, and keep the `width` nearest of each query; ties go by row."""
        pairs = [(self.query, self.row, self.distance), *self._waiting]
        query, row, distance = (np.concatenate(column) for column in zip(*pairs, strict=True))
        order = np.lexsort((row, distance, query))
        counts = np.bincount(query, minlength=len(self.reach))
        ends = np.cumsum(counts)
        rank = np.arange(len(query)) - np.repeat(ends - counts, counts)
        order = order[rank < self.width]
        self.query, self.row, self.distance, self._waiting = query[order], row[order], distance[order], []
        full = counts >= self.width
        last = np.cumsum(np.minimum(counts, self.width))[full] - 1
        self.reach[full] = np.minimum(self.reach[full], np.nextafter(self.distance[last], -np.inf))


def nearest(
    queries: Floats, pool: Pool, width: int, *, held: Held | None = None, numbers: Ints | None = None
) -> Neighbours:
    """Find the `width` nearest rows of the pool for each of `queries` (q, d), or all if there are fewer.

    Ties go by row. With `held` and the queries' `numbers` (q,), only rows that prefer the query to their
    holder count.

    Raises
    ------
    DataError
        if the pool has a value that is not finite.

    """
    bounds, q = Bounds(queries), len(queries)
    found = Neighbours(width, np.full(q, np.inf))
    for part, block in pool.blocks(q):
        lower, excess = bounds.of(pool, part, block)
        free = None if held is None else held.by[part] < 0
        _tighten(found, lower, excess, free)
        i, j = _within(lower, found.reach)
        if held is not None:
            open_ = lower[i, j] <= held.distance[part][j]
            i, j = i[open_], j[open_]
        distance = squared_distances(queries, i, block, j)
        keep = distance <= found.reach[i]
        if held is not None and numbers is not None:
            keep &= held.allow(j + part.start, numbers[i], distance)
        found.add(i[keep], j[keep] + part.start, distance[keep])
    found.merge()
    return found


def _tighten(found: Neighbours, lower: Real, excess: float, free: NDArray[np.bool_] | None) -> None:
    """Limit unknown reaches to the `width`-th smallest upper bound of the block's free rows."""
    if np.isfinite(found.reach).all():
        return
    seen = lower if free is None else lower[:, free]
    if seen.shape[1] >= found.width:
        last = np.partition(seen, found.width - 1, axis=1)[:, found.width - 1]
        np.minimum(found.reach, last.astype(np.float64) + excess, out=found.reach)


def _within(lower: Real, reach: Floats) -> tuple[Ints, Ints]:
    """Return the queries and columns of the entries of `lower` (q, b) that are within the query's reach."""
    with np.errstate(over="ignore"):
        limit = np.nextafter(reach.astype(lower.dtype), lower.dtype.type(np.inf))
    i, j = np.divmod(np.flatnonzero(lower <= limit[:, None]), lower.shape[1])
    return i, j
