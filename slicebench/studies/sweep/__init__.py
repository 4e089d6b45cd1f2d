"""Sweep one parameter of a problem over several values.

The base model's figures, the metric and the strength are measured at each.
"""

from __future__ import annotations

from slicebench.studies.sweep.design import Sweep, sweep_of_dataset, sweep_of_problem
from slicebench.studies.sweep.run import SweepOutcome, run_sweep
from slicebench.studies.sweep.summary import SweepReport, sweep_report

__all__ = [
    "Sweep",
    "SweepOutcome",
    "SweepReport",
    "run_sweep",
    "sweep_of_dataset",
    "sweep_of_problem",
    "sweep_report",
]
