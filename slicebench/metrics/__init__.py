"""Pure functions on arrays: a value, its chance level, its uncertainty, its test.

`ranking` measures a hardness, `slices/` the slices that a method returns, `captions` their names. `statistics/` gives intervals
and comparisons, `estimate` a mean with its interval.

Decisions
- Ranking metrics take the expectation over the orders of a tied block, so a constant score has the value of chance. The
  average precision of scikit-learn, where a tied block enters at once, has a name of its own. None depends on the order of rows.
- Intervals have the bootstrap's shape and Student's width, because a percentile interval over few seeds does not cover.
  docs/concepts/statistics.md has the simulations.
"""
