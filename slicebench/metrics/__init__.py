"""Pure functions on arrays: a value, its chance level, its uncertainty, its test.

`ranking` measures a hardness, `slices/` the slices that a method returns, `captions` their names. `statistics/` gives intervals
and comparisons, `estimate` a mean with its interval.

Decisions
- Average precision follows scikit-learn: a tied block enters at once, so a constant score has the base rate. Every other
  ranking metric takes the expectation over the orders of the block. None depends on the order of rows.
- Intervals have the bootstrap's shape and Student's width, because a percentile interval over few seeds does not cover.
  docs/concepts/statistics.md has the simulations.
"""
