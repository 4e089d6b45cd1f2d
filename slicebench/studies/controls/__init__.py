"""Controls: how often a method finds something where there is nothing to find.

`alterations` makes the splits without anything to find, and `replicates` runs one method on many of
them. `design` lists the controls and their problems, `run` runs them, and `rates` counts.
"""

from __future__ import annotations

from slicebench.studies.controls.design import CONTROLS, Control
from slicebench.studies.controls.run import ControlsOutcome, run_controls

__all__ = ["CONTROLS", "Control", "ControlsOutcome", "run_controls"]
