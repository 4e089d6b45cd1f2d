"""Splits, problems, truth and captions; a user's arrays and tables as problems.

`split` holds aligned arrays of examples, `problem` joins splits and truth, `truth` holds the planted subgroups, and `captions/`
the candidate texts. `from_arrays`, `from_frame` and `to_frame` go between a user's data and a problem.

Decisions
- The truth is out of reach: `AuditData` and the test `Split` refer to no `PlantedTruth`. A test walks everything that can be
  reached from them. Which captions name a group is truth too.
- Losses are the universal currency: a `Split` always has ids, embeddings and losses, and labels and probabilities where the
  task has them. Without labels the whole split counts as one class.
- Every join is by id, never by position.
- Captions belong to the problem, not to the method: a method only says how hard the examples are that a caption describes.
"""
