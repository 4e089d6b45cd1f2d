"""Measure what acting on a method's findings does to the model.

Budgets are equal, and `random` and `oracle` are compared too.

An intervention changes the training data (or how the model is trained) as a method advises; the model is trained again, several
times, and its accuracy in the planted groups compared with that of models trained on other advice.
"""

from __future__ import annotations

from slicebench.studies.interventions.contract import INTERVENTIONS, Added, Audit, Intervention, Treatment

__all__ = ["INTERVENTIONS", "Added", "Audit", "Intervention", "Treatment"]
