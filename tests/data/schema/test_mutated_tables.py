"""Tables of anything give a schema that accounts for every column, or a typed error with a message."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest

from slicebench import Columns, discover
from slicebench.data.schema import KINDS, schema_of
from slicebench.data.schema.roles import USUAL
from slicebench.data.schema.splits import positions_of
from slicebench.data.schema.vectors import described
from slicebench.errors import SlicebenchError
from slicebench.files.tables import read_frame
from tests.data.schema.test_kinds_and_parts import COLUMNS

NAMES = [
    *COLUMNS,
    *(name for names in USUAL.values() for name in names),
    "p_cat",
    "p_dog",
    "e0",
    "e1",
    "Unnamed: 0",
    "",
    "ü\n",
    3,
]
USES = {*USUAL, "group", "features", "rules", "features and rules", "not used"}


def sound(rng, n):
    y = rng.integers(2, size=n)
    words = np.array(["cat", "dog"])
    wrong = rng.random(n) < rng.choice([0, 0.2, 1])
    return pd.DataFrame({"label": words[y], "prediction": words[np.where(wrong, 1 - y, y)], "x": rng.normal(size=n)})


def mutated(number):
    """Return a table that has been changed in types, names, gaps and columns, the same for each number."""
    rng = np.random.default_rng(number)
    n = int(rng.choice([1, 2, 12, 60, 300]))
    table = sound(rng, n)
    for _ in range(rng.integers(1, 9)):
        name = NAMES[rng.integers(len(NAMES))]
        values = COLUMNS[rng.choice([*COLUMNS])]
        table[name] = pd.Series(values).take(rng.integers(len(values), size=n)).reset_index(drop=True)
    for column in [*table]:
        kind = rng.random()
        if table.columns.duplicated().any():
            break
        if kind < 0.15:
            table[column] = (
                table[column].astype(object).where(rng.random(n) > 0.2, rng.choice([None, np.nan, "", "NA"]))
            )
        elif kind < 0.2:
            table[column] = table[column].map(str)
        elif kind < 0.23:
            table = table.rename(columns={column: NAMES[rng.integers(len(NAMES))]})
        elif kind < 0.25:
            table = table.drop(columns=column)
    return table


def options(number):
    rng = np.random.default_rng([number, 1])
    some = {role: None for role in ("image", "text", "embedding", "split") if rng.random() < 0.1}
    return some | ({"ignore": ["x"]} if rng.random() < 0.05 else {})


def told(error):
    """Return the name of an error, which must have a message of some length."""
    assert len(str(error)) > 20
    return type(error).__name__


def check(number):
    """Return "schema" or the name of a typed error."""
    table = mutated(number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            schema = schema_of(table, Columns(**options(number)))
            at, _ = positions_of(schema, seed=0)
            if len(schema.features.columns):
                assert np.isfinite(described(schema.features, at["train"])).all()
        except SlicebenchError as error:
            return told(error)
    assert [one.column for one in schema.uses] == [str(name) for name in table]
    for one in schema.uses:
        assert one.kind in KINDS
        assert one.use in USES
        assert one.why or one.use != "not used", one
    used = {one.column for one in schema.uses if "rules" in one.use}
    assert bool(len(schema.metadata.columns)) >= bool(used)
    return "schema"


def test_every_column_of_some_hundred_tables_is_accounted_for():
    ends = [check(number) for number in range(300)]
    assert 60 < ends.count("schema") < 300


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_column_of_ten_thousand_tables_is_accounted_for():
    ends = [check(number) for number in range(10_000)]
    assert ends.count("schema") > 2000


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_discover_answers_or_refuses(number):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = discover(mutated(number), **options(number))
        except SlicebenchError as error:
            told(error)
            return
    assert len(found.columns) == len(mutated(number).columns)
    assert all(one.column in found.to_html() for one in found.columns if one.column.isalnum())


@pytest.mark.parametrize("number", range(0, 90, 3))
def test_a_csv_file_of_such_a_table_is_read(number, tmp_path):
    table = mutated(number)
    text = io.StringIO()
    table.to_csv(text, index=False)
    (tmp_path / "t.csv").write_text(text.getvalue(), encoding=["utf-8", "utf-16", "utf-8-sig"][number % 3])
    try:
        schema = schema_of(read_frame(tmp_path / "t.csv"), Columns())
    except SlicebenchError as error:
        told(error)
    else:
        assert len(schema.uses) == len(schema.table.frame.columns)
