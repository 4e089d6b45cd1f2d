"""`discover` on tables that do not fit into memory: search in a sample, test on all rows outside of it.

`tables` reads a table in parts, and `passes` does all in order. `sampling` draws the sample. `functions` makes of each slice a
function of a row. `rows` reads the rows of a part as the sample was read, with `columns`, and `counting` counts them. `tally`
tests slices by these counts, with `grouped` if rows belong together.
"""
