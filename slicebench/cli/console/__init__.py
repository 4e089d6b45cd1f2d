"""Output for people: tables on stdout, progress on stderr. Only this package imports rich.

There is a module per kind of table; `numbers` formats estimates and intervals for all of them.
"""

from __future__ import annotations

from slicebench.cli.console.board import print_board
from slicebench.cli.console.checks import print_controls, print_verdicts
from slicebench.cli.console.datasets import print_card, print_data_report, print_datasets
from slicebench.cli.console.discover_bench import print_discover_bench
from slicebench.cli.console.findings import print_findings
from slicebench.cli.console.numbers import results_console
from slicebench.cli.console.progress import PlanLine, ProgressReport, print_plan
from slicebench.cli.console.schema import print_schema
from slicebench.cli.console.studies.captions import print_captions
from slicebench.cli.console.studies.interventions import print_interventions
from slicebench.cli.console.studies.sparse import print_sparse
from slicebench.cli.console.studies.sweep import print_sweep
from slicebench.cli.console.submissions import print_evaluation
from slicebench.cli.console.verification import print_verification

__all__ = [
    "PlanLine",
    "ProgressReport",
    "print_board",
    "print_captions",
    "print_card",
    "print_controls",
    "print_data_report",
    "print_datasets",
    "print_discover_bench",
    "print_evaluation",
    "print_findings",
    "print_interventions",
    "print_plan",
    "print_schema",
    "print_sparse",
    "print_sweep",
    "print_verdicts",
    "print_verification",
    "results_console",
]
