"""Cut a ranking where the error rate falls off, and split what is above the cut if it lies in several places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.holdout.masks import marked

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


LEAST_MEMBERS = 10
"""Least examples above a cut, and below it."""
BETWEEN = 0.7
"""Height of the cut between the rate below it and that above: examples are members while the rate among them is above that.

At 0.5, or where the entropy gain is largest, slices hold too many others; chosen on the tuning tables of the discovery benchmark.
"""
MODES = 3
MOST_INSIDE, MOST_OTHERS = 3000, 17_000
"""Members, and others, by which places are told apart."""
LEAST_SPREAD = 1e-6
"""Least variance of the others in a direction, of standardised vectors: all of them may be one point."""
GAIN = 0.05
"""Least gain in average precision for which members are described by one more centre."""


def cut_of(hardness: Floats, over: Floats) -> float | None:
    """Return the least hardness of a member; None if the hardest are no worse than the others.

    The first cut has the largest gain in variance. It then moves to where the rate at the cut is `BETWEEN` the two rates.

    Parameters
    ----------
    hardness : (n,)
        Of examples that did not help to rank themselves.
    over : (n,)
        Badness minus the mean of the class.

    """
    n = len(over)
    if n < 2 * LEAST_MEMBERS:
        return None
    order = np.argsort(-hardness, kind="stable")
    total = np.cumsum(over[order])
    size = np.arange(1, n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = total / size - (total[-1] - total) / (n - size)
        gain = np.where(gap > 0, gap**2 * size * (n - size), -1.0)
    allowed = slice(LEAST_MEMBERS - 1, n - LEAST_MEMBERS)
    m = int(np.argmax(gain[allowed])) + LEAST_MEMBERS
    if gain[m - 1] <= 0:
        return None
    for _ in range(10):
        above, below = total[m - 1] / m, (total[-1] - total[m - 1]) / (n - m)
        moved = int(np.argmax((total - (below + BETWEEN * (above - below)) * size)[allowed])) + LEAST_MEMBERS
        if moved == m:
            break
        m = moved
    return float(hardness[order[m - 1]])


def places(X: NDArray[np.float32], members: Bools, learn: Bools, parts: NDArray[np.int64], seed: int) -> list[Bools]:
    """Split members (n,) that lie in several places of the vectors X (n, d), as the rows `learn` show; `parts` as below."""
    rng = np.random.default_rng(seed)
    inside, others = (
        _some(np.flatnonzero(learn & own), most, rng) for own, most in ((members, MOST_INSIDE), (~members, MOST_OTHERS))
    )
    if len(others) <= X.shape[1] or len(inside) < 2 * LEAST_MEMBERS:
        return [members]
    whiten = whitening_by(X[others])
    rows = np.concatenate([inside, others])
    centres = split_modes(whiten(X[rows]), np.arange(len(rows)) < len(inside), parts[rows], seed)
    if centres is None:
        return [members]
    at = np.flatnonzero(members)
    # of the squared distance to a centre, what depends on the centre
    nearest = (whiten(X[at]) @ centres.T - (centres**2).sum(axis=1) / 2).argmax(axis=1)
    return [marked(at[nearest == j], len(X)) for j in range(len(centres))]


def _some(rows: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def split_modes(X: NDArray[np.float32], inside: Bools, parts: NDArray[np.int64], seed: int) -> Floats | None:
    """Return the centres of the places in which members lie, (m, d), in the space of `whitening_by`; None for one place.

    Two causes in one class lie in two places, and no direction tells both from the rest. Members are clustered where the
    spread of the others is the same in all directions. One centre more is accepted if likeness to the nearest centre then
    tells members from others better, on `parts` (n,) that did not help to find the centres.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import average_precision_score

    best, centres = 0.0, None
    at = np.flatnonzero(inside)
    for m in range(1, MODES + 1):
        if len(at) < m * LEAST_MEMBERS:
            break
        found = KMeans(m, n_init=3, random_state=seed).fit(X[at])
        if m > 1 and np.bincount(found.labels_).min() < LEAST_MEMBERS:
            break
        score = float(average_precision_score(inside, _likeness(X, at, found.labels_, parts)))
        if m == 1:
            best = score
        elif score > best + GAIN:
            best, centres = score, found.cluster_centers_.astype(np.float64)
    return centres


def _likeness(
    X: NDArray[np.float32], at: NDArray[np.intp], mode: NDArray[np.int32], parts: NDArray[np.int64]
) -> Floats:
    """Return how much each row looks like the nearest mode, found on the other parts; shape (n,)."""
    out = np.full(len(X), -np.inf)
    for part in np.unique(parts):
        held = parts == part
        for j in np.unique(mode):
            own = at[(mode == j) & ~held[at]]
            if len(own) >= 3:
                centre = X[own].mean(axis=0)
                out[held] = np.maximum(out[held], X[held] @ centre - centre @ centre / 2)
    return np.where(np.isfinite(out), out, out[np.isfinite(out)].min(initial=0.0) - 1)


def whitening_by(background: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the map that gives `background` (n, d) mean 0 and nearly the same spread in all directions."""
    mean = background.mean(axis=0)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(background.T)))
    values = np.maximum(values + 0.1 * values.mean(), LEAST_SPREAD)
    axes = (vectors / np.sqrt(values)).astype(np.float32)
    return lambda X: (X - mean) @ axes
