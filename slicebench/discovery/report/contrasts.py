"""Find the columns that tell a slice from the rest of its class, and draw their distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.discovery.report.tiles import LONGEST_VALUE, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


MOST_CONTRASTS = 6
"""Most columns by which a slice is told apart."""
LEAST_GAP = 0.05
NOISE = 1.63
"""Kolmogorov and Smirnov's statistic at level 0.01, in units of the root of 1 / members + 1 / others."""
MOST_COMPARED = 5_000
"""Members, and others, on which columns are ranked."""
MOST_LEVELS = 5
BINS = 20
FENCE = 3
"""Interquartile ranges beyond the quartiles at which the axis of a histogram ends."""
LARGEST = 1e307
"""Size at which numbers are cut off, so that axes do not overflow."""
HEIGHT = 100
"""Height of a histogram, in units of its drawing."""


@dataclass(frozen=True, eq=False)
class ColumnValues:
    """A column of metadata as numbers, (n,): NaN is missing. Words are numbers of `levels`; other columns have none."""

    name: str
    values: Floats
    levels: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Bar:
    """Shares of a slice, and of the rest of its classes, that have a value or lie in an interval."""

    label: str
    inside: float
    outside: float


@dataclass(frozen=True)
class Contrast:
    """Difference between a slice and the rest of its classes in one column.

    `measured` is true for numbers and dates, whose `bars` are intervals; otherwise they are the most frequent values.
    `ends` label the axis, and `said` sums up the difference.
    """

    name: str
    measured: bool
    bars: tuple[Bar, ...]
    ends: tuple[str, str]
    said: str

    @property
    def paths(self) -> tuple[str, str]:
        """Outlines of the two histograms, of the slice and of the rest, on one scale."""
        top = max(max(bar.inside, bar.outside) for bar in self.bars)
        return _steps([bar.inside / top for bar in self.bars]), _steps([bar.outside / top for bar in self.bars])


def contrasts_of(members: Rows, columns: Sequence[ColumnValues], examples: Examples) -> tuple[Contrast, ...]:
    """Return the columns that differ most between a slice and the rest of its classes, the most different first.

    Differences that chance explains, and those below `LEAST_GAP`, are left out.
    """
    inside = np.zeros(examples.n, dtype=bool)
    inside[members] = True
    own = np.isin(examples.labels, np.unique(examples.labels[members]))
    outside = own & ~inside
    if not inside.any() or not outside.any():
        return ()
    rng = np.random.default_rng(examples.seed)
    few, others = (rng.permutation(np.flatnonzero(side))[:MOST_COMPARED] for side in (inside, outside))
    least = max(LEAST_GAP, NOISE * np.sqrt(1 / len(few) + 1 / len(others)))
    gaps = np.array([_gap(one, one.values[few], one.values[others]) for one in columns])
    order = [int(j) for j in np.argsort(-gaps, kind="stable")[:MOST_CONTRASTS] if gaps[j] >= least]
    return tuple(_contrast(columns[j], columns[j].values[inside], columns[j].values[outside]) for j in order)


def columns_of(metadata: pd.DataFrame) -> list[ColumnValues]:
    """Return the columns as numbers, or as codes of their levels."""
    return [_column(str(name), metadata[name]) for name in metadata]


def _column(name: str, column: pd.Series[Any]) -> ColumnValues:
    import pandas as pd
    from pandas.api import types

    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        values[~np.isfinite(values)] = np.nan
        np.clip(values, -LARGEST, LARGEST, out=values)
        return ColumnValues(name, values, (), "number")
    if types.is_datetime64_any_dtype(column):
        since = (column - pd.Timestamp(0, tz=column.dt.tz)).dt.total_seconds()
        return ColumnValues(name, np.asarray(since, dtype=np.float64), (), "date")
    if types.is_timedelta64_dtype(column):
        return ColumnValues(name, np.asarray(column.dt.total_seconds(), dtype=np.float64), (), "span")
    codes, levels = pd.factorize(column.astype(str).to_numpy(dtype=object), sort=True)
    values = np.where(column.isna().to_numpy(), np.nan, codes.astype(np.float64))
    return ColumnValues(name, values, tuple(map(str, levels)), "words")


def _gap(column: ColumnValues, inside: Floats, outside: Floats) -> float:
    """Return the largest difference in the share of a value, or in the share of values below a number."""
    known, others = inside[~np.isnan(inside)], outside[~np.isnan(outside)]
    gap = abs(len(known) / len(inside) - len(others) / len(outside))
    if not len(known) or not len(others):
        return gap
    if column.levels:
        shares = _level_shares(column, inside) - _level_shares(column, outside)
        return max(gap, float(np.abs(shares).max()))
    ends = np.unique(np.concatenate([known, others]))
    below = [np.searchsorted(np.sort(side), ends, side="right") / len(side) for side in (known, others)]
    return max(gap, float(np.abs(below[0] - below[1]).max()))


def _level_shares(column: ColumnValues, values: Floats) -> Floats:
    """Return the share of each level, and last of missing values."""
    k = len(column.levels)
    shares: Floats = np.bincount(np.where(np.isnan(values), k, values).astype(np.int64), minlength=k + 1) / len(values)
    return shares


def _contrast(column: ColumnValues, inside: Floats, outside: Floats) -> Contrast:
    known, others = inside[~np.isnan(inside)], outside[~np.isnan(outside)]
    if column.levels:
        return _by_level(column, inside, outside)
    if not len(known) or not len(others):
        there = (np.where(np.isnan(side), np.nan, 0.0) for side in (inside, outside))
        return _by_level(ColumnValues(column.name, column.values, ("known",), "words"), *there)
    cuts = _cuts(known, others)
    counts = [np.histogram(np.clip(side, cuts[0], cuts[-1]), cuts)[0] / len(side) for side in (known, others)]
    last = cuts[-1] - (1 if _whole(known) and _whole(others) else 0)
    beyond = (
        "≤ " if min(known.min(), others.min()) < cuts[0] else "",
        "≥ " if max(known.max(), others.max()) > cuts[-1] else "",
    )
    ends = tuple(sign + _number(float(end), column.unit) for sign, end in zip(beyond, (cuts[0], last), strict=True))
    median, other = (_number(float(np.median(side)), column.unit) for side in (known, others))
    missing = [1 - len(some) / len(side) for some, side in ((known, inside), (others, outside))]
    gone = f"; missing {missing[0]:.0%}, rest {missing[1]:.0%}" if max(missing) > 0 else ""
    return Contrast(
        name=column.name,
        measured=True,
        bars=tuple(Bar("", float(a), float(b)) for a, b in zip(*counts, strict=True)),
        ends=(ends[0], ends[1]),
        said=f"median {median}, rest {other}{gone}",
    )


def _by_level(column: ColumnValues, inside: Floats, outside: Floats) -> Contrast:
    """Compare the shares of the most frequent values, "missing" among them."""
    a, b = _level_shares(column, inside), _level_shares(column, outside)
    order = np.argsort(-(a + b), kind="stable")[:MOST_LEVELS]
    names = [*column.levels, "missing"]
    bars = tuple(
        Bar(shortened(names[j], LONGEST_VALUE), float(a[j]), float(b[j])) for j in map(int, order) if a[j] + b[j] > 0
    )
    more = int(((a + b) > 0).sum()) - len(bars)
    return Contrast(column.name, measured=False, bars=bars, ends=("", ""), said=f"{more} more values" if more else "")


def _cuts(inside: Floats, outside: Floats) -> Floats:
    """Cut the axis of two histograms into intervals of one width; whole numbers are not split.

    It ends where values do, or at `FENCE` interquartile ranges beyond the quartiles of both.
    """
    sides = [(side, *np.quantile(side, [0.25, 0.75])) for side in (inside, outside)]
    low = min(max(side.min(), first - FENCE * (third - first)) for side, first, third in sides)
    high = max(min(side.max(), third + FENCE * (third - first)) for side, first, third in sides)
    if not (_whole(inside) and _whole(outside)):
        return np.linspace(low, high if high > low else low + 1, BINS + 1)
    low, high = np.floor(low), np.ceil(high) + 1
    step = int(np.ceil((high - low) / BINS))
    cuts: Floats = low + step * np.arange(int(np.ceil((high - low) / step)) + 1, dtype=np.float64)
    return cuts


def _whole(values: Floats) -> bool:
    return bool((values == np.floor(values)).all())


def _number(value: float, unit: str) -> str:
    from datetime import UTC, datetime, timedelta

    if unit == "date":
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d}"
    return str(timedelta(seconds=round(value))) if unit == "span" else f"{value:.4g}"


def _steps(heights: Sequence[float]) -> str:
    """Return the outline of bars of these heights, each one unit wide."""
    return f"M0 {HEIGHT}" + "".join(f"V{HEIGHT - HEIGHT * h:.1f}h1" for h in heights) + f"V{HEIGHT}z"
