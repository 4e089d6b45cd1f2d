"""Read a large table three times: draw a sample, count its strata, and test the slices of the sample on all other rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import AUTO
from slicebench.data.schema import schema_of
from slicebench.data.schema.roles import declined, parameter
from slicebench.discovery.facts import facts_from
from slicebench.discovery.findings import LEAST_MEMBERS
from slicebench.discovery.large import sampling
from slicebench.discovery.large.counting import Count, Counted, Strata
from slicebench.discovery.large.functions import RowRegion, assigner_of
from slicebench.discovery.large.grouped import GroupedRows, designs_of
from slicebench.discovery.large.rows import RowReader
from slicebench.discovery.large.sampling import MORE, stratified
from slicebench.discovery.large.tables import Draw
from slicebench.discovery.large.tally import verdicts_of
from slicebench.discovery.reading.measures import measured
from slicebench.discovery.searches.methods import REGIONS, RULES, SEARCHES, chosen_methods, ruled_table
from slicebench.discovery.verdicts import in_order, verdict_of
from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.schema import Schema
    from slicebench.discovery.facts import Facts
    from slicebench.discovery.holdout.consensus import Finding
    from slicebench.discovery.large.functions import Assigner
    from slicebench.discovery.large.tables import LargeTable
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.methods import Chosen
    from slicebench.discovery.verdicts import Verdict
    from slicebench.plugins.method import SliceMethod

    Say = Callable[[str], None]


SAID = 5
"""How many times a pass says how far it is."""
LARGEST = 3
"""How many times as many rows as asked for a sample of whole groups may have."""
LEAST_AGREEMENT = 0.7
"""Agreement of a region with the function that stands for it below which it is said."""
REMEDY = "read a part of the table that fits into memory, and give that"
"""What to do instead."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """A stratified sample of a large table: `frame`, and the numbers of its rows in the table, `rows` (m,), ascending."""

    table: LargeTable
    frame: pd.DataFrame
    rows: NDArray[np.int64]
    columns: Columns
    measure: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Tested:
    """The slices of a sample, tested on the rows outside of it.

    `findings` have the members that the functions of the slices give them in the sample. `verdicts`, in their order, and `facts`
    are over the whole table. `n` is the number of rows counted, and `held` that of the rows that test.
    """

    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]
    facts: Facts
    n: int
    held: int
    notes: tuple[str, ...]

    def verdict_of(self, finding: Finding, _: Examples) -> Verdict:
        """Return the verdict on one of the findings."""
        return next(verdict for one, verdict in zip(self.findings, self.verdicts, strict=True) if one is finding)


def sampled(table: LargeTable, columns: Columns, measure: str, seed: int, say: Say) -> Sample:
    """Draw the sample, in which each class has its share of rows, and of errors (or of each fifth of its losses).

    With groups, it has all rows of some groups, and shares are those of the table but for chance.

    Raises
    ------
    ConfigError
        for what large tables cannot have: images, and embeddings beside the table.

    Otherwise raises the same errors as `schema_of`, also for rows outside of the sample.
    """
    _refuse(columns, table)
    say(f"{table.n:,} rows: drawing a sample of {min(table.n, sampling.SAMPLE):,} to look for slices in")
    group = columns.group if isinstance(columns.group, str) else None
    if group is not None and group not in table.columns:
        raise ConfigError(f"the table has no column {group!r}; {did_you_mean(group, [*table.columns])}")
    draw = Draw(min(1.0, (MORE if group is None else 1.0) * sampling.SAMPLE / table.n), seed, group)
    frame, rows = _drawn(_read(table, draw, None, "drawing", say), group)
    compared = measured(frame, columns, measure)
    at = np.arange(len(rows)) if compared.rows is None else compared.rows
    schema = schema_of(compared.frame, compared.columns, rows=rows[at])
    _refuse_images(schema)
    reader = RowReader.of(schema, by_loss=compared.by_loss, whole=frame)
    own = reader(compared.frame, 0)
    assert own is not None
    if group is not None:
        return Sample(table=table, frame=frame, rows=rows, columns=columns, measure=measure)
    strata = Strata.of(reader, own)
    sizes = np.sum([*_read(table, strata, reader.columns, "counting", say)], axis=0)
    wanted = round(sampling.SAMPLE * sizes.sum() / table.n)
    chosen = at[stratified(rows[at], strata.numbers(own), sizes, wanted, seed)]
    others = np.setdiff1d(np.arange(len(rows)), at)  # what the measure does not compare tells its classes
    kept = np.union1d(chosen, others)
    return Sample(
        table=table, frame=frame.iloc[kept].reset_index(drop=True), rows=rows[kept], columns=columns, measure=measure
    )


def tested_on_all(sample: Sample, findings: Sequence[Finding], examples: Examples, say: Say) -> Tested:
    """Test the slices of the sample, those that more than half of the folds found, on the rows outside of the sample.

    The order is that of the sample: slices that are significant there first, then by excess. Each is tested on the rows that no
    slice before it has.
    """
    agreed = [one for one in findings if 2 * len(one.folds) > len(examples.folds.tested)]
    judged = in_order([(one, verdict_of(one, examples)) for one in agreed])
    assigner, own = assigner_of([one for one, _ in judged], examples, ruled_table(examples)[1])
    compared = measured(sample.frame, sample.columns, sample.measure)
    reader = RowReader.of(examples.schema, by_loss=compared.by_loss, whole=sample.frame)
    count = Count.of(reader, assigner, sample.rows, examples)
    columns = (*reader.columns, *assigner.columns)
    total: Counted = sum(_read(sample.table, count, columns, "testing slices", say), start=Counted())
    assert total.tally is not None
    assert total.sums is not None
    exact = examples.wrong is not None
    designs = designs_of(GroupedRows.joined(total.grouped), len(count.centres)) if total.grouped else None
    verdicts = verdicts_of(total.tally, [one.class_number for one in own], count.centres, designs, exact=exact)
    return Tested(
        findings=tuple(own),
        verdicts=tuple(verdicts),
        facts=facts_from(total.sums, examples.class_names, rates=exact, grouped=examples.groups is not None),
        n=int(total.sums.size.sum()),
        held=int(total.tally.held.n.sum()),
        notes=(*_notes(sample, total), *_poorly(assigner, own)),
    )


def searched(chosen: Chosen, examples: Examples) -> dict[str, SliceMethod | None]:
    """Return what looks for slices in a sample, as `chosen_methods`: only searches whose slices are functions of a row.

    Raises `ConfigError` for a registered method, and for regions of vectors that an encoder makes.
    """
    methods = chosen_methods(chosen, examples)
    others = [name for name in methods if name not in SEARCHES]
    if others:
        raise ConfigError(
            f"{others[0]} cannot assign the rows outside of a sample to slices, so it does not run on tables of this size; "
            f"use {' or '.join(SEARCHES)}, or {REMEDY}"
        )
    roles = examples.schema.roles
    if REGIONS in methods and not roles.embedding and not len(examples.schema.features.columns):
        if chosen is not None or len(methods) == 1:
            raise ConfigError(
                f"regions need vectors in the table, for all of its rows: write them as a column "
                f"({parameter('embedding')}), use {RULES} alone, or {REMEDY}"
            )
        del methods[REGIONS]
    return methods


def _read(table: LargeTable, read: Any, columns: Sequence[str] | None, doing: str, say: Say) -> Iterator[Any]:
    """Yield the results of reading every part, and say now and then how far it is."""
    said = 0
    for done, result in table.each(read, columns):
        if done * SAID // table.n > said:
            said = done * SAID // table.n
            say(f"{doing}: {done:,} of {table.n:,} rows")
        yield result


def _drawn(
    parts: Iterator[tuple[pd.DataFrame, NDArray[np.int64]]], group: str | None
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Join the rows drawn from all parts; raise `ConfigError` where groups are so large that none or too many rows are drawn."""
    import pandas as pd

    frames, rows, n = [], [], 0
    for frame, numbers in parts:
        n += len(numbers)
        if n > LARGEST * sampling.SAMPLE:
            break
        if len(numbers):
            frames.append(frame)
            rows.append(numbers)
    if not 0 < n <= LARGEST * sampling.SAMPLE:
        raise ConfigError(
            f"the groups of column {group!r} are so large that a sample of whole groups has {'no row' if not n else 'too many'}; "
            f"name a column of smaller groups ({parameter('group')}), or none"
        )
    return pd.concat(frames, ignore_index=True), np.concatenate(rows)


def _refuse(columns: Columns, table: LargeTable) -> None:
    """Raise `ConfigError` for roles that large tables cannot have, and for a split that only folders tell."""
    if columns.embeddings is not None:
        raise ConfigError(
            f"vectors beside the table ({parameter('embeddings')}) are not read for tables of this size; write them into the "
            f"table as a column ({parameter('embedding')}), or {REMEDY}"
        )
    if columns.image is not AUTO and columns.image is not None:
        raise ConfigError(f"images are not read in tables of this size ({parameter('image')}); {REMEDY}")
    if table.folders and columns.split is AUTO:
        raise ConfigError(
            f"the folders {' and '.join(map(repr, table.folders))} are not read as a split for tables of this size; write the "
            f"part into a column of the files ({parameter('split')}), or use all rows for everything ({declined('split')})"
        )


def _refuse_images(schema: Schema) -> None:
    if schema.roles.image is not None:
        raise ConfigError(
            f"images are not read in tables of this size, and column {schema.roles.image!r} holds some: leave them out "
            f"({declined('image')}), or {REMEDY}"
        )
    if schema.outcomes.sets is not None:
        raise ConfigError(
            f"column {schema.roles.label!r} holds several labels a row, which are not read in tables of this size; "
            f"{REMEDY}"
        )


def _notes(sample: Sample, total: Counted) -> tuple[str, ...]:
    """Return what a reader must know of the sample, and of rows that are not counted."""
    assert total.sums is not None
    assert total.tally is not None
    n, m, held = int(total.sums.size.sum()), len(sample.rows), int(total.tally.held.n.sum())
    which = " that are for testing" if held + m < n else ""
    grouped = isinstance(sample.columns.group, str)
    how = "all those of some groups" if grouped else "in which each class has its share of rows and of errors"
    note = (
        f"Slices were looked for in a sample of {m:,} of the {sample.table.n:,} rows, {how}. The facts, and size, rate and rest "
        f"of slices, count all rows. Differences and p are measured on the {held:,} rows outside of the sample{which}, which no "
        f"search has seen. Slices of fewer than about {-(-LEAST_MEMBERS * n // m):,} rows cannot be found. Examples, members, "
        "maps, descriptions and what tells a slice apart are of the sample."
    )
    if not total.left_out:
        return (note,)
    left_out = (
        f"{total.left_out:,} of {sample.table.n:,} rows are left out, because the sample has no row of their class (true or "
        f"predicted). The first one is {total.first}."
    )
    return note, left_out


def _poorly(assigner: Assigner, findings: Sequence[Finding]) -> list[str]:
    """Return a note for each region whose function is not quite what the search found."""
    both = zip(findings, assigner.slices, strict=True)
    regions = [(one, function) for one, function in both if isinstance(function, RowRegion)]
    return [
        f"Rows are assigned to {one.label} by their likeness to its members in the sample. This is not quite the slice that the "
        f"search marked there (intersection over union {function.agreement:.2f}); the numbers are of what is assigned."
        for one, function in regions
        if function.agreement < LEAST_AGREEMENT
    ]
