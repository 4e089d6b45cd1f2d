"""Measure what acting on a method's findings does to the model.

An intervention changes the training data, or the training, as a method advises. The model is then
trained again, several times. Its accuracy in the planted groups is compared with that of models
trained on other advice. Budgets are equal, and `random` and `oracle` are among the methods.
"""

from __future__ import annotations

from slicebench.studies.interventions.contract import INTERVENTIONS, Added, Audit, Intervention, Treatment

__all__ = ["INTERVENTIONS", "Added", "Audit", "Intervention", "Treatment"]
