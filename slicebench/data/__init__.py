"""Splits, problems, truth and captions; problems from a user's arrays and tables.

`split` holds aligned arrays of examples, `problem` joins splits and truth, `truth` holds the planted
subgroups, and `captions/` the candidate texts. `from_arrays`, `from_frame` and `to_frame` convert
between a user's data and a problem.

Decisions
- Methods cannot reach the truth: neither `AuditData` nor the test `Split` refers to a
  `PlantedTruth`. A test walks everything that can be reached from them. Which captions name a group
  is part of the truth.
- Every task has losses. A `Split` always has ids, embeddings and losses; it has labels and
  probabilities if the task has them. Without labels the whole split counts as one class.
- Every join is by id, never by position.
- Captions belong to the problem, not to the method. A method only says how hard the examples are
  that a caption describes.
"""
