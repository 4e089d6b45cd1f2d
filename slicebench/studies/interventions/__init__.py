"""From finding to fixing: what acting on a method's findings does to the model, at equal budget, beside random and oracle.

An intervention changes the training data (or how the model is trained) as a method advises; the model is trained again, several
times, and its accuracy in the planted groups compared with that of models trained on other advice.
"""

from __future__ import annotations

from slicebench.studies.interventions.contract import INTERVENTIONS, Added, Audit, Intervention, Treatment

__all__ = ["INTERVENTIONS", "Added", "Audit", "Intervention", "Treatment"]
