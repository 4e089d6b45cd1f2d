"""Decide what each column of a user's table is, and account for every one of them.

`kinds` says what a column holds, `parts` turns it into the columns that methods and rules read, `roles` finds label, prediction
and the others by name, `outcomes` reads what the model got wrong, `leaks` finds columns that were made from the predictions.
`table_schema` joins them: every reader of users' tables calls it, so that all of them treat a column alike.

Decisions
- A column is used, or it is listed as unused with the reason. Nothing is dropped without a word.
- The table `kinds.KINDS` is the one place that says how a kind is treated; the documentation is generated from it.
- Inference is by name and content of the columns, never by trying what gives more slices.
"""

from __future__ import annotations

from slicebench.data.schema.kinds import KINDS, Kind
from slicebench.data.schema.table_schema import ColumnUse, Schema, schema_of, sorted_by_use

__all__ = ["KINDS", "ColumnUse", "Kind", "Schema", "schema_of", "sorted_by_use"]
