"""Read a user's table into examples for fitting and testing methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.from_arrays import names_of_classes, split_of
from slicebench.data.schema import schema_of
from slicebench.data.schema.leaks import wrong_of
from slicebench.data.schema.repeats import repeated_rows
from slicebench.data.schema.splits import held_out_rows
from slicebench.discovery.holdout.folds import Folds, dealt_folds
from slicebench.discovery.reading.inputs import DEFAULT_ENCODERS, Inputs, embeddings_of, read_inputs
from slicebench.discovery.searches.conditions import Coded
from slicebench.discovery.searches.vectors import Compact
from slicebench.errors import DataError, SlicebenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.schema import Schema
    from slicebench.data.schema.roles import Roles
    from slicebench.data.split import Inputs as RawInputs
    from slicebench.data.split import Split


READ = " (as read)"
"""End of the name of a column that holds another one as it was read."""
LEAST_ROWS = 40
"""Rows below which no slice could be found and tested: it needs 20 members, and others to compare them with."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """A user's n examples, in the order of the table.

    `whole` holds them as a method sees them, and `folds` says on which rows slices are found and tested.
    `measure` is what is compared. `ids`
    are as the user wrote them. `labels` (n,) are class numbers, and so are `predicted` (n,), which
    may be None. `wrong` (n,) bool is None if only `losses` (n,) are known. `groups` (n,) numbers the
    rows that belong together, or is None. `inputs` are raw images or texts, and `kind` says which
    ("image", "text", or "" for none). `metadata` has the columns that rules use, and `looks` says
    where the embeddings come from. `schema` is the table as it was read, and `notes` are what a user
    must know of it.
    """

    whole: Split
    folds: Folds
    seed: int
    measure: str
    ids: Sequence[Any]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64] | None
    wrong: NDArray[np.bool_] | None
    losses: NDArray[np.float32]
    class_names: tuple[str, ...]
    groups: NDArray[np.intp] | None
    inputs: RawInputs | None
    kind: str
    metadata: pd.DataFrame
    looks: str
    schema: Schema
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.ids)

    @cached_property
    def compacting(self) -> Compact:
        """What brings embeddings onto one scale and few axes."""
        return Compact.learnt(self.whole.embeddings, self.seed)

    @cached_property
    def compact(self) -> NDArray[np.float32]:
        """The embeddings, standardised and on few axes, in which regions are looked for."""
        return self.compacting(self.whole.embeddings)

    def table(self, read: Collection[str] = ()) -> pd.DataFrame:
        """Return the user's table and the columns made of it; those in `read` also as they were read, renamed."""
        table = self.schema.table.frame.copy(deep=False)
        for name in self.metadata:
            if name not in table:
                table[name] = self.metadata[name].to_numpy()
            elif name in read:
                table[f"{name}{READ}"] = self.metadata[name]
        return table

    @cached_property
    def coded(self) -> Coded:
        """The columns for rules, as codes; a text's frequent words are columns, too."""
        label = self.label_name
        table = Coded.of(self.metadata.drop(columns=label, errors="ignore"))
        text = self.schema.roles.text
        if text is None or self.kind != "text" or self.schema.roles.metadata is not None:
            return table
        inputs = () if self.inputs is None else self.inputs
        return table.and_words(text, [str(inputs[i]) for i in range(len(inputs))])

    @property
    def problem_classes(self) -> tuple[str, ...]:
        """Names of the classes; none for a task without labels."""
        return () if self.whole.labels is None else self.class_names

    @property
    def label_name(self) -> str:
        """Name of the column of labels."""
        label = self.schema.roles.label
        return label if isinstance(label, str) else "class"


def examples_of(
    frame: pd.DataFrame,
    columns: Columns,
    *,
    encoder: str | None,
    seed: int,
    folder: Path | None = None,
    by_loss: bool = False,
    measure: str = "rate",
    row_numbers: NDArray[np.integer] | None = None,
    say: Callable[[str], None] = lambda _: None,
    on_schema: Callable[[Schema], None] = lambda _: None,
) -> Examples:
    """Read the examples of a table; paths of images are relative to `folder`.

    With `by_loss`, losses count and errors do not; `measure` names what is compared. `row_numbers` (n,) are the
    ids of rows without an id; by default they count from 0. `on_schema` is called with the table's
    schema before anything else is done.

    Raises
    ------
    ConfigError
        if a named column does not exist, or outcomes or embeddings are missing.
    DataError
        if a value is missing, not finite, duplicated or of an unknown class; the message names
        column and row.

    """
    schema, raw = _read(frame, columns, encoder, folder, row_numbers)
    on_schema(schema)
    table, roles, outcomes = schema.table, schema.roles, schema.outcomes
    n = len(table.frame)
    if n < LEAST_ROWS:
        raise DataError(
            f"the table has {n} rows, too few to find slices and to test them; expected {LEAST_ROWS} or more"
        )
    encoder = encoder or (None if _has_vectors(schema) else DEFAULT_ENCODERS.get(raw.kind))
    held_out, dealing = held_out_rows(schema)
    learn = np.arange(n) if held_out is None else np.flatnonzero(~held_out)
    metadata = schema.metadata.assign(**raw.attributes)
    whole = split_of(
        embeddings=embeddings_of(schema, raw, encoder, learn, say),
        **outcomes.arrays(),
        ids=None if roles.id is None else table.ids(roles.id).tolist(),
        metadata=metadata if len(metadata.columns) else None,
    )
    names = names_of_classes(whole.labels, whole.probs, outcomes.class_names)
    labels = np.zeros(n, dtype=np.int64) if outcomes.labels is None else outcomes.labels
    wrong = None if by_loss else wrong_of(outcomes)
    repeats = repeated_rows(whole.embeddings, schema)
    return Examples(
        whole=whole,
        folds=dealt_folds(labels, wrong, schema.groups, held_out, seed),
        seed=seed,
        measure=measure,
        ids=table.frame[roles.id].tolist() if roles.id is not None else _numbers(n, row_numbers),
        labels=labels,
        predicted=outcomes.predicted,
        wrong=wrong,
        losses=whole.losses,
        class_names=names or ("all",),
        groups=schema.groups,
        inputs=raw.inputs,
        kind=raw.kind,
        metadata=metadata,
        looks=_looks(roles, schema, encoder),
        schema=schema,
        notes=(*schema.notes, *raw.notes, *dealing, *([repeats] if repeats else [])),
    )


def _numbers(n: int, row_numbers: NDArray[np.integer] | None) -> Sequence[int]:
    return range(n) if row_numbers is None else row_numbers.tolist()


def _read(
    frame: pd.DataFrame,
    columns: Columns,
    encoder: str | None,
    folder: Path | None,
    row_numbers: NDArray[np.integer] | None,
) -> tuple[Schema, Inputs]:
    """Return the schema and the raw images or texts.

    Images that cannot be read stop the run only if nothing else describes the examples.
    """
    schema = schema_of(frame, columns, rows=row_numbers)
    try:
        return schema, read_inputs(schema, folder)
    except SlicebenchError as error:
        without = schema_of(frame, replace(columns, image=None), rows=row_numbers)
        if encoder is not None or not (_has_vectors(without) or without.roles.text):
            raise
        note = f"Images are not shown: {error}"
        found = read_inputs(without, folder)
        return without, replace(found, notes=(*found.notes, note))


def _has_vectors(schema: Schema) -> bool:
    """Return True if columns or a file describe the examples, without an encoder."""
    roles = schema.roles
    return bool(roles.embedding) or roles.embeddings is not None or len(schema.features.columns) > 0


def _looks(roles: Roles, schema: Schema, encoder: str | None) -> str:
    """Describe where the embeddings come from."""
    if roles.embedding:
        first, *more = roles.embedding
        return f"column {first}" if not more else f"columns {first} to {more[-1]}"
    names = [*schema.features]
    if names:
        return (
            f"{len(names)} column{'s'[: len(names) != 1]} ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})"
        )
    return "given" if roles.embeddings is not None else str(encoder)
