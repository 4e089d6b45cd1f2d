"""Count the rows of a part of a large table: by stratum for the sample, by slice for the tests, and for the facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.discovery.facts import Sums
from slicebench.discovery.large.grouped import GroupedRows
from slicebench.discovery.large.tally import bins_of, tallied

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.discovery.large.functions import Assigner
    from slicebench.discovery.large.rows import RowReader, Rows
    from slicebench.discovery.large.tally import Tally
    from slicebench.discovery.reading.examples import Examples

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


LOSS_BINS = 256
"""Bins of losses in each class, of equal shares of the sample."""
LOSS_STRATA = 5
"""Strata of losses in each class."""


@dataclass(frozen=True, eq=False)
class Strata:
    """Counts the rows of each stratum of a part: class and error, or class and fifth of the losses by `edges` (C, 4)."""

    reader: RowReader
    edges: Floats

    @classmethod
    def of(cls, reader: RowReader, own: Rows) -> Strata:
        """Return the strata of rows like those of the sample."""
        n_classes = max(1, len(reader.like.class_names))
        return cls(reader, edges_of(own.outcome, own.labels, n_classes, 2 if own.wrong is not None else LOSS_STRATA))

    def numbers(self, rows: Rows) -> NDArray[np.int64]:
        """Return the stratum of each row, (n,)."""
        numbers: NDArray[np.int64] = rows.labels * (self.edges.shape[1] + 1) + bins_of(
            rows.outcome, rows.labels, self.edges
        )
        return numbers

    def __call__(self, part: pd.DataFrame, start: int) -> NDArray[np.int64]:
        """Return the number of rows of each stratum."""
        rows = self.reader(part, start)
        length = self.edges.shape[0] * (self.edges.shape[1] + 1)
        return np.bincount(np.zeros(0, dtype=np.int64) if rows is None else self.numbers(rows), minlength=length)


@dataclass(frozen=True, eq=False, kw_only=True)
class Counted:
    """What was counted in some parts; None before the first one.

    `grouped` has the rows that test, part by part, if groups are named. `left_out` rows are of classes that the sample does not
    have; `first` says which is the first one.
    """

    tally: Tally | None = None
    sums: Sums | None = None
    grouped: tuple[GroupedRows, ...] = ()
    left_out: int = 0
    first: str = ""

    def __add__(self, other: Counted) -> Counted:
        """Return what was counted in both, the parts of `other` being the later ones."""
        return Counted(
            tally=_both(self.tally, other.tally),
            sums=_both(self.sums, other.sums),
            grouped=(*self.grouped, *other.grouped),
            left_out=self.left_out + other.left_out,
            first=self.first or other.first,
        )


def _both(one: Any, other: Any) -> Any:
    """Return the sum of two counts, either of which may be None."""
    return other if one is None else one if other is None else one + other


@dataclass(frozen=True, eq=False, kw_only=True)
class Count:
    """Counts the rows of a part by class, outcome and slice. `sample` are the numbers of the sample's rows, ascending."""

    reader: RowReader
    assigner: Assigner
    sample: NDArray[np.int64]
    edges: Floats
    centres: Floats
    centre: float

    @classmethod
    def of(cls, reader: RowReader, assigner: Assigner, sample: NDArray[np.int64], examples: Examples) -> Count:
        """Return the counter of a table by the slices of its sample, `examples`."""
        n_classes, exact = len(examples.class_names), examples.wrong is not None
        outcome = examples.losses.astype(np.float64) if examples.wrong is None else examples.wrong.astype(np.float64)
        sizes = np.maximum(np.bincount(examples.labels, minlength=n_classes), 1)
        means = np.bincount(examples.labels, outcome, minlength=n_classes) / sizes
        return cls(
            reader=reader,
            assigner=assigner,
            sample=sample,
            edges=edges_of(outcome, examples.labels, n_classes, 2 if exact else LOSS_BINS),
            centres=np.zeros(n_classes) if exact else means,
            centre=0.0 if exact else float(outcome.mean()),
        )

    def __call__(self, part: pd.DataFrame, start: int) -> Counted:
        """Return the counts of a part whose first row has the number `start`."""
        rows = self.reader(part, start)
        if rows is None:
            return Counted()
        some = self.sample[slice(*np.searchsorted(self.sample, (start, start + len(part))))]
        held = rows.held_out & ~np.isin(rows.numbers, some)
        members = self.assigner(rows)
        return Counted(
            tally=tallied(rows.outcome, rows.labels, members, held, self.edges, self.centres),
            sums=Sums.of(
                rows.outcome,
                rows.labels,
                len(self.centres),
                centre=self.centre,
                wrong=rows.wrong,
                predicted=rows.predicted,
                errors=rows.errors,
                probs=rows.probs,
            ),
            grouped=() if rows.groups is None else (self._grouped(rows, rows.groups, members, held),),
            left_out=rows.left_out,
            first=rows.first,
        )

    def _grouped(self, rows: Rows, groups: NDArray[np.int64], members: Bools, held: Bools) -> GroupedRows:
        labels, outcome = rows.labels[held], rows.outcome[held]
        return GroupedRows(
            groups=groups[held],
            labels=labels.astype(np.int32),
            outcome=(outcome - self.centres[labels]).astype(np.float32),
            badness=bins_of(outcome, labels, self.edges).astype(np.int16),
            members=members[held],
        )


def edges_of(outcome: Floats, labels: NDArray[np.int64], n_classes: int, bins: int) -> Floats:
    """Return the bounds between bins of outcomes in each class, (C, bins - 1): quantiles, and 0.5 between right and wrong."""
    if bins == 2:
        return np.full((n_classes, 1), 0.5)
    shares = np.arange(1, bins) / bins
    own = [outcome[labels == c] for c in range(n_classes)]
    return np.array([np.quantile(values, shares) if len(values) else np.zeros(bins - 1) for values in own])
