"""What a person sees in a terminal: tables on stdout, progress on stderr. The only package that imports rich.

A module per kind of table; `_shared` says how numbers and intervals stand in all of them.
"""

from slicebench.console._shared import results_console
from slicebench.console.board import print_board
from slicebench.console.captions import print_captions
from slicebench.console.checks import print_controls, print_verdicts
from slicebench.console.data import print_data_report, print_datasets
from slicebench.console.discover import print_findings
from slicebench.console.evaluations import print_evaluation
from slicebench.console.interventions import print_interventions
from slicebench.console.plans import print_plan
from slicebench.console.progress import ProgressReport
from slicebench.console.sparse import print_sparse
from slicebench.console.sweep import print_sweep

__all__ = [
    "ProgressReport",
    "print_board",
    "print_captions",
    "print_controls",
    "print_data_report",
    "print_datasets",
    "print_evaluation",
    "print_findings",
    "print_interventions",
    "print_plan",
    "print_sparse",
    "print_sweep",
    "print_verdicts",
    "results_console",
]
