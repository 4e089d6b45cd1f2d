"""Rank the output of other tools like a method's.

It is read, checked against a problem's test split, and measured.

`contents` is what a submission says; `reading`, `table_files` and `json_files` are how files say it (docs/submissions.md);
`scoring` measures it; `export` writes what somebody needs to make one: a problem without its truth.
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
