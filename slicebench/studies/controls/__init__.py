"""Controls: how often a method finds something where there is nothing to find.

`alterations` makes the splits in which nothing is there, `replicates` runs
one method on many of them, `design` lists what is run on which problems, `run` runs it and `rates` counts.
"""

from __future__ import annotations

from slicebench.studies.controls.design import CONTROLS, Control
from slicebench.studies.controls.run import ControlsOutcome, run_controls

__all__ = ["CONTROLS", "Control", "ControlsOutcome", "run_controls"]
