"""Gradations: one parameter of a problem moved over several values, and what base model, metric and strength do meanwhile."""

from slicebench.sweep.design import Sweep, sweep_of_dataset, sweep_of_problem
from slicebench.sweep.report import SweepReport, sweep_report
from slicebench.sweep.run import SweepOutcome, run_sweep

__all__ = [
    "Sweep",
    "SweepOutcome",
    "SweepReport",
    "run_sweep",
    "sweep_of_dataset",
    "sweep_of_problem",
    "sweep_report",
]
