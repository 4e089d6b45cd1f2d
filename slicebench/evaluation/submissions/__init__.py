"""Evaluate the output of other tools like that of a method.

It is read, checked against a problem's test split, and measured.

`contents` defines a submission. `reading`, `table_files` and `json_files` read it from files
(docs/how-to/scores-from-elsewhere.md). `scoring` measures it. `export` writes the input for other tools: a problem
without its truth.
"""

from __future__ import annotations

from slicebench.evaluation.submissions.contents import VERSION, Members, Submission
from slicebench.evaluation.submissions.export import export_problem
from slicebench.evaluation.submissions.reading import FORMATS, read_submissions
from slicebench.evaluation.submissions.scoring import Evaluation, Judged, evaluate_submissions

__all__ = [
    "FORMATS",
    "VERSION",
    "Evaluation",
    "Judged",
    "Members",
    "Submission",
    "evaluate_submissions",
    "export_problem",
    "read_submissions",
]
