"""What the console says of a user's columns before the run."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from rich.console import Console

from slicebench import Columns
from slicebench.cli.console import print_schema
from slicebench.data.schema import schema_of


def test_roles_come_first_and_unused_columns_last_whatever_the_order_of_the_table():
    n = 200
    table = pd.DataFrame({
        "constant": "same",
        "age": np.linspace(18, 80, n),
        "prediction": ["cat", "dog"] * (n // 2),
        "region": ["north", "south", "west", "east", "south"] * (n // 5),
        "label": ["cat", "cat", "dog", "dog"] * (n // 4),
    })  # fmt: skip
    schema = schema_of(table, Columns())
    out = io.StringIO()
    print_schema(schema, Console(file=out, width=200))
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert [line[0] for line in lines] == ["label:", "prediction:", "features", "not"]
    assert " ".join(lines[2]) == "features and rules: age (numbers), region (words)"
    assert lines[3][:3] == ["not", "used:", "constant"]
    assert [one.column for one in schema.uses] == [*table]
