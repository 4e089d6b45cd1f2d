"""Generators of tables with planted causes, or with none: functions (name, style, rng) -> PlantedTable.

`tabular` has mixed columns, `networks` embeddings of hidden attributes, `encoded` embeddings of real
images, `written` texts, `drawn` images, `numeric` regressions, `faults` faults of a whole class, and
`nulls` tables without causes.
"""
