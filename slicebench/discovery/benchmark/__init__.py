"""Benchmark of discovery: tables with planted causes of known members, and how well a finder finds them.

`tables` lists the tables of the two sets, and `score` compares the slices that a finder shows with
the planted causes. `planted` holds the data types and draws causes, `generators` makes tables,
`finders` runs discover and its peers, and `bench` runs all that and sums it up.

Decisions
- A cause is a rule of 1 to 3 attributes. Dropping any one condition selects at least a quarter more rows.
- Each cause has at least 30 rows and at least 10 more expected errors than the same rows would have outside.
- The two sets differ in style (numbers of attributes and classes, networks, rates, sizes), and their seeds come
  from different streams.
- A finder never sees hidden attributes; peers see the class as a column.
"""
